"""The policy file: YAML in, a checked Policy out, every mistake named with its line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from countersign.directory import ApprovalWorkflow, DeviceGroup, Policy, User, UserGroup
from countersign.errors import BadPolicy
from countersign.models import LevelRule
from countersign.policy_check import Problem, problems
from countersign.yaml_lines import Lines, Path, dotted, first_of, read

APPROVER_FORMS = "{managers_of: GROUP}, {members_of: GROUP}, {user: PERSON} or line_manager"

# pydantic's kinds of error in the words of the policy; anything else keeps pydantic's own.
WORDS = {
    "missing": "is missing; add it",
    "string_type": "is empty or not text; give it a value, or leave the line out",
    "string_too_short": "is empty; give it a value",
    "string_too_long": "is too long; use at most {max_length} characters",
    "bool_parsing": "is not true or false; write one of the two",
    "bool_type": "is not true or false; write one of the two",
    "int_parsing": "is not a whole number; write one",
    "int_type": "is not a whole number; write one",
    "greater_than_equal": "is too small; use {ge} or more",
    "less_than_equal": "is too large; use {le} or less",
    "literal_error": "is not known; use {expected}",
    "too_short": "is empty; name at least {min_length}",
    "model_type": "has no fields; write them indented below it as `field: value`",
    "dict_type": "has no entries; write them indented below it as `name: value`, or {{}} for none",
    "list_type": "is not a list; write each entry on a line that begins with `- `, or [] for none",
}

# What may stand at a place, by the path without ids and numbers: to say which field was meant.
MODELS: dict[tuple[str | int, ...], type[BaseModel]] = {
    (): Policy,
    ("users",): User,
    ("user_groups",): UserGroup,
    ("device_groups",): DeviceGroup,
    ("approval_workflows",): ApprovalWorkflow,
    ("approval_workflows", "levels"): LevelRule,
}


def load(text: str) -> Policy:
    """Read a policy file; BadPolicy lists each problem as `line 12: users.grace.email: what; remedy`."""
    document, lines = read(text)
    try:
        policy = Policy.model_validate(document)
    except ValidationError as error:
        raise BadPolicy(_with_lines(_from_pydantic(error.errors()), lines)) from error
    if found := problems(policy):
        raise BadPolicy(_with_lines(found, lines))
    return policy


def schema() -> dict[str, Any]:
    """The JSON Schema of the policy file, for editors; published as docs/policy.schema.json."""
    published = Policy.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **published, "title": "Countersign policy"}


def _with_lines(found: Iterable[Problem], lines: Lines) -> list[str]:
    placed = sorted(((lines.of(problem.path), problem) for problem in found), key=lambda one: one[0])
    return first_of([f"line {line}: {dotted(problem.path) or 'the file'}: {problem.words}" for line, problem in placed])


def _problem(error: ErrorDetails) -> Problem:
    path = tuple(part for part in error["loc"] if part != "[key]")
    return Problem(path, _words(error, path))


def _words(error: ErrorDetails, path: Path) -> str:
    context = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context["error"])
    if error["type"] == "extra_forbidden":
        return _not_a_field(path)
    return WORDS[error["type"]].format(**context) if error["type"] in WORDS else error["msg"]


def _not_a_field(path: Path) -> str:
    model = MODELS.get(path[:-1:2])
    meant = difflib.get_close_matches(str(path[-1]), model.model_fields, 1) if model else []
    return f"is not a field here; did you mean {meant[0]}?" if meant else "is not a field here; remove it"


def _from_pydantic(errors: Iterable[ErrorDetails]) -> Iterator[Problem]:
    """The errors as problems; pydantic tries every form of an approver, and says of each why it does not fit."""
    for approver, group in groupby(errors, key=_approver):
        if approver is None:
            yield from map(_problem, group)
        else:
            yield _of_approver(approver, list(group))


def _approver(error: ErrorDetails) -> Path | None:
    loc = error["loc"]
    return loc[:6] if len(loc) > 6 and loc[4] == "approvers" else None


def _of_approver(path: Path, errors: list[ErrorDetails]) -> Problem:
    for _, form in groupby(errors, key=lambda error: error["loc"][6]):
        found = list(form)
        # The form that was meant has its field, and no other; only the value is wrong.
        if all(error["type"] in {"value_error", "string_type"} for error in found):
            return Problem((*path, *found[0]["loc"][7:]), _words(found[0], path))
    return Problem(path, f"is no approver; use {APPROVER_FORMS}")
