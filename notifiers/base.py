"""The contract every channel keeps: notices out, answers in."""

from typing import Protocol

from countersign.errors import Unreachable
from countersign.models import Answer, Asked, Judgement, Question
from countersign.notifications import Notification, Person, RejectedInput, SubmittedAnswer
from countersign.views import Mine, RequestView

__all__ = [
    "Engine",
    "LiveNotifier",
    "Notification",
    "Notifier",
    "Person",
    "RejectedInput",
    "SubmittedAnswer",
    "Unreachable",
]


class Notifier(Protocol):
    """The way out of one channel."""

    async def send(self, notice: Notification) -> str:
        """Send it, in its own time limits; returns the channel's reference (a Message-ID).

        Raises Unreachable, Unconfirmed where it may have been sent, or Unavailable. It may be sent again after these.
        """


class LiveNotifier(Notifier, Protocol):
    """The way out of a channel whose messages can be changed: each goes on showing its request as it stands."""

    async def change(self, reference: str, notice: Notification) -> bool:
        """Bring a message up to date; False where it is gone for good. Raises Unavailable."""


class Engine(Protocol):
    """The one way back: what a channel hears goes through here and nowhere else."""

    async def ask(self, question: Question, who: str, request_id: str) -> Asked:
        """Open the request for a question, or join it, or be answered by a grant; raises Refused, Unavailable."""

    async def store(self, given: SubmittedAnswer) -> Answer:
        """Store the answer before anything else; raises Refused, recorded, where it could never count."""

    async def submit(self, answer: Answer) -> Judgement:
        """Have its request judge a stored answer; a refusal is recorded before this returns. Raises Unavailable."""

    async def cancel(
        self, approval_id: int, who: str, channel: str, words: str = "", *, wish_id: str = ""
    ) -> Judgement:
        """Withdraw a waiting request; raises NotAllowed, Refused, NotFound, Unavailable.

        The same `wish_id` again is the same wish, here and below: it hears what that brought about.
        """

    async def revoke(self, approval_id: int, who: str, channel: str, words: str = "", *, wish_id: str = "") -> None:
        """End a grant early; raises NotAllowed, Refused, NotFound, Unavailable."""

    async def give_back(self, approval_id: int, who: str, channel: str, words: str = "", *, wish_id: str = "") -> None:
        """End early a grant of one's own; raises NotAllowed, Refused, NotFound, Unavailable."""

    async def report(self, person: str, approval_id: int | None, signal: str, words: str) -> None:
        """Record that a person is `away` or `unreachable`; their open requests look again at whom to ask."""

    async def record_rejected(self, refused: RejectedInput) -> None:
        """Record what came in and decides nothing, and tell its sender where `event` says so, unless told often."""

    async def person_at(self, address: str) -> Person | None:
        """The person of the directory with this mail address, whatever its case; disabled ones too."""

    async def person(self, person: str) -> Person:
        """Somebody of the directory by id."""

    async def request(self, approval_id: int) -> RequestView:
        """A request as it stands; raises NotFound."""

    async def mine(self, person: str) -> Mine:
        """The requests that somebody has something to do with."""
