"""What is known about whoever registers a device; the enrolment rules are evaluated for it."""

from typing import Annotated

from pydantic import BeforeValidator

from countersign.enrolment.countries import country_or_unknown
from countersign.models import Model, SourceAddress

Country = Annotated[str, BeforeValidator(country_or_unknown)]


class Certificate(Model):
    """A client certificate that was presented. It proves its common name only if it is `valid`.

    `valid`: a trusted authority signed it for this host name, and it is neither expired nor revoked.
    """

    common_name: str
    serial: str
    sha256: str
    valid: bool


class Facts(Model):
    """The facts of an enrolment. Empty or None means unknown; for a token or a certificate, that none was presented.

    A machine has no `email`, and none of its facts is an identity. A claim that is not in `claims` is unknown.
    """

    email: str | None = None
    user_groups: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    claims: dict[str, list[str]] = {}
    login_method: str | None = None
    source_address: SourceAddress = ""
    country: Country = ""
    service_token: str | None = None
    certificate: Certificate | None = None

    @property
    def is_machine(self) -> bool:
        """Whether a machine registers: there is no email or, whoever else is named, there is a service token."""
        return not self.email or self.service_token is not None
