"""device enrol, status, leave: this machine as a device that connects by WireGuard (Linux)."""

import json
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Annotated

import typer
from rich.text import Text

from countersign import wireguard
from countersign.cli import own_files
from countersign.cli.exits import Code
from countersign.cli.live import patiently, rest
from countersign.cli.options import DEFAULT_URL, AsJson, Token, Url, connect, is_same, with_portal
from countersign.cli.output import console, show_result
from countersign.errors import BadQuestion, NotFound, Refused
from countersign.http import POLL_SECONDS, Api
from countersign.linux_fingerprint import fingerprint
from countersign.models import Model
from countersign.registration import DeviceAction, DeviceStatus, Presented, Registered
from countersign.times import moment

KEY_FILE, DEVICE_FILE = "device.key", "device.json"
ENDPOINT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}")

# Further commands of `countersign device`.
commands = typer.Typer()


class KeptDevice(Model):
    """What this machine is registered as; `interface` is empty if none was brought up."""

    url: str = ""
    id: str = ""
    interface: str = ""


@commands.command()
@with_portal
def enrol(
    api: Api,
    endpoint: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the gate's WireGuard listens.")] = "",
    gate_key: Annotated[str, typer.Option(metavar="KEY", help="The gate's public key.")] = "",
    network: Annotated[
        list[str] | None, typer.Option(metavar="NETWORK", help="A network behind the gate, such as 10.64.0.0/16.")
    ] = None,
    interface: Annotated[str, typer.Option(metavar="NAME", help="The interface to bring up.")] = "countersign0",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Reason, shown to the approvers.")] = "",
    wait: Annotated[bool, typer.Option(help="Wait for the decision.")] = True,
    as_json: AsJson = False,
) -> None:
    """Register this machine, wait until it is approved, and bring its interface up."""
    if sys.platform != "linux":
        raise BadQuestion("Only a Linux machine can be enrolled by this command.")
    gate = _gate(endpoint, gate_key, network or [])
    kept = _kept() or KeptDevice()
    name = wireguard.interface_name(interface)
    if gate:
        _must_be_free(name, kept)
    if kept.url and not is_same(str(api.url), kept.url):
        raise Refused(f"This machine is a device of {kept.url}; run `countersign device leave` first.")
    presented = Presented(key=wireguard.public_key(_private_key()), fingerprint=fingerprint())
    found = api.register(presented, reason)
    kept = _keep(kept, url=str(api.url), id=found.id)
    if wait:
        found = _wait(found, partial(api.register, presented, reason, POLL_SECONDS))
    up = gate is not None and found.status == "approved"
    if gate and up:
        if kept.interface not in {"", name}:
            wireguard.take_down(kept.interface)
        _bring_up(found, gate, _keep(kept, interface=name).interface)
    show_result(found, _page(found, name if up else ""), as_json)
    raise typer.Exit(Code.OK if found.status in {"approved", "pending"} else Code.NO)


@commands.command()
def status(url: Url = DEFAULT_URL, token: Token = "", as_json: AsJson = False) -> None:
    """Show the status of this machine as a device, and whether its interface is up."""
    kept = _must_be_kept()
    with connect(url or kept.url, token) as api:
        device = api.registered_device(kept.id)
    is_up = bool(kept.interface) and wireguard.exists(kept.interface)
    page = Text.assemble((device.status, "bold"), f"  {device.id}, {device.name}")
    address = f"Address: {device.address}" if device.address else ""
    state = (
        f"{kept.interface} is {'up' if is_up else 'not there; enrol again to bring it up'}." if kept.interface else ""
    )
    page.append("".join(f"\n  {line}" for line in (device.message, address, state) if line))
    show_result({**device.model_dump(mode="json"), "interface": kept.interface, "up": is_up}, page, as_json)


