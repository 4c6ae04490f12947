"""What channels need of the engine."""

from datetime import datetime, timedelta
from typing import Literal, Protocol, TypeVar

from countersign.models import Answer, Asked, Judgement, Question
from countersign.notifications import MailRef, Person, RejectedInput, SubmittedAnswer, SubmittedComment
from countersign.permissions import Principal
from countersign.views import Mine, RequestView

EndedT = TypeVar("EndedT", covariant=True)
Proof = dict[str, str] | None
# What became of a mail.
Disposition = Literal["handled", "quarantined"]
# What the ledger answers a watcher that wants to handle a mail; "elsewhere": another holds it, and its lease lasts.
Claim = Literal["ours", "elsewhere", "handled", "quarantined"]


class Undo(Protocol[EndedT]):
    """Ends a request, or the grant that it opened."""

    async def __call__(
        self,
        approval_id: int,
        who: Principal,
        channel: str,
        reason: str = "",
        *,
        undo_id: str = "",
        proof: Proof = None,
    ) -> EndedT:
        """Raises NotAllowed, Refused, NotFound, Unavailable.

        A repeated call with the same `undo_id` returns the result of the first. `proof`: what shows that it is them,
        for the record.
        """


class Engine(Protocol):
    """What a channel calls with everything it receives."""

    async def ask(self, question: Question, who: Principal, request_id: str) -> Asked:
        """Open or join the request for a question, or be answered by a grant.

        Raises NotAllowed, Refused, Unavailable.
        """

    async def store_answer(self, submitted: SubmittedAnswer) -> Answer:
        """Store the answer before anything else; raises Refused, which is recorded, if it could never count."""

    async def submit(self, answer: Answer) -> Judgement:
        """Have its request judge a stored answer; a refusal is recorded before this returns. Raises Unavailable."""

    @property
    def cancel(self) -> Undo[Judgement]:
        """Withdraws a waiting request."""

    @property
    def revoke(self) -> Undo[None]:
        """Ends a grant early."""

    @property
    def give_back(self) -> Undo[None]:
        """Ends one's own grant early."""

    async def inquire(self, submitted: SubmittedComment) -> None:
        """Pass an approver's question on to the requester, once.

        Raises NotAllowed, Refused, NotFound, TooMany, Unavailable.
        """

    async def comment(self, submitted: SubmittedComment) -> None:
        """Pass the requester's comment on to those asked now who haven't answered yet, once; raises the same."""

    async def report(self, person: str, approval_id: int | None, signal: str, detail: str) -> None:
        """Record that a person is `away` or `unreachable`; their open requests check again whom to ask."""

    async def record_rejected(self, refused: RejectedInput) -> None:
        """Record input that decides nothing; notify its sender if `event` says so and they weren't notified often."""

    async def person_at(self, address: str) -> Person | None:
        """The person of the directory with this mail address, whatever its case; disabled ones too."""

    async def person(self, person: str) -> Person:
        """Somebody of the directory by id."""

    async def principal(self, person: str) -> Principal:
        """Somebody as a principal, by the policy in force, to check what they may do."""

    async def request(self, approval_id: int) -> RequestView:
        """A request as it is now; raises NotFound."""

    async def mine(self, person: str, limit: int) -> Mine:
        """The requests that concern a person, at most `limit` in each list."""


class Ledger(Protocol):
    """How far each inbox was read, and which mail was handled, kept across restarts.

    Each call is one transaction; any may raise Unavailable.
    """

    def looking(self, inbox: str, at: datetime) -> None:
        """Note, every few seconds, that somebody looks at the inbox now, whether or not it can be read.

        An expiry waits for an inbox that can't be read only while somebody looks, and not for long.
        """

    def read_through(self, inbox: str, at: datetime) -> None:
        """Note that everything that had arrived before `at`, by our clock, has been dealt with."""

    def claim(self, mail: MailRef, lease: timedelta) -> Claim:
        """Claim a mail, atomically: only one caller gets `ours`, until it marks or releases the mail, or is late.

        A claim that is neither marked nor released ends with its `lease`: its watcher is taken for dead.
        """

    def release(self, mail: MailRef) -> None:
        """Give a claim back; the mail will be tried again."""

    def mark_handled(self, mail: MailRef, disposition: Disposition, why: str = "") -> None:
        """Record for good what became of a claimed mail; `why` is for people."""
