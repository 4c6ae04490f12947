"""What the engine needs of the database, as it knows it."""

from datetime import datetime
from typing import Any, Protocol

from countersign.directory import Policy
from countersign.errors import Refused
from countersign.models import Answer, Asked, Question
from countersign.notifications import Person, RejectedInput, SubmittedAnswer
from countersign.transitions import GrantEnd, RecordedTransition, Revoke, Transition
from countersign.views import Mine, RequestView


class AnswerBook(Protocol):
    """Where answers are stored."""

    def store(self, given: SubmittedAnswer, tell: bool) -> Answer:
        """Store an answer, once; one that could never count is refused, and `tell` has its sender told."""

    def refuse(self, answer_id: str, refusal: Refused, tell: bool) -> None:
        """Record why an answer didn't count."""

    def outcome(self, answer_id: str) -> tuple[str, str]:
        """The state and words of an answer."""

    def details(self, answer_id: str) -> dict[str, Any]:
        """What tells programs why an answer was refused."""

    def record_rejected(self, refused: RejectedInput) -> None:
        """Record what decides nothing."""

    def waiting(self, before: datetime) -> list[Answer]:
        """Answers that were never judged."""

    def counted(self, now: datetime) -> list[Answer]:
        """Answers that counted, of requests whose deadline lies ahead."""

    def counted_of(self, approval_id: int) -> list[Answer]:
        """The answers of a request that counted, in the order of its levels."""


class RequestReader(Protocol):
    """Where requests are read."""

    def request(self, approval_id: int) -> RequestView:
        """One request."""

    def workflow_of(self, approval_id: int) -> str:
        """The id of the workflow that decides a request."""

    def brought_about(self, approval_id: int, wish_id: str) -> bool:
        """Whether it was this very wish that cancelled the request, or ended its grant."""

    def waiting_after(self, approval_id: int, limit: int) -> list[tuple[int, str, str]]:
        """The next waiting requests above a number: each with the id and the run of its workflow."""

    def person_at(self, address: str) -> Person | None:
        """Who has this mail address."""

    def person(self, one: str) -> Person:
        """Somebody by id."""

    def policy(self) -> Policy:
        """The policy in force."""

    def mine(self, person: str) -> Mine:
        """The requests that somebody has something to do with."""

    def to_look_at(self) -> list[int]:
        """The waiting requests with people who were disabled, or can't be reached, since they were asked."""


class AskingBook(Protocol):
    """Where a question may be answered without a workflow."""

    def answer_on_record(self, question: Question, who: str, request_id: str) -> Asked | None:
        """Answer it by a grant that lasts, or by the request that was asked for too often for Temporal."""

    def write(self, step: Transition) -> RecordedTransition:
        """Write one change of a request."""


class GrantReader(Protocol):
    """Where grants are read."""

    def to_revoke(self) -> list[Revoke]:
        """The lasting grants that the policy in force ends: those of disabled people, and what it was said to end."""

    def end(self, end: GrantEnd) -> bool:
        """End a grant; False when it had ended already."""

    def overdue(self, before: datetime, limit: int) -> list[int]:
        """Grants that are Active though their end was before a moment."""


class SignalBook(Protocol):
    """Where signals about people are kept."""

    def add(self, person: str, approval_id: int | None, signal: str, words: str) -> None:
        """Record a signal."""
