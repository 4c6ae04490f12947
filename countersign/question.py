"""From whatever JSON somebody sent to a question, or to words that say what to write instead."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from countersign.errors import BadQuestion
from countersign.models import Question, QuestionBy
from countersign.remedies import remedy

EXAMPLE = '{"requester": "alice", "device": "db-1", "protocol": "ssh", "reason": "..."}'
# Temporal takes no failure of some megabytes, and would try the start again for ever.
MOST_PROBLEMS = 10
LONGEST_PLACE = 60
# What is said of a question alone.
REMEDIES = {"extra_forbidden": f"is not a field; use {', '.join(Question.model_fields)}"}

Q = TypeVar("Q", bound=Question)


def read_question(raw: Any, called: Mapping[str, str] | None = None) -> Question:
    """Validate a question; BadQuestion names each field that is wrong, as it is `called` there, and the remedy."""
    return _read(raw, Question, called)


def read_question_by(raw: Any) -> QuestionBy:
    """The same with who puts it, where that is said."""
    return _read(raw, QuestionBy)


def _read(raw: Any, shape: type[Q], called: Mapping[str, str] | None = None) -> Q:
    if not isinstance(raw, dict):
        raise BadQuestion(f"The input must be one JSON object such as {EXAMPLE}.")
    try:
        return shape.model_validate(raw)
    except ValidationError as error:
        problems = [
            f"{_place(one['loc'], called or {})} {remedy(one, REMEDIES)}"
            for one in error.errors(include_url=False)[:MOST_PROBLEMS]
        ]
        raise BadQuestion("; ".join(problems) + ".") from None


def _place(path: tuple[int | str, ...], called: Mapping[str, str]) -> str:
    return ".".join(called.get(str(part), str(part)) for part in path)[:LONGEST_PLACE]
