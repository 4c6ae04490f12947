"""What all kinds of subjects have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from countersign.error_codes import ErrorCode
from countersign.errors import NotAllowed
from countersign.models import Question, Scope, Subject

Q = TypeVar("Q", bound=Question)


def why_not_in(gateway: str, scope: Scope, subject: Subject) -> NotAllowed | None:
    """Why a gateway of this scope may not ask for a subject; None if it may."""
    if subject.variant and scope.includes(subject.target, subject.variant):
        return None
    return NotAllowed(f"Gateway {gateway} does not ask for {subject}.", ErrorCode.OTHER_DEVICE)


@dataclass(frozen=True)
class SubjectKind(Generic[Q]):
    """One kind of subject: how its input is read, and how it is named; `routes.py` says who must agree.

    `question` is the model of the input, and gives its subject. `workflow` is the name of its workflow in Temporal;
    `example` is shown to whoever sent something else. `title` names a subject in a list or a line of plain text.
    `asked_by_engine`: only the engine asks, for what is registered with it. `why_not_in` says why a gateway may not
    ask for it.
    """

    name: str
    workflow: str
    question: type[Q]
    example: str
    title: Callable[[Subject], str] = lambda subject: " ".join(subject.fields.values())
    asked_by_engine: bool = False
    why_not_in: Callable[[str, Scope, Subject], NotAllowed | None] = why_not_in
