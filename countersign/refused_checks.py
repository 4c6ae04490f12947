"""Why an answer did not count: the checks that the record keeps with each refusal."""

import re
from typing import NamedTuple

from countersign.views import AuditEventView

CHECK = re.compile(r"check (\d+): (.+)")
FAILED = "FAILED"


class RecordedCheck(NamedTuple):
    """One check of an answer: what it saw, and whether that was right."""

    name: str
    saw: str
    passed: bool


def checks_of(row: AuditEventView) -> list[RecordedCheck]:
    """The checks that a row of the record holds, in the order in which they were made."""
    found = [
        (int(match[1]), match[2], result) for name, result in row.proof.items() if (match := CHECK.fullmatch(name))
    ]
    return [_check(name, *result.partition(": ")) for _, name, result in sorted(found)]


def _check(name: str, outcome: str, _: str, saw: str) -> RecordedCheck:
    return RecordedCheck(name, saw, outcome != FAILED)
