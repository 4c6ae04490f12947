"""Checks what a client of the gate service asks for against gate.toml and its account, which the kernel reports."""

import pwd
from typing import Any, Literal, NamedTuple

from pydantic import Field

from countersign.errors import NotAllowed, Refused
from countersign.gates import certificates
from countersign.gates.config import GateConfig, Port
from countersign.gates.tracking import Wanted
from countersign.models import LONGEST_ID, Id, Model, SourceAddress
from countersign.question import read_as

ROOT = 0


class Claim(NamedTuple):
    """What a client wants: a connection, with the device's address and port, or a certificate for a `public_key`."""

    wanted: Wanted
    address: str = ""
    port: int = 0
    public_key: str = ""


class Message(Model):
    """The first message of `countersign-gate ssh`; only root may set `person`, to ask for another account.

    `key`: the public key to sign, if a certificate is asked for, as a line of `id_ed25519.pub`.
    """

    gate: Literal["ssh", "certificate"]
    device: Id
    port: Port
    source_address: SourceAddress = ""
    wait: bool = True
    person: str = Field(default="", max_length=LONGEST_ID)
    key: str = ""


def claim_of(raw: dict[str, Any], uid: int, config: GateConfig) -> Claim:
    """What the first message of a client of this account claims. Raises BadQuestion, NotAllowed and Refused.

    May wait for the system's directory of accounts.
    """
    message = read_as(Message, raw)
    if message.gate == "certificate":
        if config.ssh is None:
            raise Refused("This gate signs no certificates; connect without one.")
        certificates.public_key(message.key)
    if message.person and uid != ROOT:
        raise NotAllowed("Only root may ask for another account.")
    person = message.person or _account(uid)
    target = config.devices.get(message.device)
    if target is None:
        raise Refused(f"{message.device} is not reached through this gate.")
    protocol = target.protocol_at(message.port)
    if protocol is None:
        ports = ", ".join(f"{port} ({protocol})" for protocol, port in target.ports.items())
        raise Refused(f"{message.device} is not reached at port {message.port} through this gate, but at {ports}.")
    wanted = Wanted(person, message.device, protocol, message.source_address, wait=message.wait)
    if message.gate == "certificate":
        return Claim(wanted, public_key=message.key)
    return Claim(wanted, target.address, message.port)


def _account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise NotAllowed(f"This host has no account with the number {uid}.") from None
