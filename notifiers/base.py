"""The contract every channel keeps: notices out, answers in."""

from datetime import datetime
from typing import Protocol

from countersign.models import Answer, ChannelUse, Decision, Event, GrantView, Judgement, Model, Question, Status


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


class Unreachable(Exception):
    """This person can't be reached by this channel, now or later (a refused address)."""


class Notifier(Protocol):
    """The way out of one channel."""

    async def send(self, notice: Notice) -> str:
        """Send it; returns the channel's reference (a Message-ID). Raises Unreachable, or countersign's Unavailable."""


class Given(Model):
    """An answer as a channel received it; (`channel`, `source_id`) is unique, so a second delivery changes nothing."""

    channel: str
    source_id: str
    approval_id: int
    level: int
    person: str
    verdict: str
    comment: str = ""
    at: datetime
    proof: dict[str, str] = {}


class Engine(Protocol):
    """The one door back: what a channel hears goes through here and nowhere else."""

    async def store(self, given: Given) -> Answer:
        """Store the answer before anything else; raises Refused for somebody unknown or disabled."""

    async def submit(self, answer: Answer) -> Judgement:
        """Have its request judge a stored answer; a refusal is recorded before this returns. Raises Unavailable."""

    async def report(self, person: str, approval_id: int | None, signal: str, words: str) -> None:
        """Record that a person is `away` or `unreachable`; their open requests look again at whom to ask."""
