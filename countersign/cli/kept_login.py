"""The login that `countersign login` keeps: a portal, a token and its end, in a file that its user alone can read."""

import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr, ValidationError

from countersign.errors import Unavailable
from countersign.models import Model


class KeptLogin(Model):
    """One login; there is one at a time."""

    url: str
    token: SecretStr
    ends_at: datetime

    @property
    def lasts(self) -> bool:
        """Whether the token has not ended by itself."""
        return self.ends_at > datetime.now(UTC)


def read() -> KeptLogin | None:
    """The login that is kept; None where there is none that can be read."""
    with suppress(OSError, ValueError, ValidationError, RuntimeError):
        return KeptLogin.model_validate(json.loads(_file().read_text()))
    return None


def keep(url: str, token: str, ends_at: datetime) -> Path:
    """Keep a login in place of the one before. Raises Unavailable, with the remedy."""
    try:
        file = _file()
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = file.with_suffix(f".{os.getpid()}")
        made.unlink(missing_ok=True)
        # Nobody else can read it at any moment, whatever the umask.
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            json.dump({"url": url, "token": token, "ends_at": ends_at.isoformat()}, out)
        made.replace(file)
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or "there is no home folder"
        raise Unavailable(f"The login can't be kept: {why}. Set XDG_CONFIG_HOME to a folder of yours.") from None
    return file


def forget() -> None:
    """Delete the login that is kept, if any."""
    with suppress(OSError, RuntimeError):
        _file().unlink()


def _file() -> Path:
    """Where it is kept (the XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "countersign" / "login.json"
