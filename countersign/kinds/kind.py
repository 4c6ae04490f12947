"""What all kinds of subjects have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from countersign.directory import Policy
from countersign.models import Question, Route, Subject

Q = TypeVar("Q", bound=Question)


@dataclass(frozen=True)
class SubjectKind(Generic[Q]):
    """One kind of subject: how its input is read, and who must agree.

    `question` is the form of the input, and says its subject. `route` says who must agree, and what an approval brings:
    a grant that lasts so long, none where that is 0; it raises Refused where the rules refuse the question.
    `workflow` is the name of its workflow in Temporal; `example` is shown to who sent something else. `title` names a
    subject in a list or a line of plain text.
    """

    name: str
    workflow: str
    question: type[Q]
    route: Callable[[Policy, Q], Route]
    example: str
    title: Callable[[Subject], str] = lambda subject: " ".join(subject.fields.values())
