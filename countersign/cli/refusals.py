"""Refused answers as a list, each with the checks that it failed."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from countersign.cli import repeats
from countersign.refused_checks import RecordedCheck, checks_of
from countersign.views import AuditEventView


def refusals(rows: Iterable[AuditEventView], *, whole: bool = False) -> list[RenderableType]:
    """Each refused answer, a repeated one once, with the checks that failed; `whole`: all answers, all checks."""
    rows = [row for row in rows if row.kind == "answer_refused"]
    shown = repeats.each(rows) if whole else repeats.folded(rows)
    return [_refusal(row, checks, often) for row, often, _ in shown if (checks := _checks(row, whole))]


def _refusal(row: AuditEventView, checks: list[RecordedCheck], often: int) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold", style="bright_black")
    for one in checks:
        table.add_row(Text("✓", "green") if one.passed else Text("✗", "red"), one.name, Text(one.saw))
    last = f" (the last of {often})" if often > 1 else ""
    head = Text.assemble((row.name or row.who, "bold"), f" by {row.channel}{last}: {' '.join(row.detail.split())}")
    return Group(head, Padding(table, (0, 0, 0, 2)))


def _checks(row: AuditEventView, whole: bool) -> list[RecordedCheck]:
    return [one for one in checks_of(row) if whole or not one.passed]
