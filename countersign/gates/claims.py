"""What a client of the gate service asks for: checked against who it is, which the kernel says, and gate.toml."""

import pwd
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from pydantic import Field

from countersign.errors import BadQuestion, NotAllowed, Refused
from countersign.gates import certificates
from countersign.gates.config import GateConfig, Port
from countersign.gates.tracking import Wanted
from countersign.gates.unix_sockets import Caller
from countersign.models import LONGEST_ID, Id, Model, SourceAddress
from countersign.question import read_as

ROOT = 0


class Claim(NamedTuple):
    """What is wanted: a connection, with where the device is reached, or a certificate for a `public_key`."""

    wanted: Wanted
    address: str = ""
    port: int = 0
    public_key: str = ""


class Message(Model):
    """What the first message of a client holds; `person` is for root alone, who may ask for another account."""

    gate: str
    source_address: SourceAddress = ""
    wait: bool = True
    person: str = Field(default="", max_length=LONGEST_ID)


class SshMessage(Message):
    """What `countersign-gate ssh` asks."""

    gate: Literal["ssh"]
    device: Id
    port: Port


class CertificateMessage(SshMessage):
    """What `countersign-gate ssh` asks for whoever wants a certificate; `key` is a line as in `id_ed25519.pub`."""

    gate: Literal["certificate"]  # type: ignore[assignment]
    key: str


def person_of(message: Message, caller: Caller) -> str:
    """Who wants it: the account of the caller, or whom root names. May wait for the system's directory of accounts."""
    if message.person and caller.uid != ROOT:
        raise NotAllowed("Only root may ask for another account.")
    return message.person or _account(caller.uid)


def ssh_claim(raw: dict[str, Any], caller: Caller, config: GateConfig) -> Claim:
    """A connection to a port of a device, whose bytes are relayed."""
    return _claim_at_port(read_as(SshMessage, raw), caller, config)


def certificate_claim(raw: dict[str, Any], caller: Caller, config: GateConfig) -> Claim:
    """A certificate for a device, asked for as a connection to a port of it is."""
    message = read_as(CertificateMessage, raw)
    if config.ssh is None:
        raise Refused("This gate signs no certificates; connect without one.")
    certificates.public_key(message.key)
    return Claim(_claim_at_port(message, caller, config).wanted, public_key=message.key)


def _claim_at_port(message: SshMessage, caller: Caller, config: GateConfig) -> Claim:
    person = person_of(message, caller)
    target = config.devices.get(message.device)
    if target is None:
        raise Refused(f"{message.device} is not reached through this gate.")
    protocol = target.protocol_at(message.port)
    if protocol is None:
        ports = ", ".join(f"{port} ({protocol})" for protocol, port in target.ports.items())
        raise Refused(f"{message.device} is not reached at port {message.port} through this gate, but at {ports}.")
    wanted = Wanted(person, message.device, protocol, message.source_address, wait=message.wait)
    return Claim(wanted, target.address, message.port)


Reader = Callable[[dict[str, Any], Caller, GateConfig], Claim]
# By the `gate` of a client's first message.
READERS: dict[str, Reader] = {"ssh": ssh_claim, "certificate": certificate_claim}


def claim_of(raw: dict[str, Any], caller: Caller, config: GateConfig) -> Claim:
    """What a client's first message claims. Raises BadQuestion, NotAllowed and Refused."""
    gate = raw.get("gate")
    reader = READERS.get(gate) if isinstance(gate, str) else None
    if reader is None:
        raise BadQuestion(f"gate must be {' or '.join(READERS)}.")
    return reader(raw, caller, config)


def _account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise NotAllowed(f"This host has no account with the number {uid}.") from None
