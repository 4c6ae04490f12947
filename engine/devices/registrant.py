"""Who registers a device, and what the enrolment rules say of that."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

from countersign.enrolment.facts import Certificate


@dataclass(frozen=True)
class Registrant:
    """Who registers a device: a person, or a machine by a service token; `who` called, on this `proof`."""

    who: str
    person: str = ""
    source_address: str = ""
    country: str = ""
    claims: dict[str, list[str]] = field(default_factory=dict)
    login_method: str = ""
    service_token: str = ""
    provisioning_key: str = ""
    skips_approval: bool = False
    justification: str = ""
    proof: dict[str, str] = field(default_factory=dict)
    certificate: Certificate | None = None


class Enrolment(NamedTuple):
    """What the enrolment rules say of a registration: `refused` says why not, and is empty if they let it in."""

    refused: str = ""
    rule: str = ""
    approval_required: bool = False
    session: timedelta | None = None
    identity: dict[str, Any] | None = None
