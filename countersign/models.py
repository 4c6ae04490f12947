"""The terms of the domain as types. Times are aware datetimes in UTC; those of a question are whole minutes."""

import ipaddress
import re
import unicodedata
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
)

from countersign.durations import StoredMinutes
from countersign.times import MINUTE

LONGEST_ID = 128
LONGEST_REASON = 1000
LONGEST_COMMENT = 4000
LONGEST_GRANT = timedelta(days=366)
# The length of a caller's name: a person's id, a gateway's name after GATEWAY, or STARTED_IN_TEMPORAL.
LONGEST_PRINCIPAL = 200
GATEWAY = "gateway:"
# What precedes the id of a machine's credential.
SERVICE = "service-token:"
PROVISIONING = "provisioning-key:"
# Who asks if nobody is named: a program that may write to the Temporal namespace. No person's id has a colon.
STARTED_IN_TEMPORAL = "temporal:start"
# The channel and the answer's id of an approval that is counted because the requester is an approver (rule 3).
OWN_APPROVAL = "own approval"
# The characters of an id: what is safe in a workflow id, a mail address' tag and a file name alike.
ID_PATTERN = re.compile(r"[a-z0-9][a-z0-9._@+-]*")
# The zone of an IPv6 address (RFC 4007) names an interface, which on Linux takes 15 characters at most.
ZONE_PATTERN = re.compile(r"[A-Za-z0-9._-]{0,15}")


def canonical_id(value: str) -> str:
    """Fold what somebody typed to the directory's spelling of an id; ValueError says what an id may hold."""
    folded = value.strip().lower()
    if not ID_PATTERN.fullmatch(folded) or len(folded) > LONGEST_ID:
        raise ValueError(
            f"{value[:40]!r} is not an id: use lower-case letters, digits and . _ @ + -, at most {LONGEST_ID}"
        )
    return folded


def without_controls(value: str) -> str:
    """Drop control and direction characters, which could disguise what an approver reads; keep line breaks."""
    if value.isprintable():  # looking at each character is slow, and hardly ever needed
        return value.strip()
    kept = (c for c in value.replace("\r\n", "\n") if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf", "Cs"})
    return "".join(kept).strip()


def sentence(what: str, why: str = "") -> str:
    """What happened, and why if that is given: `Rejected by Grace: not today`, or `Rejected by Grace.`"""
    return f"{what}: {why}" if why else f"{what.removesuffix('.')}."


def canonical_address(value: object) -> str:
    """An IP address in its one spelling here; "" for nothing. ValueError for anything else."""
    text = str(value or "").strip()
    if not text:
        return ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} does not appear to be an IPv4 or IPv6 address") from None
    # The library accepts any text as the zone of a link-local address, of any length and with line breaks.
    if isinstance(address, ipaddress.IPv6Address):
        if not ZONE_PATTERN.fullmatch(address.scope_id or ""):
            raise ValueError(f"{text[:40]!r} has a zone behind the % that is no interface name; leave it out")
        # A listener for IPv4 and IPv6 shows an IPv4 peer in this form (RFC 4291, 2.5.5.2); it is the same host.
        address = address.ipv4_mapped or address
    return str(address)


# In a validation's context: accept what earlier versions accepted.
AS_BEFORE = "as before"


def _no_bool(value: object, info: ValidationInfo) -> object:
    # Pydantic takes JSON's true for 1. Earlier versions did, so open requests that were started with it have to replay.
    if isinstance(value, bool) and not (info.context or {}).get(AS_BEFORE):
        raise ValueError("must be a whole number, not true or false")
    return value


# For each number that comes from outside.
NO_BOOL = BeforeValidator(_no_bool)
# What may be sent for an id, before it is folded to the directory's spelling.
ID_SCHEMA = {"type": "string", "maxLength": LONGEST_ID, "pattern": r"^\s*[A-Za-z0-9][A-Za-z0-9._@+-]*\s*$"}
Id = Annotated[str, AfterValidator(canonical_id), WithJsonSchema(ID_SCHEMA)]
PlainText = Annotated[str, AfterValidator(without_controls)]
# A text whose name in JSON is `words`, whatever it is called here: open requests, stored rows and callers use that.
SentAsWords = Annotated[str, Field(alias="words")]
SourceAddress = Annotated[str, BeforeValidator(canonical_address)]


