"""The policy file: YAML in, a checked Policy out, every mistake named with its line."""

import difflib
from collections.abc import Container, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from countersign.directory import (
    CHANNELS,
    ApprovalWorkflow,
    DeviceGroup,
    Policy,
    RegisteredDeviceRules,
    Role,
    User,
    UserGroup,
)
from countersign.enrolment.rules import EnrolmentRule, Selectors
from countersign.enrolment.warnings import warnings as enrolment_warnings
from countersign.errors import BadPolicy
from countersign.models import LevelRule
from countersign.policy.check import channels_not_set_up, problems
from countersign.policy.repair import repaired
from countersign.remedies import remedy
from countersign.yaml_lines import (
    LARGEST_FILE_BYTES,
    LONGEST_SHOWN,
    MOST_PROBLEMS,
    Document,
    Mistake,
    Path,
    folded,
    messages_of,
    read,
    text_of,
)

__all__ = ["LARGEST_FILE_BYTES", "load", "text_of"]

APPROVER_FORMS = "{managers_of: GROUP}, {members_of: GROUP}, {user: PERSON}, line_manager or admins"

# Messages for pydantic's kinds of error in a policy, where those of countersign.remedies don't fit.
MESSAGES = {
    "string_type": "is empty or not text; give it a value, or leave the line out",
    "string_too_short": "is empty; give it a value",
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
NO_POLICY = "is a {kind}, not a policy; begin with `users:`, and write everybody indented below it"

# The model at each place, by the path without ids and numbers: to say which field was meant.
MODELS: dict[tuple[str | int, ...], type[BaseModel]] = {
    (): Policy,
    ("users",): User,
    ("user_groups",): UserGroup,
    ("device_groups",): DeviceGroup,
    ("approval_workflows",): ApprovalWorkflow,
    ("roles",): Role,
    ("registered_devices",): RegisteredDeviceRules,
    ("approval_workflows", "levels"): LevelRule,
    ("enrolment",): EnrolmentRule,
    **{("enrolment", part): Selectors for part in ("include", "require", "exclude")},
}


def load(file: str | bytes) -> Policy:
    """Read a policy file; BadPolicy lists each problem as `line 12: users.grace.email: what; remedy`."""
    return load_with_places(file)[0]


def load_with_places(file: str | bytes) -> tuple[Policy, Document]:
    """Read a policy file as `load` does; returns the places of everything in it, too."""
    document = read(text_of(file) if isinstance(file, bytes) else file)
    policy, found = _validated(document)
    if not found and policy is not None:
        return policy, document
    raise BadPolicy(messages_of(found), len(found))


def warnings(policy: Policy, document: Document, set_up: Container[str] = CHANNELS) -> list[str]:
    """What is allowed in the file but surely not meant, or does not work with these channels; by line."""
    found = [*enrolment_warnings(policy), *channels_not_set_up(policy, set_up)]
    return messages_of(document.mistake(*problem) for problem in found)


class _Wrong(NamedTuple):
    """Pydantic's error for one place; None for an approver that fits none of the forms."""

    path: Path
    error: ErrorDetails | None


def _validated(document: Document) -> tuple[Policy | None, list[Mistake]]:
    """The policy, if one could be read, and every mistake in YAML, form or meaning; one for each place."""
    mistakes = list(document.mistakes)
    twice = [mistake.path for mistake in mistakes]
    wrong: list[_Wrong] = []
    policy: Policy | None = None
    try:
        policy = Policy.model_validate(document.value)
    except ValidationError as error:
        wrong = list(_by_place(error.errors(include_url=False)))
        mistakes += _elsewhere(_of_form(document, wrong), twice)
    known = [*twice, *(one.path for one in wrong)]
    if known:
        policy = repaired(document.value, (one.path for one in wrong), twice) if len(known) <= MOST_PROBLEMS else None
    if policy is not None:
        of_meaning = (document.mistake(*problem) for problem in problems(policy, whole=not known))
        mistakes += _elsewhere(of_meaning, known)
    return policy, mistakes


def _elsewhere(found: Iterable[Mistake], known: Iterable[Path]) -> list[Mistake]:
    """The mistakes that are neither in nor around a place that is known to be wrong: one mistake gets one message."""
    paths = [_as_compared(path) for path in known]
    wrong, around = set(paths), {path[:n] for path in paths for n in range(1, len(path))}
    return [one for one in found if not _is_near(_as_compared(one.path), wrong, around)]


def _is_near(path: Path, wrong: Container[Path], around: Container[Path]) -> bool:
    return path in around or any(path[:n] in wrong for n in range(len(path) + 1))


def _as_compared(path: Path) -> Path:
    return tuple(folded(part) if isinstance(part, str) else part for part in path)


def _by_place(errors: Iterable[ErrorDetails]) -> Iterator[_Wrong]:
    """One error for each place: for an approver, pydantic reports for every form why it does not fit."""
    for approver, group in groupby(errors, key=_approver):
        if approver is not None:
            yield _of_approver(approver, list(group))
        else:
            for error in group:
                yield _Wrong(tuple(part for part in error["loc"] if part != "[key]"), error)


def _approver(error: ErrorDetails) -> Path | None:
    loc = error["loc"]
    end = loc.index("approvers", 3) + 2 if "approvers" in loc[3:] else len(loc)
    return loc[:end] if len(loc) > end else None


def _of_approver(path: Path, errors: list[ErrorDetails]) -> _Wrong:
    for _, form in groupby(errors, key=lambda error: error["loc"][len(path)]):
        found = list(form)
        # The form that was meant has its field, and no other; only the value is wrong.
        if all(error["type"] in {"value_error", "string_type"} for error in found):
            return _Wrong((*path, *found[0]["loc"][len(path) + 1 :]), found[0])
    return _Wrong(path, None)


def _of_form(document: Document, wrong: Iterable[_Wrong]) -> list[Mistake]:
    """The mistakes; only the first of them get a message, as a hostile file may have one in every byte."""
    placed = sorted(((document.mistake(one.path, ""), one.error) for one in wrong), key=lambda pair: pair[0][:2])
    shown, rest = placed[:MOST_PROBLEMS], placed[MOST_PROBLEMS:]
    fields = {place.path: _field_meant(place.path) for place, error in shown if _is(error, "extra_forbidden")}
    misspelt = {(*path[:-1], meant) for path, meant in fields.items() if meant}
    described = [
        place._replace(message=_message(place.path, error, fields.get(place.path, "")))
        for place, error in shown
        if not (_is(error, "missing") and place.path in misspelt)
    ]
    return described + [place for place, _ in rest]


def _is(error: ErrorDetails | None, kind: str) -> bool:
    return error is not None and error["type"] == kind


def _field_meant(path: Path) -> str:
    """The field that was probably meant by the last part of a path, or nothing."""
    model = MODELS.get(path[:-1:2])
    written = str(path[-1])[:LONGEST_SHOWN]
    return next(iter(difflib.get_close_matches(written, model.model_fields, 1) if model else []), "")


def _message(path: Path, error: ErrorDetails | None, meant: str) -> str:
    if error is None:
        return f"is not an approver; use {APPROVER_FORMS}"
    if error["type"] == "extra_forbidden":
        return f"is not a field here; did you mean {meant}?" if meant else _not_a_field(error)
    if not path and error["type"] == "model_type":
        return NO_POLICY.format(kind="list" if isinstance(error["input"], list) else "text")
    return remedy(error, MESSAGES)


def _not_a_field(error: ErrorDetails) -> str:
    # What stands behind a comma in `{name: Hopper, Grace}` is read as a field without a value.
    comma = "" if error["input"] else ", or put the value before it in quotes if its comma belongs to it"
    return f"is not a field here; remove it{comma}"
