"""Turns whatever JSON somebody sent into a question, or into an error that says what to write instead."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from countersign.errors import BadQuestion
from countersign.kinds import KINDS, kind_named
from countersign.kinds.kind import Q, SubjectKind
from countersign.models import AS_BEFORE, LONGEST_PRINCIPAL, Model, PlainText, Question
from countersign.remedies import remedy

# Temporal refuses a failure of a few megabytes, and would retry the start for ever.
MOST_PROBLEMS = 10
LONGEST_PLACE = 60
# Messages list the fields in this order: the requester, what the kind adds, and the rest.
FIRST, REST = ("requester",), ("reason", "ticket", "source_address", "minutes", "renew")

M = TypeVar("M", bound=Model)


class _AskedBy(Model):
    """Who asks a question."""

    asked_by: PlainText = Field(default="", max_length=LONGEST_PRINCIPAL)


@dataclass(frozen=True)
class QuestionBy:
    """A question and who asks it: the requester, or an admin or gateway for them; "" if that is not given.

    `asked_by` is whoever called the portal, and never taken from what they sent; but whoever may write to the Temporal
    namespace may set it.
    """

    question: Question
    asked_by: str = ""

    def sent(self) -> dict[str, Any]:
        """As it is sent to a workflow: one JSON object."""
        return self.question.model_dump(mode="json") | {"asked_by": self.asked_by}


def read_question(raw: Any, called: Mapping[str, str] | None = None) -> Question:
    """Validate a question; BadQuestion names each wrong field, as `called` by the sender, and the remedy."""
    kind = kind_named(raw.get("kind") if isinstance(raw, dict) else None)
    if kind is None:
        raise BadQuestion(f"kind must be {' or '.join(KINDS)}.")
    question: Question = read_of(kind, raw, called)
    return question


def read_question_by(raw: Any, kind: SubjectKind[Any], as_before: bool = False) -> QuestionBy:
    """The same for one kind, with who asks, if given; `as_before`: `minutes` may be true, which means 1."""
    if not isinstance(raw, dict):
        return QuestionBy(read_of(kind, raw))
    by = read_as(_AskedBy, {name: value for name, value in raw.items() if name == "asked_by"})
    asked = {name: value for name, value in raw.items() if name != "asked_by"}
    return QuestionBy(read_as(kind.question, asked, as_before=as_before), by.asked_by)


def has_true_for_a_number(raw: Any) -> bool:
    """Whether it has a `true` that earlier versions took for 1: open requests may have been started with it."""
    return isinstance(raw, dict) and isinstance(raw.get("minutes"), bool)


def read_of(kind: SubjectKind[Q], raw: Any, called: Mapping[str, str] | None = None) -> Q:
    """Validate a question of this kind, as `read_question` does."""
    if not isinstance(raw, dict):
        raise BadQuestion(f"The input must be one JSON object such as {kind.example}.")
    return read_as(kind.question, raw, called)


def read_as(shape: type[M], raw: dict[str, Any], called: Mapping[str, str] | None = None, as_before: bool = False) -> M:
    """Validate what was sent; BadQuestion names each wrong field, as `called` by the sender, and the remedy."""
    try:
        return shape.model_validate(raw, context={AS_BEFORE: as_before})
    except ValidationError as error:
        own = (name for name in shape.model_fields if name not in Question.model_fields)
        remedies = {"extra_forbidden": f"is not a field; use {', '.join([*FIRST, *own, *REST])}"}
        problems = [
            f"{_place(one['loc'], called or {})} {remedy(one, remedies)}"
            for one in error.errors(include_url=False)[:MOST_PROBLEMS]
        ]
        raise BadQuestion("; ".join(problems) + ".") from None


def _place(path: tuple[int | str, ...], called: Mapping[str, str]) -> str:
    return ".".join(called.get(str(part), str(part)) for part in path)[:LONGEST_PLACE]
