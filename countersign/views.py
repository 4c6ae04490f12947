"""What people and programs see of a request, over HTTP and on the command line."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, computed_field

from countersign.errors import Refused, already_settled, read_too_late
from countersign.kinds import AnyQuestion
from countersign.models import ChannelUse, Confirm, Decision, GrantView, Model, SentAsWords, Status, Subject


class ApproverView(Model):
    """Somebody who is asked at a level, and why. `told` is false until a message that asks them got through.

    `standing` is empty, or `away`, `unreachable` or `disabled`.
    """

    level: int
    person: str
    name: str
    because: str
    told: bool = True
    availability: Annotated[str, Field(alias="standing")] = ""


class AuditEventView(Model):
    """One row of the audit record, as the timeline shows it."""

    version: int
    approval_id: int | None
    kind: str
    at: datetime
    who: str
    channel: str
    detail: SentAsWords
    proof: dict[str, str] = {}
    name: str = ""  # of `who`, as the directory has it now


class RequestView(Model):
    """A request as it is now. `version` is that of its last event; pass it to `wait` for the next.

    `asked_by` is who asked: the requester, or whoever asked for them: a person, `gateway:<name>` or `temporal:start`.
    """

    approval_id: int
    question: AnyQuestion
    requester_name: str
    asked_by: str = ""
    asked_by_name: str = ""
    because: str
    status: Status
    message: SentAsWords
    level: int
    levels: int
    quorum: int
    opened_at: datetime
    deadline: datetime
    settled_at: datetime | None
    grant_minutes: int  # rounded up
    grant_seconds: int = 0  # the exact length; 0 from a portal that does not send it
    rejection_needs_reason: bool = False
    confirm: Confirm = ""
    same_source_address: bool = True
    channels: dict[str, ChannelUse] = {}
    approvers: list[ApproverView] = []
    decisions: list[Decision] = []
    grant: GrantView | None = None
    # Of a renewal: the request whose grant lasted when it was asked, and when that grant ends or ended.
    renews: int | None = None
    goes_on_after: datetime | None = None
    version: int = 0
    # The run of its workflow, which the tokens in its mails are signed over; shown to nobody.
    _token_run: str = PrivateAttr(default="")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def subject(self) -> Subject:
        """What is asked for."""
        return self.question.subject

    def is_for(self, source_address: str) -> bool:
        """Whether its grant will permit a connection from this address."""
        return not self.same_source_address or source_address == self.question.source_address

    @property
    def grant_lasts(self) -> timedelta:
        """How long its grant lasts from the approval on."""
        return timedelta(seconds=self.grant_seconds) or timedelta(minutes=self.grant_minutes)

    @property
    def awaited(self) -> list[ApproverView]:
        """Those whom the current level waits for: asked, not disabled, and without an answer that counts."""
        answered = {one.person for one in self.decisions if one.level == self.level and not one.lapsed}
        asked = [one for one in self.approvers if one.level == self.level and one.availability != "disabled"]
        return [one for one in asked if one.person not in answered]

    def ended(self, arrived: datetime | None = None) -> Refused:
        """The refusal that says how the request ended; `arrived` is when the answer came in, perhaps in time."""
        if self.status is Status.EXPIRED and arrived and arrived <= self.deadline:
            return read_too_late(self.approval_id, arrived, self.deadline)
        return already_settled(self.approval_id, self.status, self.message)

    @property
    def token_run(self) -> str:
        """The run of its workflow, over which its tokens are signed; empty if they are signed without one."""
        return self._token_run


class NotificationView(Model):
    """One message to one person, or to a room, about an event of a request, and whether it was sent.

    `state` is `waiting`, `sent`, `not delivered`, or `not needed` if what it asked was settled before.
    `ended_at` is when it was sent or given up, if that is on record, and `why` is the reason.
    """

    id: str
    event: str
    person: str
    name: str
    is_room: bool = False
    channel: str
    level: int
    state: Literal["waiting", "sent", "not delivered", "not needed"]
    written_at: datetime
    ended_at: datetime | None = None
    tries: int = 0
    next_try_at: datetime | None = None
    why: str = ""


class NotificationText(NotificationView):
    """A notification with its `text`, which is composed again without the secrets that could answer it.

    The text says what was known when it was sent or, if it is `kept_up_to_date`, what is known now. It is empty if
    this portal isn't set up for its channel.
    """

    kept_up_to_date: bool
    text: str


class Durations(Model):
    """How long people took to decide, in seconds, for the requests of one group or the decisions by one channel."""

    name: str
    count: int
    median_seconds: float
    p90_seconds: float


class Response(Model):
    """How somebody answered: how often they were asked and answered, and how long after their level began.

    `let_expire` counts the requests that expired while a level waited for this person.
    """

    person: str
    name: str
    asked: int
    answered: int
    let_expire: int
    median_seconds: float
    p90_seconds: float


class RefusalCount(Model):
    """How many replies by one channel did not count for one reason."""

    channel: str
    reason: str
    count: int


class Overview(Model):
    """What happened to the requests of the last `days`; if it `is_partial`, only the newest of them are counted."""

    days: int
    requests: int
    is_partial: bool
    outcomes: dict[Status, int]
    by_user_group: list[Durations]
    by_device_group: list[Durations]
    by_channel: list[Durations]
    people: list[Response]
    refusals: list[RefusalCount]


class DelayedView(Model):
    """A request that is open, but that no worker handles yet. It gets its number as soon as a worker runs."""

    approval_id: int | None = None
    status: Status = Status.WAITING
    message: SentAsWords


class AppliedPolicy(Model):
    """A version of the policy: who applied it, and when."""

    version: int
    applied_by: str
    applied_at: datetime


MyList = Literal["waiting", "asked", "active"]


class Mine(Model):
    """The first requests of a person's lists; `more` names the lists that go on.

    What waits for their answer, the most urgent first; what they asked for, and what has an Active grant that they hold
    or may revoke, the newest first.
    """

    waiting: list[RequestView] = []
    asked: list[RequestView] = []
    active: list[RequestView] = []
    more: list[MyList] = []


class Finding(Model):
    """What `countersign doctor` found about one part; if something is wrong, the message says what to do."""

    part: str
    state: Literal["ok", "warning", "problem"]
    about: str
    message: SentAsWords


class Explained(Model):
    """What a channel reads in a message that came in, and what would become of it.

    `has_sender`: the message names a sender. `sender` is that person of the directory, and `token_of` the one for whom
    the token in it was made; "" for nobody.
    """

    report: dict[str, Any]
    has_sender: bool
    sender: str
    token_of: str
