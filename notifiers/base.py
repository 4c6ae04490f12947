"""The contract every channel keeps: notices out, answers in."""

from typing import Protocol

from countersign.errors import Unreachable
from countersign.models import Answer, Judgement
from countersign.notices import Given, Notice, Person, TurnedDown
from countersign.views import RequestView

__all__ = ["Engine", "Given", "Notice", "Notifier", "Person", "TurnedDown", "Unreachable"]


class Notifier(Protocol):
    """The way out of one channel."""

    async def send(self, notice: Notice) -> str:
        """Send it; returns the channel's reference (a Message-ID). Raises Unreachable, or countersign's Unavailable."""


class Engine(Protocol):
    """The one door back: what a channel hears goes through here and nowhere else."""

    async def store(self, given: Given) -> Answer:
        """Store the answer before anything else; raises Refused for somebody unknown or disabled."""

    async def submit(self, answer: Answer) -> Judgement:
        """Have its request judge a stored answer; a refusal is recorded before this returns. Raises Unavailable."""

    async def report(self, person: str, approval_id: int | None, signal: str, words: str) -> None:
        """Record that a person is `away` or `unreachable`; their open requests look again at whom to ask."""

    async def turn_down(self, refused: TurnedDown) -> None:
        """Record what came in and decides nothing, and tell its sender where `event` says so, unless told often."""

    async def person_at(self, address: str) -> Person | None:
        """The person of the directory with this mail address, whatever its case; disabled ones too."""

    async def person(self, person: str) -> Person:
        """Somebody of the directory by id."""

    async def request(self, approval_id: int) -> RequestView:
        """A request as it stands; raises NotFound."""
