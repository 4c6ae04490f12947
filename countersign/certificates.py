"""Client certificates as people and programs see them: the authorities that are trusted, and what they issued."""

import base64
import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from countersign.models import LONGEST_REASON, Model, PlainText

# The labels of PEM files (RFC 7468, 5 and 7).
CERTIFICATE, REVOCATION_LIST = "CERTIFICATE", "X509 CRL"
# RFC 1035, 2.3.4.
LONGEST_HOST = 253
HOST_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
MOST_HOSTS = 50
# RFC 5280, 4.1.2.2: 20 octets.
LONGEST_SERIAL = 40
SERIAL_PATTERN = re.compile(rf"[0-9a-f]{{1,{LONGEST_SERIAL}}}")
# The largest uploads: some certificates, and a list of about 30,000 revoked ones.
LARGEST_PEM = 48 * 1024
LARGEST_REVOCATION_LIST_BYTES = 1024 * 1024


def host_name(value: str) -> str:
    """A host name as we compare it: in lower case, without the trailing dot; ValueError if it isn't one."""
    folded = value.strip().lower().removesuffix(".")
    if len(folded) > LONGEST_HOST or not HOST_PATTERN.fullmatch(folded):
        raise ValueError(f"{value[:40]!r} is not a host name; write access.example.com, without https:// and port")
    return folded


def serial_number(value: str) -> str:
    """A serial number in hexadecimal, as `openssl x509 -serial` prints it, with or without colons."""
    folded = value.strip().lower().removeprefix("0x").replace(":", "").replace(" ", "").lstrip("0")
    if not SERIAL_PATTERN.fullmatch(folded):
        raise ValueError(f"{value[:60]!r} is not a serial number; write it in hexadecimal, such as 3f:0a:92")
    return folded


def as_pem(raw: bytes, label: str) -> str:
    """A PEM or DER file as PEM (RFC 7468); one that was DER gets this label."""
    if raw.lstrip().startswith(b"-----"):
        return raw.decode("ascii", "replace")
    return f"-----BEGIN {label}-----\n{base64.encodebytes(raw).decode()}-----END {label}-----\n"


HostName = Annotated[str, AfterValidator(host_name)]
SerialNumber = Annotated[str, AfterValidator(serial_number)]


class RevocationList(Model):
    """A revocation list (CRL) with `revoked` entries. After its end no certificate of its authority is valid."""

    issued_at: datetime
    ends_at: datetime
    revoked: int
    added_by: str
    added_at: datetime


class CertificateAuthority(Model):
    """A certificate authority that is trusted for these host names. `sha256` is the fingerprint of its certificate."""

    id: str
    name: str
    sha256: str
    hosts: list[str]
    starts_at: datetime
    ends_at: datetime
    added_by: str
    added_at: datetime
    revocation_list: RevocationList | None = None


class ClientCertificate(Model):
    """A certificate that was valid when presented. `sha256` is the hash of its DER; `serial` is in hexadecimal."""

    sha256: str
    serial: str
    common_name: str
    authority: str = Field(description="the name of the authority that issued it")
    ends_at: datetime
    first_seen_at: datetime
    last_seen_at: datetime
    revoked_at: datetime | None = None


class NewAuthorities(Model):
    """Certificates of authorities, and the host names to trust them for."""

    pem: str = Field(max_length=LARGEST_PEM, description="one or more certificates, in PEM")
    hosts: list[HostName] = Field(min_length=1, max_length=MOST_HOSTS)


class NewRevocationList(Model):
    """A certificate revocation list (RFC 5280, 5)."""

    pem: str = Field(max_length=2 * LARGEST_REVOCATION_LIST_BYTES, description="one list, in PEM")


class Revoking(Model):
    """A certificate to revoke, by its serial number."""

    serial: SerialNumber
    reason: PlainText = Field(default="", max_length=LONGEST_REASON)
