"""whoami, health: whose token this is, and whether the portal works."""

import typer
from rich.console import Group
from rich.text import Text

from countersign.cli.exits import Code
from countersign.cli.options import AsJson, with_portal
from countersign.cli.output import show_result
from countersign.cli.tables import mark
from countersign.http import Api
from countersign.http_answers import Health

AWAY = "can't be reached"

commands = typer.Typer()


@commands.command()
@with_portal
def whoami(api: Api, as_json: AsJson = False) -> None:
    """Show whose token this is; for a gateway's, also its devices and protocols."""
    me = api.me()
    page = Text.assemble((me.name, "bold"), f", a {me.kind}", " and an admin" if me.admin else "")
    if me.kind == "gateway":
        page.append(
            f"\n  asks by {', '.join(me.protocols) or 'no protocol'} for {', '.join(me.devices) or 'no device'}"
        )
    show_result(me, page, as_json)


@commands.command()
@with_portal
def health(api: Api, as_json: AsJson = False) -> None:
    """Check whether the portal, its database, Temporal and a worker can be reached."""
    found = api.health()
    parts = [
        mark(works).append(f" {name}{'' if works else f' {why}'}", "default") for name, works, why in _parts(found)
    ]
    parts += [mark(one.ok).append(f" {name}: {one.message}", "default") for name, one in found.channels.items()]
    show_result(found, Group(*parts), as_json)
    if not (found.database and found.writable and found.temporal and found.worker):
        raise typer.Exit(Code.UNAVAILABLE)


def _parts(found: Health) -> list[tuple[str, bool, str]]:
    """Each part that was checked, whether it works, and what to say if it doesn't."""
    no_database = "accepts no writes: its disk is full, or it is read-only" if found.database else AWAY
    return [
        ("portal", True, ""),
        ("database", found.database and found.writable, no_database),
        ("Temporal", found.temporal, AWAY),
        ("worker", found.worker, "is not running: requests and answers wait until one is"),
    ]
