"""Why an answer did not count: the checks that the record keeps with each refusal."""

import re

from countersign.http_answers import Check
from countersign.views import AuditEventView

CHECK = re.compile(r"check (\d+): (.+)")
FAILED = "FAILED"


def checks_of(row: AuditEventView) -> list[Check]:
    """The checks that a row of the record holds, in the order in which they were made."""
    found = [
        (int(match[1]), match[2], result.partition(": "))
        for name, result in row.proof.items()
        if (match := CHECK.fullmatch(name))
    ]
    return [
        Check(name=name, saw=saw, passed=outcome != FAILED, reason="") for _, name, (outcome, _, saw) in sorted(found)
    ]
