"""The kinds of subjects that may be asked for, each in its own module; docs/architecture.md says how to add one."""

from typing import Annotated, Any

from pydantic import BeforeValidator, GetJsonSchemaHandler, SerializeAsAny
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from countersign.kinds.connection import CONNECTION
from countersign.kinds.device import DEVICE
from countersign.kinds.kind import SubjectKind
from countersign.models import Question

KINDS: dict[str, SubjectKind[Any]] = {CONNECTION.name: CONNECTION, DEVICE.name: DEVICE}


def kind_named(name: object) -> SubjectKind[Any] | None:
    """The kind of this name; connections if there is no name, None for an unknown one."""
    return CONNECTION if name is None else KINDS.get(name) if isinstance(name, str) else None


def kind_of(question: Question) -> SubjectKind[Any]:
    """The kind of a question."""
    return KINDS[question.kind]


def title_of(question: Question) -> str:
    """What is asked for, as its kind names it in one line: `db-1 by ssh`."""
    return kind_of(question).title(question.subject)


def question_from(written: Any) -> Question:
    """A question as we stored it ourselves; ValueError if it isn't one.

    Unknown fields, which a newer version may have written, are ignored.
    """
    if isinstance(written, Question):
        return written
    if not isinstance(written, dict) or (kind := kind_named(written.get("kind"))) is None:
        raise ValueError("is no question of a known kind")
    question: Question = kind.question.model_validate(written, extra="ignore")
    return question


class _Described:
    """The JSON schema of a question of any kind."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        kinds = [handler(kind.question.__pydantic_core_schema__) for kind in KINDS.values()]
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}


# A question of any kind, as the field of a model.
AnyQuestion = Annotated[SerializeAsAny[Question], BeforeValidator(question_from), _Described]
