"""whoami, health, reply explain: about oneself, the portal, and a mail."""

import typer
from rich.text import Text

from countersign.cli.exits import Code
from countersign.cli.options import DEFAULT_URL, AsJson, Token, Url, connect
from countersign.cli.output import show, show_json
from countersign.http_answers import Health

AWAY = "can't be reached"
YES, NO = ("✓", "green"), ("✗", "red")

commands = typer.Typer()


@commands.command()
def whoami(url: Url = DEFAULT_URL, token: Token = "", as_json: AsJson = False) -> None:
    """Say whose token this is, and what it is for."""
    with connect(url, token) as api:
        me = api.me()
    if as_json:
        show_json(me)
        return
    show(Text.assemble((me.name, "bold"), f", a {me.kind}", " and an admin" if me.admin else ""))
    if me.kind == "gateway":
        show(Text(f"  asks by {', '.join(me.protocols) or 'no protocol'} for {', '.join(me.devices) or 'no device'}"))


@commands.command()
def health(url: Url = DEFAULT_URL, token: Token = "", as_json: AsJson = False) -> None:
    """Say whether the portal, its database, Temporal and a worker are there."""
    with connect(url, token) as api:
        found = api.health()
    if as_json:
        show_json(found)
    else:
        for name, works, message in _parts(found):
            show(Text.assemble(YES if works else NO, f" {name}", "" if works else f" {message}"))
        for name, channel in found.channels.items():
            show(Text.assemble(YES if channel.ok else NO, f" {name}: {channel.message}"))
    if not (found.database and found.writable and found.temporal and found.worker):
        raise typer.Exit(Code.UNAVAILABLE)


def _parts(found: Health) -> list[tuple[str, bool, str]]:
    """Each part that was checked, whether it is well, and what to say where it is not."""
    no_database = "takes nothing that is written: a full disk, or a read-only one" if found.database else AWAY
    return [
        ("portal", True, ""),
        ("database", found.database and found.writable, no_database),
        ("Temporal", found.temporal, AWAY),
        ("worker", found.worker, "is missing: what is asked and answered waits until one runs again"),
    ]
