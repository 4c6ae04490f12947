"""How machines prove who they are where no person signs in: service tokens, and provisioning keys for many machines."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainSerializer

from countersign.durations import Length
from countersign.models import NO_BOOL, Id, Model, without_controls
from countersign.times import SECOND

YEAR = timedelta(days=365)
LONGEST_LABEL = 100
MOST_DEVICES = 100_000
# The longest that a service token and a provisioning key may last when they are made.
LONGEST_TOKEN, LONGEST_KEY = 10 * YEAR, YEAR
# How long the previous secret still works after a new one was made.
SHORTEST_OVERLAP, LONGEST_OVERLAP = timedelta(hours=1), timedelta(days=30)

CredentialKind = Literal["service_token", "provisioning_key"]
ServiceTokenAction = Literal["refresh", "disable", "enable", "revoke", "end-previous-secret"]


def _one_line(value: str) -> str:
    if not (joined := " ".join(without_controls(value).split())):
        raise ValueError("must say what it is for")
    return joined


# What something is for, in an admin's words.
Label = Annotated[str, Field(max_length=LONGEST_LABEL), AfterValidator(_one_line)]
WRITTEN = PlainSerializer(lambda length: f"{length // SECOND}s", when_used="json")
TokenLength = Annotated[timedelta, WRITTEN, Length("days", LONGEST_TOKEN)]
KeyLength = Annotated[timedelta, WRITTEN, Length("days", LONGEST_KEY)]
Overlap = Annotated[timedelta, WRITTEN, Length("hours", LONGEST_OVERLAP, SHORTEST_OVERLAP)]


class ServiceToken(Model):
    """A service token as admins see it, without its secret. Its `id` is the client id.

    `used_at`: when it was last used, to the minute. `previous_secret_ends_at`: until when the secret from before it was
    rotated still works.
    """

    id: str
    name: str
    created_by: str
    created_at: datetime
    ends_at: datetime
    disabled_at: datetime | None = None
    revoked_at: datetime | None = None
    previous_secret_ends_at: datetime | None = None
    used_at: datetime | None = None

    def why_not(self, now: datetime) -> str:
        """Why it is not valid now; empty if it is."""
        if self.revoked_at:
            return "was revoked; ask an admin for another"
        if self.disabled_at:
            return "is disabled; an admin can enable it"
        return "" if self.ends_at > now else "has expired; an admin can refresh it"


class NewServiceToken(Model):
    """A service token to create. `lasts` is a duration; a number alone means days."""

    name: Label
    lasts: TokenLength = YEAR


class Rotation(Model):
    """How long the previous secret works beside the new one: from an hour to 30 days; a number alone means hours."""

    overlap: Overlap


class ServiceTokenSecret(Model):
    """What a machine sends: its client id and its secret, which is shown only once."""

    client_id: str
    client_secret: str
    token: ServiceToken


class ProvisioningKey(Model):
    """A provisioning key as admins see it, without its secret.

    `used` of at most `devices` have registered with it; they belong to `person`. `skips_approval`: they need no
    approval. `used_at`: when it was last sent, to the minute.
    """

    id: str
    label: str
    person: Id
    devices: int
    used: int = 0
    skips_approval: bool = False
    created_by: str
    created_at: datetime
    ends_at: datetime
    ended_at: datetime | None = None
    used_at: datetime | None = None

    def why_not(self, now: datetime) -> str:
        """Why it is not valid now; empty if it is."""
        if self.ended_at:
            return "was ended; ask an admin for another"
        return "" if self.ends_at > now else "has expired; ask an admin for another"


class NewProvisioningKey(Model):
    """A provisioning key to create. `lasts` is a duration; a number alone means days."""

    label: Label
    person: Id
    devices: Annotated[int, NO_BOOL, Field(ge=1, le=MOST_DEVICES)]
    lasts: KeyLength = timedelta(days=7)
    skips_approval: bool = False


class ProvisioningKeySecret(Model):
    """The key itself, which is shown only once."""

    key: str
    provisioning_key: ProvisioningKey
