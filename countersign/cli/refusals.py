"""Refused answers as a list, each with the checks that it failed."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.text import Text

from countersign.cli.repeats import folded
from countersign.cli.tables import grid, indented, mark
from countersign.http_answers import Check
from countersign.refused_checks import checks_of
from countersign.views import AuditEventView


def refusals(rows: Iterable[AuditEventView], *, whole: bool = False) -> list[RenderableType]:
    """The refused answers, repeats as one, with the checks that failed; `whole`: all answers and all checks."""
    rows = [row for row in rows if row.kind == "answer_refused"]
    shown = folded(rows, whole=whole)
    return [_refusal(row, checks, often) for row, often, _ in shown if (checks := _checks(row, whole))]


def _refusal(row: AuditEventView, checks: list[Check], often: int) -> RenderableType:
    table = grid(3)
    for one in checks:
        table.add_row(mark(one.passed), one.name, Text(one.saw, "bright_black"))
    last = f" (the last of {often})" if often > 1 else ""
    head = Text.assemble((row.name or row.who, "bold"), f" by {row.channel}{last}: {' '.join(row.detail.split())}")
    return Group(head, indented(table))


def _checks(row: AuditEventView, whole: bool) -> list[Check]:
    return [one for one in checks_of(row) if whole or not one.passed]
