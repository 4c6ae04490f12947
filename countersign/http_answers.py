"""The HTTP API's answers other than requests: whose token it is, the portal's health, the policy, a mail explained."""

from typing import Any, Literal

from countersign.models import Model, SentAsWords


class Me(Model):
    """Whose token it is, and for a gateway's, its devices and protocols."""

    name: str
    kind: Literal["person", "gateway"]
    admin: bool
    devices: list[str] = []
    protocols: list[str] = []


class LoginBegun(Model):
    """A login that was begun (RFC 8628, 3.2): the program's code, and the person's, with the page to enter it on.

    `expires_in` and `interval` are seconds.
    """

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int = 5


class LoginToken(Model):
    """The token of a login that was allowed; `expires_in` is seconds."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int


class ChannelHealth(Model):
    """Whether what people do in a channel reaches the portal now; the message says more."""

    ok: bool
    message: SentAsWords


class Health(Model):
    """Whether what the portal needs can be reached now, and the health of the channels that it listens to.

    `writable`: the database accepts writes. `worker`: a worker is running, so that requests go on.
    """

    database: bool
    writable: bool = True
    temporal: bool
    worker: bool = True
    channels: dict[str, ChannelHealth] = {}


class Check(Model):
    """One check of a mail: what it saw, whether it passed, and if not, why."""

    name: str
    saw: str
    passed: bool
    reason: str


class CheckedReply(Model):
    """What a mail would decide, and the checks behind that; `words` is for its sender."""

    decides: bool
    verdict: Literal["approve", "reject", "none"]
    comment: str = ""
    approval_id: int | None
    level: int | None
    person: str = ""
    message: SentAsWords
    checks: list[Check]


class Explanation(Model):
    """How a mail is read, and what it would decide."""

    reply: dict[str, Any]
    judged: CheckedReply


class PolicyText(Model):
    """A version of the policy, as it was written."""

    version: int
    text: str


class Applied(Model):
    """The version that is now in force."""

    version: int
