"""connect: starts the person's own client through a gate, which asks, says what it waits for, and lets it in."""

import re
import webbrowser
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from countersign.cli import own_files, programs, rdp_client
from countersign.cli.completion import Device, How
from countersign.cli.options import DEFAULT_URL, Token, Url, connect, person
from countersign.cli.output import console
from countersign.errors import BadQuestion, CountersignError, Unavailable
from countersign.kinds.connection import ConnectionProtocol
from countersign.models import GATEWAY, Status, Subject
from countersign.question import read_question

# The file that keeps the bastion that was named last.
BASTION = "bastion"
# A host for ssh, which neither ssh nor the shell that runs a ProxyCommand can take for anything else.
HOST = re.compile(r"(ssh://)?[A-Za-z0-9_][A-Za-z0-9_.@:-]{0,252}")
NO_BASTION = "--bastion is missing: name the SSH host that leads to devices, such as bastion.example.com."
# A gate tells these two apart only by the port. If a device has both at one port, gate.toml names only one of them, and
# the gate asks for that one.
BY_SSH = {ConnectionProtocol.SSH.value, ConnectionProtocol.SFTP.value}
GAVE_UP = "Ctrl-C, before it was decided."

commands = typer.Typer()


@commands.command("connect")
def connect_to(
    device: Device,
    protocol: How = ConnectionProtocol.SSH,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="-- ARGUMENTS", help="More arguments for your client, after `--`.")
    ] = None,
    bastion: Annotated[
        str,
        typer.Option(
            metavar="HOST",
            envvar="COUNTERSIGN_BASTION",
            show_default=False,
            help="The SSH host that leads to the devices; remembered for the next time.",
        ),
    ] = "",
    client: Annotated[
        str,
        typer.Option(metavar="COMMAND", help="Your RDP client; {} becomes the address and port.", show_default=False),
    ] = "",
    port: Annotated[int, typer.Option(metavar="N", min=1, max=65535, help="The device's port for rdp.")] = 3389,
    address: Annotated[str, typer.Option(metavar="URL", help="The application's address, for http.")] = "",
    url: Url = DEFAULT_URL,
    token: Token = "",
) -> None:
    """Connect with your own client, through a gate that asks for you, waits, and lets you in.

    Ctrl-C while it waits withdraws the request.
    """
    asked = {"requester": "anybody", "device": device, "protocol": protocol}
    subject = read_question(asked, {"device": "DEVICE"}).subject
    if protocol is ConnectionProtocol.HTTP:
        _open(address or f"https://{subject.target}/")
        return
    host = _bastion(bastion)
    try:
        if protocol is ConnectionProtocol.RDP:
            code = rdp_client.run(host, subject.target, port, client, arguments or [])
        else:
            code = programs.run(_ssh(host, subject.target, protocol, arguments or []))
    except KeyboardInterrupt:
        _withdraw(url, token, subject)
        raise
    raise typer.Exit(code)


def _ssh(bastion: str, device: str, protocol: ConnectionProtocol, more: Sequence[str]) -> list[str]:
    """The client's command: ssh takes options and a command after the device, sftp takes only options, before it."""
    through = ["-o", f"ProxyCommand=ssh -T {bastion} {device} %p"]
    return ["ssh", *through, device, *more] if protocol is ConnectionProtocol.SSH else ["sftp", *through, *more, device]


def _bastion(named: str) -> str:
    """The bastion that was named, which is kept, or the one kept before. Raises BadQuestion if there is none."""
    host = named.strip() or own_files.read(BASTION).strip()
    if not HOST.fullmatch(host):
        raise BadQuestion(f"{host[:40]!r} is not an SSH host name. {NO_BASTION}" if host else NO_BASTION)
    if named.strip() and host != own_files.read(BASTION).strip():
        own_files.write(BASTION, f"{host}\n")
    return host


def _open(address: str) -> None:
    if not address.startswith(("https://", "http://")):
        raise BadQuestion("--address must be the application's address, such as https://grafana.example.com.")
    console(stderr=True).print(Text(f"Opening {address}; the page there asks, and lets you in."))
    if not webbrowser.open(address):
        raise Unavailable(f"No browser was found. Open {address} in yours.")


def _withdraw(url: str, token: str, subject: Subject) -> None:
    """Cancel what a gate asked for the person logged in here; the gate itself would only do so a while later."""
    try:
        with connect(url, token) as api:
            waiting = api.requests(Status.WAITING, requester=person(api.me(), ""))
            for view in waiting:
                same = {subject.variant, view.subject.variant} in ({subject.variant}, BY_SSH)
                if same and view.subject.target == subject.target and view.asked_by.startswith(GATEWAY):
                    api.cancel(view.approval_id, GAVE_UP)
                    console(stderr=True).print(Text(f"#{view.approval_id} is withdrawn."))
    except CountersignError as error:
        console(stderr=True).print(Text(f"The gate withdraws the request, if one waits, within a minute. ({error})"))
