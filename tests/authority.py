"""A certificate authority for tests: what it issues to clients and servers, and what it revokes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
DAY = timedelta(days=1)
SIGNS_ALL = dict.fromkeys(("digital_signature", "key_cert_sign", "crl_sign"), True)
OTHER_USES = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
USES = (*SIGNS_ALL, *OTHER_USES, "encipher_only", "decipher_only")


def usage(**uses: bool) -> x509.KeyUsage:
    return x509.KeyUsage(**dict.fromkeys(USES, False) | uses)


class Issued:
    """A certificate and its key."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate, self.key = certificate, key

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @property
    def serial(self) -> str:
        return f"{self.certificate.serial_number:x}"


class Authority(Issued):
    """Issues certificates; its own is issued by its `issuer`, or self-signed."""

    def __init__(
        self,
        name: str = "Example CA",
        issuer: Authority | None = None,
        key: ec.EllipticCurvePrivateKey | None = None,
        is_authority: bool = True,
        uses: x509.KeyUsage | None = None,
        starts: timedelta = -DAY,
        lasts: timedelta = 365 * DAY,
    ) -> None:
        key = key or ec.generate_private_key(ec.SECP256R1())
        self.key = key
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=is_authority, path_length=None), True),
            (uses or usage(**SIGNS_ALL), True),
        ]
        signer = issuer or self
        issuer_name = issuer.certificate.subject if issuer else named(name)
        super().__init__(signer._signed(name, key.public_key(), extensions, starts, lasts, issuer_name), key)

    def issue(
        self,
        name: str = "laptop-7",
        uses: Sequence[x509.ObjectIdentifier] | None = (CLIENT,),
        hosts: Sequence[str] = (),
        starts: timedelta = -DAY,
        lasts: timedelta = 30 * DAY,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    ) -> Issued:
        """A certificate, by default one for a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        all_extensions = [*extensions]
        if uses is not None:
            all_extensions.append((x509.ExtendedKeyUsage(list(uses)), False))
        if hosts:
            all_extensions.append((x509.SubjectAlternativeName([x509.DNSName(one) for one in hosts]), False))
        subject = self.certificate.subject
        return Issued(self._signed(name, key.public_key(), all_extensions, starts, lasts, subject), key)

    def revocation_list(
        self,
        *revoked: Issued,
        issued: timedelta = timedelta(0),
        lasts: timedelta = 7 * DAY,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
        name: str = "",
        signed_with: hashes.SHA256 | hashes.SHA224 | None = None,
    ) -> str:
        """A list of revoked certificates, in PEM."""
        now = datetime.now(UTC)
        issuer = named(name) if name else self.certificate.subject
        builder = x509.CertificateRevocationListBuilder().issuer_name(issuer)
        builder = builder.last_update(now + issued).next_update(now + issued + lasts)
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number).revocation_date(now)
            builder = builder.add_revoked_certificate(entry.build())
        for extension, is_critical in extensions:
            builder = builder.add_extension(extension, is_critical)
        return builder.sign(self.key, signed_with or hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    def _signed(
        self,
        name: str,
        public_key: ec.EllipticCurvePublicKey,
        extensions: Sequence[tuple[x509.ExtensionType, bool]],
        starts: timedelta,
        lasts: timedelta,
        issuer: x509.Name,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(named(name)).issuer_name(issuer).public_key(public_key)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now + starts).not_valid_after(now + lasts)
        for extension, is_critical in extensions:
            builder = builder.add_extension(extension, is_critical)
        return builder.sign(self.key, hashes.SHA256())


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
