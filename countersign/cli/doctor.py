"""doctor: the findings of all checks, the problems first."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from countersign.cli.exits import Code
from countersign.cli.options import DEFAULT_URL, AsJson, Token, Url, connect
from countersign.cli.output import console, show_result
from countersign.cli.tables import grid
from countersign.gates.protocol import CONFIG
from countersign.views import Finding

MARKS = {"problem": ("✗", "red"), "warning": ("!", "yellow"), "ok": ("✓", "green")}
LOOKING = "Looking at every part, for ten seconds at most ..."

commands = typer.Typer()


@commands.command()
def doctor(
    gate: Annotated[bool, typer.Option("--gate", help="Check the gates of this host instead, as root.")] = False,
    config: Annotated[Path, typer.Option(metavar="FILE", help="With --gate: the gates' configuration.")] = Path(CONFIG),
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Check this installation, and say what is wrong and what to do about it. Admins only."""
    # In a terminal, a spinner on standard error: standard output gets only the findings.
    with console(stderr=True).status(LOOKING):
        found = _of_gates(config) if gate else _of_installation(url, token)
    tell(found, as_json)


def tell(found: Sequence[Finding], as_json: bool) -> None:
    """Print what was found; problems end the command with 1."""
    show_result(found, page(found), as_json)
    if any(one.state == "problem" for one in found):
        raise typer.Exit(Code.NO)


def _of_installation(url: str, token: str) -> list[Finding]:
    with connect(url, token) as api:
        return api.doctor()


def _of_gates(config: Path) -> list[Finding]:
    # The portal's checks need not load it.
    from countersign.gates.host_checks import findings

    return findings(config)


def page(found: Sequence[Finding]) -> RenderableType:
    """The findings, in the order given, and how many problems and warnings there are."""
    table = grid(4)
    for one in found:
        dim = "bright_black" if one.state == "ok" else "default"
        about = "" if one.about == one.part else one.about
        table.add_row(Text(*MARKS[one.state]), Text(one.part, dim), Text(about, dim), Text(one.message, dim))
    return Group(table, _summary(found))


def _summary(found: Sequence[Finding]) -> Text:
    counts = Counter(one.state for one in found)
    counted = [
        f"{counts[state]} {state}{'s' * (counts[state] > 1)}" for state in ("problem", "warning") if counts[state]
    ]
    style = "red" if counts["problem"] else "yellow" if counted else "green"
    return Text(f"{' and '.join(counted) or 'All is well'}.", f"bold {style}")
