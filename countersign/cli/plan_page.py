"""What applying a policy would do, shown to people before it is done."""

import sys

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from countersign.cli.tables import grid, indented
from countersign.console import console
from countersign.errors import BadQuestion
from countersign.policy.changes import Part
from countersign.policy.plan import LOSES_ADMIN, NOTHING, PolicyPlan

# The most items of a kind that are shown; the plan in JSON has more.
MOST_SHOWN = 20
UNCONFIRMED = (
    "This policy takes something away, and there is no terminal here to confirm it on. "
    "Read what it does, then add --yes."
)


def page(plan: PolicyPlan, end_grants: bool) -> RenderableType:
    """The plan; what it takes away is red."""
    rows: list[RenderableType] = [_part(part, end_grants) for part in plan.parts]
    if not rows:
        rows.append(Text(NOTHING))
    if plan.author_loses_admin:
        rows.append(Text(LOSES_ADMIN, "bold red"))
    rows += [Text(f"Warning: {warning}", "yellow") for warning in plan.warnings]
    return Group(*rows)


def confirmed(plan: PolicyPlan) -> bool:
    """Whether the person at the terminal confirms the plan. Raises BadQuestion if there is no terminal."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadQuestion(UNCONFIRMED)
    if typer.confirm(f"Apply it as version {plan.version + 1}?", err=True):
        return True
    console(stderr=True).print("Nothing was changed.")
    return False


def _part(part: Part, end_grants: bool) -> RenderableType:
    heading = Text(part.heading, "bold red" if part.takes_away else "bold")
    if part.kind == "grants_not_given":
        heading.append("; they end" if end_grants else "; they continue (--end-grants ends them)", "default")
    table = grid(2)
    for item in part.items[:MOST_SHOWN]:
        name = f"#{item.approval_id} {item.name}" if item.approval_id else item.name
        table.add_row(Text(name), Text(item.description))
    more = part.total - min(len(part.items), MOST_SHOWN)
    rest = [indented(Text(f"and {more} more", "bright_black"))] if more else []
    return Group(heading, indented(table), *rest)
