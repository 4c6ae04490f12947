"""devices, who-approves: what may be asked for, and who would have to agree."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from countersign.cli.completion import Device, How
from countersign.cli.exits import Code
from countersign.cli.options import AsJson, with_portal
from countersign.cli.output import show_result
from countersign.cli.tables import each
from countersign.http import Api

if TYPE_CHECKING:
    from countersign.who_approves import WhoApproves

LONGEST_LIST = 1000

commands = typer.Typer()


@commands.command()
@with_portal
def devices(
    api: Api,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="Only those whose id contains this.")] = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LONGEST_LIST, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the devices that you may ask to connect to, with their protocols."""
    found = api.devices(query, limit)
    lines = (Text.assemble((one.device, "bold"), f"  {', '.join(one.protocols)}") for one in found)
    show_result(found, each(lines, "There is no such device that you may ask for."), as_json)


@commands.command("who-approves")
@with_portal
def who_approves(
    api: Api,
    device: Device,
    protocol: How,
    for_: Annotated[str, typer.Option("--for", metavar="PERSON", help="Who would ask (default: you).")] = "",
    as_json: AsJson = False,
) -> None:
    """Show who would have to agree to a connection, and why. Asks nobody."""
    found = api.who_approves(device, protocol, for_)
    show_result(found, _page(found), as_json)
    raise typer.Exit(Code.NO if found.outcome in {"rejected", "refused"} else Code.OK)


def _page(found: "WhoApproves") -> Text:
    page = Text(found.message, style="bold")
    if found.confirm and found.levels:
        page.append("\nWho approves has to sign in again first.", style="default")
    for level in found.levels:
        needs = f", {level.needed} must agree" if level.asked else ": passed at once"
        own = "; the requester's own approval is counted" if level.own_approval else ""
        page.append(f"\nLevel {level.level}{needs}{own}", style="default")
        for one in level.asked:
            page.append(f"\n  {one.name}", style="default").append(f"  {one.because}", style="bright_black")
    return page
