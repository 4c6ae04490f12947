"""Connections: a requester, to a device, by a protocol."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from countersign.error_codes import ErrorCode
from countersign.errors import NotAllowed
from countersign.kinds.kind import SubjectKind
from countersign.models import Id, Question, Scope, Subject, key_of


class ConnectionProtocol(StrEnum):
    """How the requester wants to connect."""

    SSH = "ssh"
    SFTP = "sftp"
    RDP = "rdp"
    HTTP = "http"


class ConnectionQuestion(Question):
    """What a gateway or a person asks: may this requester connect to this device?"""

    # Neither sent nor stored: a question without a kind is about a connection.
    kind: Literal["connection"] = Field(default="connection", exclude=True)
    requester: Id
    device: Id
    protocol: ConnectionProtocol

    @property
    def subject(self) -> Subject:
        """The connection."""
        key = key_of(self.kind, self.requester, self.device, self.protocol)
        fields = {"device": self.device, "protocol": self.protocol.value}
        return Subject(kind=self.kind, key=key, target=self.device, variant=self.protocol.value, fields=fields)


def why_not_in(gateway: str, scope: Scope, subject: Subject) -> NotAllowed | None:
    """Why a gateway of these devices and protocols may not ask for a connection; None if it may."""
    device, protocol = subject.target, subject.variant
    if device not in scope.targets:
        return NotAllowed(f"{device} is not a device of gateway {gateway}.", ErrorCode.OTHER_DEVICE, device=device)
    if protocol not in scope.variants:
        message = f"Gateway {gateway} does not ask for {protocol}."
        return NotAllowed(message, ErrorCode.OTHER_PROTOCOL, protocol=protocol)
    return None


CONNECTION = SubjectKind(
    name="connection",
    workflow="ConnectionApproval",
    question=ConnectionQuestion,
    example='{"requester": "alice", "device": "db-1", "protocol": "ssh", "reason": "..."}',
    title=lambda subject: "{device} by {protocol}".format(**subject.fields),
    why_not_in=why_not_in,
)
