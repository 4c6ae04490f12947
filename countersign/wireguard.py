"""WireGuard by its own tools, `wg` (wireguard-tools) and `ip` (iproute2): keys, an interface, its peers.

If a tool fails, Unavailable is raised with its message. Addresses here are AllowedIPs: the one address of a device as a
network, `10.64.0.7/32`.
"""

import base64
import binascii
import ipaddress
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from countersign.errors import BadQuestion, Unavailable

RUN_SECONDS = 10.0
KEY_BYTES = 32
# As wg-quick(8) has it; Linux takes 15 bytes (IFNAMSIZ of if.h).
INTERFACE = re.compile(r"[A-Za-z0-9_=+.-]{1,15}")
PACKAGES = {"wg": "wireguard-tools", "ip": "iproute2"}
# What wg(8) advises behind a stateful firewall or NAT; and what wg-quick(8) leaves of Ethernet's 1500 bytes.
KEEPALIVE_SECONDS, MTU_BYTES = 25, 1420
LONGEST_MESSAGE = 300


class OtherEnd(NamedTuple):
    """The peer of a device: its public key, its HOST:PORT, and the networks that are reached through it."""

    key: str
    endpoint: str
    networks: list[str]


def run(*command: str, given: str = "") -> str:
    """What a tool prints; `given` is its standard input."""
    try:
        # No shell, and each argument is checked where it comes from. A program that goes on running, as wireguard-go
        # does, is in a session of its own, so that it does not end with the person's terminal.
        done = subprocess.run(  # noqa: S603
            command,
            input=given,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
            start_new_session=True,
        )
    except FileNotFoundError:
        package = PACKAGES.get(command[0], command[0])
        raise Unavailable(f"`{command[0]}` is not installed; install {package}.") from None
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"`{' '.join(command[:3])}` could not be run ({type(error).__name__}).") from None
    if done.returncode:
        message = " ".join(done.stderr.split())[:LONGEST_MESSAGE] or f"it ended with {done.returncode}"
        raise Unavailable(f"`{' '.join(command[:3])}` failed: {message.rstrip('.')}.")
    return done.stdout


def interface_name(typed: str) -> str:
    """The name as it was typed; raises BadQuestion if no interface can have it."""
    if not INTERFACE.fullmatch(typed) or typed in {".", ".."}:
        raise BadQuestion(f"{typed[:40]!r} is not the name of a network interface; give one such as wg0.")
    return typed


def is_key(text: str) -> bool:
    """Whether this is a key as `wg` writes it: 32 bytes in base64."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(raw) == KEY_BYTES and base64.b64encode(raw).decode() == text


def only(address: str | None) -> str | None:
    """One address as a network that holds nothing else; None if it isn't an address."""
    # Python accepts anything as the zone of an IPv6 address (RFC 4007), even a line break and what follows it.
    if address is None or "%" in address:
        return None
    try:
        return str(ipaddress.ip_network(ipaddress.ip_address(address)))
    except ValueError:
        return None


def network_of(typed: str) -> str:
    """A network as it was typed, or one address as a network; raises BadQuestion.

    The whole Internet is refused: it needs routing rules to keep the tunnel's own packets out of the tunnel.
    """
    try:
        found = ipaddress.ip_network(typed.strip())
    except ValueError as error:
        raise BadQuestion(f"{typed[:40]!r} is not a network ({error}); give one such as 10.64.0.0/16.") from None
    if found.prefixlen == 0:
        raise BadQuestion(f"{found} is every address; name the networks that are behind the gate.")
    return str(found)


def new_key() -> str:
    """A new private key."""
    return run("wg", "genkey").strip()


def public_key(private: str) -> str:
    """The public key of a private one."""
    return run("wg", "pubkey", given=private).strip()


def peers(interface: str) -> dict[str, str]:
    """The public key of each peer, and its addresses."""
    lines = (line.partition("\t") for line in run("wg", "show", interface, "allowed-ips").splitlines())
    return {key: addresses for key, _, addresses in lines}


def set_peers(interface: str, wanted: Mapping[str, str]) -> None:
    """Give an interface these peers and no others. Those that stay keep their sessions."""
    # `wg syncconf` resets what is not in its file: the interface's own key and port are given back to it.
    own = run("wg", "showconf", interface).partition("[Peer]")[0]
    added = [f"[Peer]\nPublicKey = {key}\nAllowedIPs = {addresses}\n" for key, addresses in wanted.items()]
    run("wg", "syncconf", interface, "/dev/stdin", given="".join([own, *added]))


def exists(interface: str) -> bool:
    """Whether there is a network interface of this name."""
    return interface in {name for _, name in socket.if_nameindex()}


def bring_up(interface: str, key_file: Path, address: str, gate: OtherEnd) -> None:
    """Make an interface with one peer, and route its networks through it; an existing one is changed to that."""
    if exists(interface):
        _empty(interface, gate.key)
    else:
        _make(interface)
    own = ("wg", "set", interface, "private-key", str(key_file))
    peer = ("peer", gate.key, "endpoint", gate.endpoint, "allowed-ips", ",".join(gate.networks))
    run(*own, *peer, "persistent-keepalive", str(KEEPALIVE_SECONDS))
    run("ip", "address", "replace", address, "dev", interface)
    run("ip", "link", "set", "mtu", str(MTU_BYTES), "up", "dev", interface)
    for network in gate.networks:
        run("ip", "route", "replace", network, "dev", interface)


def _make(interface: str) -> None:
    """Make it in the kernel, or by wireguard-go where the kernel has no WireGuard, as wg-quick(8) does."""
    try:
        run("ip", "link", "add", "dev", interface, "type", "wireguard")
    except Unavailable:
        program = shutil.which("wireguard-go")
        if not program:
            raise
        run(program, interface)


def _empty(interface: str, peer: str) -> None:
    """Remove the routes and addresses of an interface, and all peers but this one, whose session goes on."""
    for other in peers(interface).keys() - {peer}:
        run("wg", "set", interface, "peer", other, "remove")
    for part in ("route", "address"):
        run("ip", part, "flush", "dev", interface)


def take_down(interface: str) -> None:
    """Remove an interface, if it is there."""
    if exists(interface):
        run("ip", "link", "delete", "dev", interface)
