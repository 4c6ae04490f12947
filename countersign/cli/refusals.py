"""Why an answer did not count: the checks that the record keeps with each refusal."""

import re
from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from countersign.cli import repeats
from countersign.views import AuditEventView

CHECK = re.compile(r"check (\d+): (.+)")
FAILED = "FAILED: "


def refusals(rows: Iterable[AuditEventView], *, whole: bool = False) -> list[RenderableType]:
    """Each refused answer, a repeated one once, with the checks that failed; `whole`: all answers, all checks."""
    rows = [row for row in rows if row.kind == "answer_refused"]
    shown = repeats.each(rows) if whole else repeats.folded(rows)
    return [_refusal(row, checks, often) for row, often, _ in shown if (checks := _checks(row, whole))]


def _refusal(row: AuditEventView, checks: list[tuple[str, str]], often: int) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold", style="bright_black")
    for name, saw in checks:
        mark = Text("✗", "red") if saw.startswith(FAILED) else Text("✓", "green")
        table.add_row(mark, name, Text(saw.partition(": ")[2]))
    last = f" (the last of {often})" if often > 1 else ""
    head = Text.assemble((row.name or row.who, "bold"), f" by {row.channel}{last}: {' '.join(row.detail.split())}")
    return Group(head, Padding(table, (0, 0, 0, 2)))


def _checks(row: AuditEventView, whole: bool) -> list[tuple[str, str]]:
    found = [(match, saw) for name, saw in row.proof.items() if (match := CHECK.fullmatch(name))]
    found = [(match, saw) for match, saw in found if whole or saw.startswith(FAILED)]
    return [(match[2], saw) for match, saw in sorted(found, key=lambda one: int(one[0][1]))]
