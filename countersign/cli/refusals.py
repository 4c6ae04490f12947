"""Why an answer did not count: the checks that the record keeps with each refusal."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from countersign.views import LineView

CHECK = re.compile(r"check (\d+): (.+)")
FAILED = "FAILED: "


def refusals(rows: Iterable[LineView]) -> list[RenderableType]:
    """Each refused answer of a timeline with its checks, in the order they were made."""
    return [_refusal(row, checks) for row in rows if row.kind == "answer_refused" and (checks := _checks(row))]


def _refusal(row: LineView, checks: list[tuple[str, str]]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold", style="bright_black")
    for name, saw in checks:
        mark = Text("✗", "red") if saw.startswith(FAILED) else Text("✓", "green")
        table.add_row(mark, name, Text(saw.partition(": ")[2]))
    head = Text.assemble((row.who, "bold"), f" by {row.channel}: {' '.join(row.words.split())}")
    return Group(head, Padding(table, (0, 0, 0, 2)))


def _checks(row: LineView) -> list[tuple[str, str]]:
    found = [(match, saw) for name, saw in row.proof.items() if (match := CHECK.fullmatch(name))]
    return [(match[2], saw) for match, saw in sorted(found, key=lambda one: int(one[0][1]))]
