"""gate check: says what a gateway does right, and what its author has to do."""

import shlex
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from countersign.cli import doctor
from countersign.cli.files import content
from countersign.cli.options import DEFAULT_URL, AsJson, Token, Url, connect, seconds_of
from countersign.cli.output import console
from countersign.errors import BadQuestion
from countersign.models import canonical_id

LONGEST = timedelta(hours=1)
GREETING = b"countersign gate check\r\n"


def check(
    *,
    address: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS",
            help="Where the gateway lets people in: tcp://HOST:PORT, http://... or https://...",
            show_default=False,
        ),
    ] = "",
    device: Annotated[str, typer.Option(metavar="DEVICE", help="The device that the gateway asks for.")],
    protocol: Annotated[str, typer.Option(metavar="PROTOCOL", help="The protocol that it asks for, such as ssh.")],
    person: Annotated[str, typer.Option(metavar="PERSON", help="The person that it asks for.")],
    client: Annotated[
        str,
        typer.Option(
            metavar="COMMAND",
            help="Instead of ADDRESS: a command that connects, and prints what it receives.",
            show_default=False,
        ),
    ] = "",
    send: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What the client sends first, over TCP (default: a line of text)."),
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option(metavar="NAME: VALUE", help="A header to send, over HTTP; may be repeated.")
    ] = None,
    patience: Annotated[
        str, typer.Option(metavar="DURATION", help="How long the gateway may take for each step.")
    ] = "30s",
    gone_within: Annotated[
        str, typer.Option(metavar="DURATION", help="How long a request may stay open after its person has left.")
    ] = "150s",
    person_token: Annotated[
        str,
        typer.Option(
            metavar="TOKEN",
            envvar="COUNTERSIGN_PERSON_TOKEN",
            help="The person's own token, if people ask at the portal themselves: the check then asks with it.",
            show_default=False,
        ),
    ] = "",
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Check a gateway: connect as a person would, then approve, revoke and reject with an approver's token."""
    from countersign.gates.gateway_check import Check, Wants
    from countersign.gates.gateway_connections import GatewayAddress

    greeting = GREETING if send is None else content(send)
    if bool(address) == bool(client):
        raise BadQuestion("Give either the gateway's address or --client, the command that connects to it.")
    at = GatewayAddress(address, greeting, dict(_header(one) for one in header or []), _split(client))
    wants = Wants(_id("--person", person), _id("--device", device), protocol.lower())
    seconds = [seconds_of(*one, LONGEST) for one in (("--patience", patience), ("--gone-within", gone_within))]
    with connect(url, token) as api, ExitStack() as stack:
        person_api = stack.enter_context(connect(url, person_token)) if person_token else None
        with console(stderr=True).status("Connecting ..."):
            found = Check(api, at, wants, seconds[0], seconds[1], person_api).run()
    doctor.tell(found, as_json)


def _split(typed: str) -> list[str]:
    try:
        return shlex.split(typed)
    except ValueError as error:
        raise BadQuestion(f"--client is not a command ({error}).") from None


def _header(typed: str) -> tuple[str, str]:
    name, colon, value = typed.partition(":")
    if not (colon and name.strip() and typed.isascii() and typed.isprintable()):
        raise BadQuestion("--header must be NAME: VALUE, such as 'Cookie: session=...'.")
    return name.strip(), value.strip()


def _id(option: str, typed: str) -> str:
    try:
        return canonical_id(typed)
    except ValueError as error:
        raise BadQuestion(f"{option}: {error}.") from None