class Model(BaseModel):
    """Base of all models: unknown fields are errors, so that a typing mistake is never silently dropped."""

    model_config = ConfigDict(extra="forbid", validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class Status(StrEnum):
    """The status of a request. Each but Waiting is final."""

    WAITING = "Waiting"
    APPROVED = "Approved"
    REJECTED = "Rejected"
    EXPIRED = "Expired"
    CANCELLED = "Cancelled"


class GrantStatus(StrEnum):
    """The status of a grant."""

    ACTIVE = "Active"
    ENDED = "Ended"
    REVOKED = "Revoked"


class Verdict(StrEnum):
    """What an answer says."""

    APPROVE = "approve"
    REJECT = "reject"


class Event(StrEnum):
    """What a notification about a request says; each event has its folder of templates in every channel."""

    # To the requester: their request waits. Sent by channels that keep their messages up to date, and by all channels
    # if somebody else asked for the requester.
    OPENED = "opened"
    ASKED = "asked"
    REMINDED = "reminded"
    SETTLED = "settled"
    GRANT_ENDED = "grant_ended"
    ANSWER_REFUSED = "answer_refused"
    HELP = "help"
    # To the requester: a question from somebody who is asked.
    INQUIRY = "inquiry"
    # To those who are asked and have not answered: a comment from the requester.
    COMMENT = "comment"


# The events of notifications that ask for an answer.
ASKING = (Event.ASKED, Event.REMINDED)


class GeneralEvent(StrEnum):
    """The events that are not about a request; each has its folder of templates in every channel, too."""

    INBOX_UNREAD = "mailbox_unread"
    EXPIRING = "expiring"
    SIGN_IN = "sign_in"


class Subject(Model):
    """What is asked for. `kind` is one of `countersign.kinds`.

    `key` identifies it: it has at most one open request, whose workflow has this id. `target` is what somebody wants
    access to, and `variant` the way to it, such as a connection's protocol: gateways find requests by both, and none
    whose subject has no variant. `fields` are the values that people are shown, by name.
    """

    kind: str
    key: str
    target: str
    variant: str = Field(default="", exclude=True)
    fields: dict[str, str]

    def __str__(self) -> str:
        return f"{self.kind} {' '.join(self.fields.values())}"


class Detail(Model):
    """One line of a table: what it is called, its value, and what that was before, if it has changed."""

    label: str
    value: str
    before: str | None = None


class Scope(Model):
    """The subjects that a gateway may ask for and see: those with one of these targets and one of these variants.

    A subject without a variant is in no scope.
    """

    model_config = ConfigDict(frozen=True)

    targets: frozenset[str] = frozenset()
    variants: Annotated[frozenset[str], AfterValidator(lambda variants: variants - {""})] = frozenset()

    def includes(self, target: str, variant: str) -> bool:
        """Whether a subject with this target and variant is one of them."""
        return target in self.targets and variant in self.variants


# The scope of people and machines, which are not gateways.
NO_SCOPE = Scope()


class Question(Model):
    """What every question holds, whatever it asks for; each kind of subject adds its own fields.

    A question without a `kind` asks for a connection, as all did in versions without kinds.
    """

    kind: str
    requester: Id
    reason: PlainText = Field(default="", max_length=LONGEST_REASON)
    ticket: PlainText = Field(default="", max_length=LONGEST_ID)
    source_address: SourceAddress = ""
    minutes: Annotated[int | None, NO_BOOL] = Field(default=None, ge=1, le=LONGEST_GRANT // MINUTE)
    # Neither sent nor stored if it is false: older programs accept no field that they don't know.
    renew: bool = Field(
        default=False,
        exclude_if=lambda renew: not renew,
        description="While a grant lasts: ask for another one beside it, instead of getting a yes at once.",
    )

    @property
    def subject(self) -> Subject:
        """What it asks for."""
        raise NotImplementedError

    @property
    def details(self) -> list[Detail]:
        """The table that an approver is shown about it; empty, unless its kind has one."""
        return []

    @property
    def workflow_id(self) -> str:
        """The subject's key: Temporal keeps one open request for each."""
        return self.subject.key


def key_of(kind: str, *parts: str) -> str:
    """The key of a subject: its kind and canonical ids, percent-encoded, so that a colon in one separates nothing."""
    return ":".join([kind, *(quote(part, safe="", errors="surrogatepass") for part in parts)])


# --- who must agree -------------------------------------------------------------------------------------------------


class ManagersOf(Model):
    """The managers of a user group or a device group."""

    managers_of: Id


class MembersOf(Model):
    """The members of a user group."""

    members_of: Id


class NamedUser(Model):
    """One person by id."""

    user: Id


# `admins` are all who are admins by the policy, `line_manager` is the requester's.
ApproverRule = ManagersOf | MembersOf | NamedUser | Literal["line_manager", "admins"]


class LevelRule(Model):
    """One level of a route: whom to ask, and how many distinct people must agree."""

    approvers: list[ApproverRule] = Field(min_length=1)
    quorum: int = Field(default=1, ge=1)
    members_may_approve_themselves: bool = False

    def own_approval_counts(self, requester: "Approver") -> bool:
        """Whether the requester, an approver of this level, counts as having approved, where the policy allows that."""
        return requester.as_manager or self.members_may_approve_themselves


ChannelUse = Literal["decide", "link_only", "off"]
# What an approval needs besides the answer; empty for nothing.
Confirm = Literal["", "sign_in_again"]


class Route(Model):
    """Who must agree, fixed when the request opens. No levels: approved at once; 0 for `grant_lasts`: no grant.

    Its durations are stored and sent under the names that they had when they were whole minutes.
    """

    because: str
    levels: list[LevelRule]
    fallback_approvers: list[Id] = []
    auto_approve_when_requester_is_approver: bool = False
    expires_after: StoredMinutes = Field(alias="expire_minutes")
    grant_lasts: StoredMinutes = Field(alias="grant_minutes")
    remind_after: StoredMinutes | None = Field(default=None, alias="reminder_minutes")
    channels: dict[str, ChannelUse] = {"email": "decide"}
    rooms: dict[str, str] = {}
    rejection_needs_reason: bool = False
    same_source_address: bool = True
    confirm: Confirm = ""
    policy_version: int = 0


class Approver(Model):
    """Somebody who may answer at a level, and why."""

    person: Id
    because: str
    as_manager: bool = False
    name: str = ""


class LevelPeople(Model):
    """The enabled people of a level, as the directory has them when it starts; the requester may be among them."""

    approvers: list[Approver]
    fallback: list[Approver] = []


# --- answers and outcomes -------------------------------------------------------------------------------------------


class Answer(Model):
    """An answer as it was stored, in the form the request judges. `at` is when it came in, by our clock."""

    id: str
    approval_id: int
    level: int
    person: Id
    verdict: Verdict
    comment: str = Field(default="", max_length=LONGEST_COMMENT)
    channel: str
    at: AwareDatetime


class Decision(Model):
    """An answer that counted. `level` counts from 1.

    `lapsed`: an approval that no longer counts, because its approver was disabled while the level was open (rule 2).
    """

    answer_id: str
    level: int
    person: Id
    verdict: Verdict
    comment: str = ""
    channel: str
    at: datetime
    lapsed: bool = False


class Judgement(Model):
    """The result of a stored answer: a message for its sender, and the request's `status` after it.

    `details` are those of the refusal (`CountersignError.details`); they are never sent.
    """

    accepted: bool
    message: SentAsWords
    status: Status
    details: dict[str, Any] = Field(default={}, exclude=True)


class GrantView(Model):
    """The time-boxed permission of one approval, and how it ended.

    Yes means: it is Active, `ends_at` is in the future, and the connection comes from `source_address`, unless the
    policy's `same_source_address` is false.
    """

    approval_id: int
    status: GrantStatus
    starts_at: datetime
    ends_at: datetime
    ended_at: datetime | None = None
    source_address: SourceAddress = ""
    same_source_address: bool = True
    message: SentAsWords = ""

    @property
    def ended_early(self) -> bool:
        """Whether somebody ended it, by revoking it or giving it back."""
        early = self.ended_at is not None and self.ended_at < self.ends_at
        return early or self.status is GrantStatus.REVOKED


class Outcome(Model):
    """How a request ended: the result of its workflow."""

    approval_id: int
    status: Status
    message: SentAsWords
    decisions: list[Decision] = []
    grant: GrantView | None = None


class Asked(Model):
    """The reply to a question: its request, which was opened now or `joined`.

    `reason`, `ticket`, `minutes` and `source_address` are those of the request, and may differ from those of the
    question.
    """

    approval_id: int
    status: Status
    joined: bool
    message: SentAsWords = ""
    grant: GrantView | None = None
    reason: str = ""
    ticket: str = ""
    minutes: int | None = None
    source_address: str = ""
