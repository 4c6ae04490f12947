"""SSH certificates for a few minutes, for targets that trust the gate's authority and nobody's keys.

A certificate names the request as its key id and the person as its principal, and is valid only from the bastion's
address: a target that somebody reaches without the bastion refuses it. The format is OpenSSH's PROTOCOL.certkeys.
"""

import re
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, IPvAnyNetwork

from countersign.errors import BadQuestion
from countersign.gates.private_files import read_private
from countersign.gates.tracking import Wanted
from countersign.models import NO_BOOL, Model

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.serialization.ssh import SSHCertPrivateKeyTypes, SSHCertPublicKeyTypes

MOST_MINUTES = 60
# A target whose clock is up to this much behind accepts a certificate, too.
CLOCKS_DIFFER = timedelta(minutes=1)
LONGEST_KEY = 16 * 1024
SMALLEST_RSA_BITS = 2048
# One key in one line, as in a file `id_ed25519.pub`; anything after it, such as a comment, is not kept.
KEY = re.compile(r"(?P<kind>ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+={0,2}(?= |$)")
# Who a certificate is for; without {person} it would be for anybody who gets one.
PRINCIPAL = r"^([A-Za-z0-9_.@:-]|\{device\}|\{protocol\})*\{person\}([A-Za-z0-9_.@:-]|\{device\}|\{protocol\})*$"
SFTP = "sftp"


class SshSection(Model):
    """The section `[ssh]` of gate.toml: whether, and how, certificates are signed."""

    certificate_authority: Path
    certificate_addresses: Annotated[list[IPvAnyNetwork], Field(min_length=1, max_length=16)]
    certificate_minutes: Annotated[int, NO_BOOL, Field(ge=1, le=MOST_MINUTES)] = 5
    certificate_principal: Annotated[str, Field(pattern=PRINCIPAL)] = "{person}"


class CertificateAuthority:
    """Signs certificates with the key of a file that the service alone can read."""

    def __init__(self, section: SshSection) -> None:
        """Raises BadQuestion, with the remedy, if the key can't be read or others can read it."""
        self._key = _private_key(section.certificate_authority)
        self._addresses = ",".join(str(one) for one in section.certificate_addresses)
        self._lasts = timedelta(minutes=section.certificate_minutes)
        self._principal = section.certificate_principal

    def sign(self, key: str, wanted: Wanted, approval_id: int, ends_at: datetime, now: datetime) -> str:
        """A certificate for a public key, in one line; never good for longer than the grant.

        Raises BadQuestion if `key` isn't a public key that can be signed.
        """
        from cryptography.hazmat.primitives.serialization import SSHCertificateBuilder, SSHCertificateType

        principal = self._principal.format(person=wanted.person, device=wanted.device, protocol=wanted.protocol)
        builder = (
            SSHCertificateBuilder()
            .public_key(public_key(key))
            .type(SSHCertificateType.USER)
            .serial(secrets.randbits(63))
            .key_id(str(approval_id).encode())
            .valid_principals([principal.encode()])
            .valid_after(int((now - CLOCKS_DIFFER).timestamp()))
            .valid_before(int(min(now + self._lasts, ends_at).timestamp()))
            .add_critical_option(b"source-address", self._addresses.encode())
        )
        if wanted.protocol == SFTP:
            builder = builder.add_critical_option(b"force-command", b"internal-sftp")
        else:
            builder = builder.add_extension(b"permit-pty", b"")
        return builder.sign(self._key).public_bytes().decode()


def public_key(text: str) -> "SSHCertPublicKeyTypes":
    """The key of a line as in a file `id_ed25519.pub`; BadQuestion if no certificate can be signed for it."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.dsa import DSAPublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    line = KEY.match(text.strip()) if len(text) <= LONGEST_KEY else None
    try:
        key = load_ssh_public_key(line[0].encode()) if line else None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if key is None or isinstance(key, DSAPublicKey):
        raise BadQuestion(
            "That is not a public key that can be signed; send an ed25519, ecdsa or rsa key: `< ~/.ssh/id_ed25519.pub`."
        )
    if isinstance(key, RSAPublicKey) and key.key_size < SMALLEST_RSA_BITS:
        raise BadQuestion(
            f"That key has {key.key_size} bits; make an ed25519 key, or one with {SMALLEST_RSA_BITS} or more."
        )
    return key


def _private_key(file: Path) -> "SSHCertPrivateKeyTypes":
    raw = read_private(file, "the key that signs certificates")
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.dsa import DSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_ssh_private_key
    except ImportError:
        raise BadQuestion(
            "[ssh] certificate_authority needs the package `cryptography`: install `countersign[gate]`."
        ) from None
    try:
        key = load_ssh_private_key(raw, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if key is None or isinstance(key, DSAPrivateKey):
        raise BadQuestion(
            f"{file} holds no private key without a passphrase; make one with `ssh-keygen -t ed25519 -N '' -f {file}`."
        )
    return key
