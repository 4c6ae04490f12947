"""What passes between engine and channels: notifications that go out, answers and other input that come in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AwareDatetime, Field

from countersign.kinds import AnyQuestion
from countersign.models import (
    LONGEST_COMMENT,
    ChannelUse,
    Confirm,
    Decision,
    Event,
    GrantView,
    Model,
    PlainText,
    SentAsWords,
    Status,
    Subject,
    Verdict,
)

# What one person writes to another, other than an answer.
PassedOn = Annotated[PlainText, Field(min_length=1, max_length=LONGEST_COMMENT)]


class Person(Model):
    """What a channel has to know about a person."""

    id: str
    name: str
    email: str
    enabled: bool = True  # a disabled person may do nothing, on any channel (rule 6)


class Notification(Model):
    """One message to one person about one event; this class is for those about no request, which show `fields`."""

    id: str  # unique for ever; sending it again is the same message
    event: str  # the name of its folder of templates
    to: Person
    written_at: datetime
    approval_id: int | None = None
    token_run: str = ""  # the run of its request's workflow, which a token in it is signed with
    fields: dict[str, str] = {}
    again: bool = False  # it was tried before, and may have got through


class RequestNotification(Notification):
    """A message about one event of one request, with all a template may show."""

    event: Event
    use: ChannelUse
    approval_id: int
    question: AnyQuestion
    requester: Person
    asked_by: str = ""  # the name of whoever asked for the requester; "" if the requester asked
    opened_at: datetime
    deadline: datetime
    grant_lasts: timedelta
    goes_on_after: datetime | None = None  # of a renewal: when the grant that lasted when it was asked ends or ended
    status: Status
    message: SentAsWords = ""  # why it was settled, or what to do next
    level: int = 1
    at_level: int = 1  # the level that the request has reached since
    levels: int = 1
    quorum: int = 1
    asked: list[Person] = []  # who is asked at this level
    untold: list[str] = []  # the ids of those among them whom no message has reached, with none on its way
    decisions: list[Decision] = []
    names: dict[str, str] = {}  # person id -> name, for everyone in `decisions`
    grant: GrantView | None = None
    rejection_needs_reason: bool = False
    confirm: Confirm = ""
    in_reply_to: str = ""  # the source's own id of the message that this one answers, if any
    room: str = ""  # set if the policy wants one message for all who are asked; `to` is then no person
    live_message: str = ""  # the channel's reference of the message that already shows this request to `to`
    transition: int = 0  # the number of the request's last transition that this shows

    @property
    def subject(self) -> Subject:
        """What is asked for."""
        return self.question.subject

    @property
    def approved_by(self) -> list[str]:
        """The ids of those whose approval counts at this level, in the order of their answers."""
        approvals = (d for d in self.decisions if d.verdict is Verdict.APPROVE and not d.lapsed)
        return list(dict.fromkeys(d.person for d in approvals if d.level == self.level))

    @property
    def decided_by(self) -> list[str]:
        """The ids of those whose answers brought this outcome about, each once."""
        verdict = {Status.APPROVED: Verdict.APPROVE, Status.REJECTED: Verdict.REJECT}.get(self.status)
        return list(dict.fromkeys(d.person for d in self.decisions if d.verdict is verdict and not d.lapsed))

    @property
    def still_needed(self) -> int:
        """How many more approvals this level needs; 0 if it has enough."""
        return max(0, self.quorum - len(self.approved_by))


class Result(Model):
    """How a try to send a notification ended: `text` is the channel's reference, or why it was not sent.

    `unreachable`: it can reach nobody. `waiting`: it is tried again, unless too many tries were `unconfirmed` or it is
    too old. `tries` is the number of tries so far, including this one. `shows` is the number of the transition that its
    message shows, if the channel keeps it up to date.
    """

    notification_id: str
    state: Literal["sent", "unreachable", "waiting"]
    text: str
    shows: int | None = None
    tries: int = 1
    unconfirmed: bool = False


class Shown(Model):
    """A message showed one transition and was changed to show another.

    `now` is None if the message is gone for good.
    """

    notification_id: str
    before: int
    now: int | None


class ProposedAnswer(Model):
    """What the rules look at in an answer, besides whose it is. `comment` is None while it is still to be written."""

    level: int
    verdict: Verdict
    channel: str
    comment: str | None = None
    # Signed in to the portal, where every policy allows answers; else the policy says whether the channel may decide.
    signed_in: bool = False
    confirmed: bool = False  # on its page, by somebody who has just proven who they are


class SubmittedAnswer(ProposedAnswer):
    """An answer as a channel received it.

    (`channel`, `source_id`) is unique, so that a second delivery changes nothing. A refusal is sent in reply to the
    message whose own id `proof` holds as `message_id`, if any.
    """

    source_id: str = Field(max_length=400)
    approval_id: int
    person: str
    comment: str = Field(default="", max_length=LONGEST_COMMENT)
    at: AwareDatetime
    proof: dict[str, str] = {}


class SubmittedComment(Model):
    """A question from somebody who is asked, or a comment from the requester, as a channel received it.

    (`channel`, `source_id`) is unique within its request, so that a second delivery changes nothing.
    """

    channel: str
    source_id: str = Field(max_length=200)
    approval_id: int
    person: str
    text: PassedOn
    proof: dict[str, str] = {}


class AnswerOutcome(NamedTuple):
    """The state of a stored answer (open, accepted, refused, lapsed); `details` tell programs why it was refused."""

    state: str
    message: str
    details: dict[str, Any]


class RejectedInput(Model):
    """Input from a channel that isn't an answer, or not one that may count. Recorded, never dropped silently.

    `event` says which notification its sender gets (help, or a refusal); None for none. `answer_id` is the source id of
    the answer that it would be if its request still waited: if that answer is stored, its sender was told already.
    Input without a `source_id` is recorded each time it comes.
    """

    channel: str
    source_id: str
    answer_id: str = ""
    approval_id: int | None
    who: str  # a person's id, or what the channel knows of the sender
    person: Person | None = None  # if the sender is in the directory
    event: Event | None = None
    reason: SentAsWords
    proof: dict[str, str] = {}


@dataclass(frozen=True)
class MailRef:
    """Which mail: (`mailbox`, `digest`) is unique, and the rest says where it was seen.

    The digest is the SHA-256 of its bytes or, if it is too big to fetch, of its place and size. A Message-ID is only
    the sender's claim: the same one on other content is another mail.
    """

    mailbox: str
    uidvalidity: int
    uid: int
    message_id: str
    digest: str
