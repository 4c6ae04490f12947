"""gate wireguard, serve, install and check: let in who is approved, and nobody else."""

import logging
import signal
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from countersign.cli.exits import Code
from countersign.cli.gate_check import check
from countersign.cli.gate_install import install
from countersign.cli.options import DEFAULT_URL, AsJson, Token, Url, connect, seconds_of
from countersign.cli.output import json_text
from countersign.cli.times import now
from countersign.gates.protocol import CONFIG
from countersign.line_writer import LineWriter, as_line
from countersign.models import without_controls
from countersign.wireguard import interface_name

GRACE = "5m"
LONGEST_GRACE = timedelta(days=1)
STDOUT, STDERR = 1, 2

commands = typer.Typer(
    help="Set up, run and check gates, which let in only those who are approved.", no_args_is_help=True
)
commands.command()(install)
commands.command()(check)


@commands.command()
def wireguard(
    interface: Annotated[str, typer.Option(metavar="NAME", help="The interface whose peers to manage, such as wg0.")],
    grace: Annotated[
        str, typer.Option(metavar="DURATION", help="How long peers stay while the portal does not answer.")
    ] = GRACE,
    token_file: Annotated[Path | None, typer.Option(metavar="FILE", help="A file with the token.")] = None,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Keep the peers of an interface equal to the approved devices, and remove them all when stopped."""
    # Other commands need not load them.
    from countersign.gates.config import read_token
    from countersign.gates.wireguard import Gate

    name, seconds = interface_name(interface), seconds_of("--grace", grace, LONGEST_GRACE)
    if token_file is not None:
        token = read_token(token_file)
    with connect(url, token) as api, closing(LineWriter(STDOUT, _as_json if as_json else _as_text)) as output:
        gate = Gate(api, name, seconds, output.say)
        # The gate first finishes what it is doing; a second signal changes nothing.
        signal.signal(signal.SIGTERM, lambda *_: gate.end_by(typer.Exit(Code.OK)))
        signal.signal(signal.SIGINT, lambda *_: gate.end_by(KeyboardInterrupt()))
        gate.run()


@commands.command()
def serve(
    config: Annotated[Path, typer.Option(metavar="FILE", help="The gates' configuration.")] = Path(CONFIG),
) -> None:
    """Run the service that the gates of this host need, such as `countersign-gate ssh`, to let anybody in."""
    import asyncio

    from countersign.gates.config import read_config
    from countersign.gates.service import serve as serving

    with closing(LineWriter(STDERR)) as output:
        logging.basicConfig(format="%(message)s", handlers=[logging.StreamHandler(output)])
        logging.getLogger("countersign.gates").setLevel(logging.INFO)
        asyncio.run(serving(read_config(config)))


def _as_text(text: str) -> str:
    return as_line(without_controls(text))


def _as_json(text: str) -> str:
    return as_line(json_text({"at": now(), "words": text}, one_line=True))
