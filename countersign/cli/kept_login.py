"""The login that `countersign login` keeps: a portal, a token and its end, in a file that its user alone can read."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr, ValidationError

from countersign.cli import own_files
from countersign.models import Model

NAME = "login.json"


class KeptLogin(Model):
    """One login; there is one at a time."""

    url: str
    token: SecretStr
    ends_at: datetime

    @property
    def lasts(self) -> bool:
        """Whether the token has not expired."""
        return self.ends_at > datetime.now(UTC)


def read() -> KeptLogin | None:
    """The login that is kept; None if there is none, or it can't be read."""
    with suppress(ValueError, ValidationError):
        return KeptLogin.model_validate(json.loads(own_files.read(NAME)))
    return None


def keep(url: str, token: str, ends_at: datetime) -> Path:
    """Keep a login in place of the one before. Raises Unavailable, with the remedy."""
    return own_files.write(NAME, json.dumps({"url": url, "token": token, "ends_at": ends_at.isoformat()}))


def forget() -> None:
    """Delete the login that is kept, if any."""
    own_files.delete(NAME)
