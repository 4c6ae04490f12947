"""What goes out and what comes in by a channel, as the rest of the house and the channels both know it."""

from datetime import datetime

from pydantic import AwareDatetime, Field

from countersign.models import (
    LONGEST_COMMENT,
    ChannelUse,
    Decision,
    Event,
    GrantView,
    Model,
    Question,
    Status,
    Verdict,
)


class Person(Model):
    """Somebody as a channel needs them."""

    id: str
    name: str
    email: str


class Notice(Model):
    """One message to one person about one event of one request, with all a template may show."""

    id: str  # unique for ever; sending it again is the same message
    event: Event
    use: ChannelUse
    to: Person
    approval_id: int
    question: Question
    requester: Person
    opened_at: datetime
    deadline: datetime
    grant_minutes: int
    status: Status
    words: str = ""  # why it was settled, or what to do next
    level: int = 1
    levels: int = 1
    quorum: int = 1
    asked: list[Person] = []  # who is asked at this level
    decisions: list[Decision] = []
    names: dict[str, str] = {}  # person id -> name, for everyone in `decisions`
    grant: GrantView | None = None
    in_reply_to: str = ""  # the source's own id of the message this one answers, where there is one


class Given(Model):
    """An answer as a channel received it; (`channel`, `source_id`) is unique, so a second delivery changes nothing."""

    channel: str
    source_id: str = Field(max_length=400)
    approval_id: int
    level: int
    person: str
    verdict: Verdict
    comment: str = Field(default="", max_length=LONGEST_COMMENT)
    at: AwareDatetime
    proof: dict[str, str] = {}


class TurnedDown(Model):
    """Something that came in by a channel and is no answer, or none that may count. Recorded, never dropped silently.

    `event` says which notice its sender gets (help, or a refusal); None for none at all.
    """

    channel: str
    source_id: str
    approval_id: int | None
    who: str  # a person's id, or what the channel knows of the sender
    person: Person | None = None  # where the sender is somebody of the directory
    event: Event | None = None
    words: str
    proof: dict[str, str] = {}
