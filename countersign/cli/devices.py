"""devices, who-approves: what may be asked for, and who would have to agree."""

from typing import Annotated

import typer
from rich.text import Text

from countersign.cli.completion import device_names
from countersign.cli.exits import Code
from countersign.cli.options import DEFAULT_URL, AsJson, Token, Url, connect
from countersign.cli.output import show, show_json
from countersign.kinds.connection import Protocol
from countersign.who_approves import WhoApproves

LONGEST_LIST = 1000

commands = typer.Typer()


@commands.command()
def devices(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="Only those with this in their id.")] = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LONGEST_LIST, help="How many at most.")] = 50,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """List the devices that you may ask to connect to, and by which protocols."""
    with connect(url, token) as api:
        found = api.devices(query, limit)
    if as_json:
        show_json(found)
        return
    for one in found:
        show(Text.assemble((one.device, "bold"), f"  {', '.join(one.protocols)}"))
    if not found:
        show(Text("There is no such device that you may ask for."))


@commands.command("who-approves")
def who_approves(
    device: Annotated[
        str, typer.Argument(metavar="DEVICE", help="What to connect to, by its id.", autocompletion=device_names)
    ],
    protocol: Annotated[
        Protocol, typer.Argument(metavar="PROTOCOL", case_sensitive=False, help=f"How: {', '.join(Protocol)}.")
    ],
    for_: Annotated[str, typer.Option("--for", metavar="PERSON", help="Who would ask; you, unless said.")] = "",
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Say who would have to agree to a connection, and why. Asks nobody."""
    with connect(url, token) as api:
        found = api.who_approves(device, protocol, for_)
    if as_json:
        show_json(found)
    else:
        show(_page(found))
    raise typer.Exit(Code.NO if found.outcome in {"rejected", "refused"} else Code.OK)


def _page(found: WhoApproves) -> Text:
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
