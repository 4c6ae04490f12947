"""The tables of the pages in a terminal."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text


def listing(*folded: str) -> Table:
    """A table with these columns, whose text wraps; more columns may be added after them."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bright_black")
    for name in folded:
        table.add_column(name, overflow="fold")
    return table


def grid(columns: int, style: str = "") -> Table:
    """Columns without headings; text wraps in all but the first, which has this style."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style=style)
    for _ in range(columns - 1):
        table.add_column(overflow="fold")
    return table


def mark(is_well: bool) -> Text:
    """Whether something is as it should be."""
    return Text("✓", "green") if is_well else Text("✗", "red")


def indented(part: RenderableType, by: int = 2) -> Padding:
    """Something that belongs to the line above it."""
    return Padding(part, (0, 0, 0, by))


def each(parts: Iterable[Text], otherwise: str) -> Group:
    """The parts one below the other; if there are none, what to say instead."""
    return Group(*(list(parts) or [Text(otherwise)]))


def labelled(rows: Iterable[tuple[str, str | Text]], indent: int = 2) -> Padding:
    """Values, each after its label; they are not read as markup."""
    table = grid(2, "bright_black")
    for label, value in rows:
        table.add_row(label, Text(value) if isinstance(value, str) else value)
    return indented(table, indent)
