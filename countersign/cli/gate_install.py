"""gate install: the files that set a gate up on this host, printed or written."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from countersign.cli.options import AsJson
from countersign.cli.output import console, show, show_json
from countersign.gates.protocol import CONFIG

if TYPE_CHECKING:
    from countersign.gates.install import File

GROUP = "countersign"


class Kind(StrEnum):
    """What is set up: the gate service alone, or with what asks it."""

    SERVICE = "service"
    SSH = "ssh"
    PAM = "pam"
    HTTP = "http"


class Proxy(StrEnum):
    """A reverse proxy that we have files for."""

    NGINX = "nginx"
    CADDY = "caddy"


def install(
    gate: Annotated[
        Kind, typer.Argument(metavar="GATE", help="What to set up: ssh, pam, http, or service: the gate service alone.")
    ],
    write: Annotated[bool, typer.Option("--write", help="Write the files, as root, instead of showing them.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also overwrite files that somebody changed.")] = False,
    group: Annotated[
        str, typer.Option(metavar="NAME", help="The Unix group of the people who connect by SSH.")
    ] = GROUP,
    proxy: Annotated[
        Proxy, typer.Option(metavar="NAME", help="The proxy in front of web applications: nginx or caddy.")
    ] = Proxy.NGINX,
    no_relay: Annotated[
        bool, typer.Option("--no-relay", help="Have the proxy reach web applications itself, without the gate service.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show or write the files that set up a gate on this host. A file that somebody changed is left as it is."""
    # Other commands need not load them.
    from countersign.gates import install as files

    if gate is Kind.HTTP:
        from countersign.gates.http_files import http_install_files

        wanted = http_install_files(proxy.value, relay=not no_relay, ready_only=write)
    else:
        wanted = _files(gate, group, write)
    if write:
        done = files.write(wanted, force)
        _say([(one, "was written" if written else one.state.value) for one, written in done], as_json, in_full=False)
        if what := _next(gate, wanted[0]):
            console(stderr=True).print(Text(what))
    else:
        _say([(one, one.state.value) for one in wanted], as_json, in_full=True)


def _files(gate: Kind, group: str, write: bool) -> "list[File]":
    from countersign.gates.config import read_config
    from countersign.gates.service_files import service_files
    from countersign.gates.ssh_files import ssh_files

    if gate is Kind.SERVICE:
        return service_files()
    if gate is Kind.PAM:
        from countersign.gates.pam_files import pam_install_files

        return pam_install_files(ready_only=write)
    # The devices that the configuration names go into the other files, once there is one.
    config = read_config(Path(CONFIG)) if Path(CONFIG).exists() else None
    devices = [name for name, one in config.devices.items() if {"ssh", "sftp"} & one.ports.keys()] if config else []
    return [*service_files(), *ssh_files(group, devices, certificates=bool(config and config.ssh))]


def _next(gate: Kind, config: "File") -> str:
    """What is left to do, if that is known."""
    from countersign.gates.install import State

    if config.state is not State.EDITED:
        then = "start the service" if gate is Kind.SERVICE else "give this command again"
        return f"Next: fill in {config.path}, and {then}."
    if gate is Kind.PAM:
        from countersign.gates.pam_files import why_not_ready

        if why := why_not_ready():
            return f"PAM's files were not changed, as then nobody could log in. {why} Then give this command again."
    return ""


def _say(files: "Sequence[tuple[File, str]]", as_json: bool, in_full: bool) -> None:
    if as_json:
        show_json(
            [
                {"path": one.path, "mode": f"{one.mode:04o}", "owner": one.owner, "state": state, "text": one.text}
                for one, state in files
            ]
        )
        return
    for one, state in files:
        owner = f", of {one.owner}" if one.owner else ""
        show(Text.assemble((f"{one.path}", "bold"), f" (mode {one.mode:04o}{owner}) {state}"))
        if in_full:
            show(Text(one.text))