@commands.command()
def leave(url: Url = DEFAULT_URL, token: Token = "", as_json: AsJson = False) -> None:
    """Remove this machine from your devices: take its interface down, and delete its key."""
    kept = _must_be_kept()
    with connect(url or kept.url, token) as api, suppress(NotFound):
        # An archived device has left already.
        if api.registered_device(kept.id).status is not DeviceStatus.ARCHIVED:
            api.act_on_device(kept.id, DeviceAction.LEAVE)
    if kept.interface:
        wireguard.take_down(kept.interface)
    own_files.delete(DEVICE_FILE)
    own_files.delete(KEY_FILE)
    show_result({"id": kept.id}, Text("This machine is no longer a device."), as_json)


def _gate(endpoint: str, key: str, networks: list[str]) -> wireguard.OtherEnd | None:
    """The other end of the tunnel as it was typed; None if nothing was. Raises BadQuestion."""
    if not endpoint and not key and not networks:
        return None
    if not ENDPOINT.fullmatch(endpoint):
        raise BadQuestion("--endpoint is the gate's HOST:PORT, such as vpn.example.com:51820.")
    if not wireguard.is_key(key):
        raise BadQuestion("--gate-key is the gate's public key, as `wg show wg0 public-key` prints it there.")
    if not networks:
        raise BadQuestion("--network is missing: say what is reached through the gate, such as 10.64.0.0/16.")
    return wireguard.OtherEnd(key=key, endpoint=endpoint, networks=[wireguard.network_of(one) for one in networks])


def _must_be_free(interface: str, kept: KeptDevice) -> None:
    """Raise BadQuestion if no interface can be made, or if there is one of that name that is not ours."""
    if os.geteuid() != 0:
        raise BadQuestion("Only root can bring an interface up; use sudo, or leave --endpoint out.")
    if interface != kept.interface and wireguard.exists(interface):
        raise BadQuestion(f"There is an interface {interface} already; name another with --interface.")


def _wait(found: Registered, again: Callable[[], Registered]) -> Registered:
    """Wait until the registration is decided; returns it then. The portal may be away meanwhile."""
    screen = console(stderr=True)
    shown = ""
    with screen.status("") as status:
        while found.status == "pending":
            if (message := _waiting(found)) != shown:
                status.update(Text(message))
                shown = message
                if not screen.is_terminal:
                    screen.print(Text(message), soft_wrap=True)
            rest()
            found = patiently(again)
    return found


def _waiting(found: Registered) -> str:
    asked = f" Request #{found.approval_id} asks for it." if found.approval_id else ""
    return f"{found.message}{asked} Ctrl-C ends the waiting, not the request."


def _private_key() -> str:
    """The key of this machine, which never leaves it; made if there is none."""
    key = own_files.read(KEY_FILE).strip()
    if not wireguard.is_key(key):
        key = wireguard.new_key()
        own_files.write(KEY_FILE, f"{key}\n")
    return key


def _bring_up(found: Registered, gate: wireguard.OtherEnd, interface: str) -> None:
    address = wireguard.only(found.address)
    if address is None:
        raise Refused("The device is approved but has no address; ask an administrator to set `network` in the policy.")
    wireguard.bring_up(interface, own_files.path(KEY_FILE), address, gate)


def _page(found: Registered, interface: str) -> Text:
    page = Text.assemble((found.message, "bold"), f"\n  Device {found.id}")
    if found.approval_id:
        page.append(f"; request #{found.approval_id}")
    if found.address:
        page.append(f"; address {found.address}")
    if found.session_ends_at:
        page.append(f"; enrol again before {moment(found.session_ends_at)}")
    if interface:
        page.append(f"\n  {interface} is up.")
    return page


def _kept() -> KeptDevice | None:
    with suppress(ValueError):
        return KeptDevice.model_validate(json.loads(own_files.read(DEVICE_FILE)))
    return None


def _keep(kept: KeptDevice, **values: str) -> KeptDevice:
    kept = kept.model_copy(update=values)
    own_files.write(DEVICE_FILE, kept.model_dump_json())
    return kept


def _must_be_kept() -> KeptDevice:
    kept = _kept()
    if kept is None:
        raise NotFound("This machine is not a device yet; run `countersign device enrol`.")
    return kept
