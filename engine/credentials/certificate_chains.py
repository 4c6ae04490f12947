"""Reads and verifies certificates: up to a trusted authority, by date and use (RFC 5280), whatever a proxy says."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from countersign.errors import BadQuestion, CountersignError
from countersign.models import without_controls
from countersign.times import moment

MOST_CERTIFICATES = 20
LONGEST_NAME = 200
# How far the clock of a list's issuer may be ahead of ours.
CLOCKS_APART = timedelta(minutes=5)
# What the library raises if a part that it only reads when asked is malformed.
MALFORMED = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
STRONG = hashes.SHA256, hashes.SHA384, hashes.SHA512
SMALLEST_RSA_BITS = 2048
NO_USE = x509.KeyUsage(*[False] * 9)

T = TypeVar("T", bound=x509.ExtensionType)


class Untrusted(CountersignError):
    """A certificate is not valid; the text says why, and is shown after its name."""


def read_certificate(der: bytes) -> x509.Certificate:
    """A certificate in DER. Raises Untrusted if it is malformed."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        _ = certificate.extensions, certificate.subject, certificate.issuer, certificate.public_key()
    except MALFORMED:
        raise Untrusted("is malformed") from None
    return certificate


def read_authorities(pem: str) -> list[x509.Certificate]:
    """The certificates of authorities in a PEM file. Raises BadQuestion, which says what is wrong with which one."""
    if "PRIVATE KEY" in pem:
        raise BadQuestion("It contains a private key; upload only certificates, and keep the key where it was.")
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except MALFORMED:
        raise BadQuestion(
            "It holds no certificate that can be read; upload PEM (-----BEGIN CERTIFICATE-----)."
        ) from None
    if len(found) > MOST_CERTIFICATES:
        raise BadQuestion(f"It holds more than {MOST_CERTIFICATES} certificates; upload only those of authorities.")
    for one in found:
        with _bad_where_malformed("A certificate in it"):
            if why := _why_no_authority(one):
                raise BadQuestion(f"{name_of(one)} {why}.")
    return found


def read_revocation_list(pem: str, now: datetime) -> x509.CertificateRevocationList:
    """A list in PEM that is in force now. Raises BadQuestion, which says what is wrong."""
    try:
        found = x509.load_pem_x509_crl(pem.encode())
    except MALFORMED:
        raise BadQuestion(
            "It is not a revocation list that can be read; upload a CRL (-----BEGIN X509 CRL-----)."
        ) from None
    with _bad_where_malformed("The revocation list"):
        if why := _why_no_list(found, now):
            raise BadQuestion(f"The revocation list {why}.")
    return found


def is_list_of(revoked: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    """Whether this authority issued the list: by its name, its signature, and what its key is for."""
    public_key = authority.public_key()
    if revoked.issuer != authority.subject or not isinstance(public_key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return False
    return _key_usage(authority).crl_sign and revoked.is_signature_valid(public_key)


def chain(leaf: x509.Certificate, authorities: Sequence[x509.Certificate], now: datetime) -> list[x509.Certificate]:
    """The chain from a client's certificate, through trusted authorities, to one that ends it. Raises Untrusted.

    An authority that was issued by another of these doesn't end a chain, so that the other can revoke it.
    """
    try:
        if why := _why_no_client(leaf, now):
            raise Untrusted(why)
        anchors = [one for one in authorities if one.issuer == one.subject or not issuers(one, authorities)]
        others = [one for one in authorities if one not in anchors]
        client = ExtensionPolicy.webpki_defaults_ee()
        # What certificates for servers must have (CA/Browser Forum), but those of clients often don't.
        for optional in (x509.SubjectAlternativeName, x509.AuthorityKeyIdentifier):
            client = client.may_be_present(optional, Criticality.AGNOSTIC, None)
        builder = PolicyBuilder().store(Store(anchors)).time(now)
        builder = builder.extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=client)
        return builder.build_client_verifier().verify(leaf, others).chain
    except VerificationError:
        is_known = bool(issuers(leaf, authorities))
    except MALFORMED:
        raise Untrusted("is malformed") from None
    raise Untrusted(
        "can't be verified with its authority" if is_known else "was not issued by an authority trusted here"
    )


def issuers(certificate: x509.Certificate, authorities: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Which of these authorities have issued it, by name and signature."""
    return [one for one in authorities if one != certificate and _is_issuer(one, certificate)]


def key_id(certificate: x509.Certificate) -> str:
    """What stays the same when an authority renews its certificate: the SHA-256 of its public key."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).hexdigest()


def fingerprint(certificate: x509.Certificate) -> str:
    """The SHA-256 of its DER."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def serial_of(certificate: x509.Certificate) -> str:
    """Its serial number in hexadecimal."""
    return f"{certificate.serial_number:x}"


def name_of(certificate: x509.Certificate) -> str:
    """Its whole subject, on one line, for people."""
    name = without_controls(certificate.subject.rfc4514_string()).replace("\n", " ")[:LONGEST_NAME]
    return name or "A certificate without a name"


def common_name_of(certificate: x509.Certificate) -> str:
    """Its common name; empty if it has none, or more than one, or it can't be shown."""
    names = [one.value for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    name = names[0] if len(names) == 1 else ""
    return name if isinstance(name, str) and name.isprintable() and len(name) <= LONGEST_NAME else ""


def _why_no_authority(certificate: x509.Certificate) -> str:
    """Why nothing can be verified with this authority; empty if it can."""
    if certificate.not_valid_after_utc <= datetime.now(UTC):
        return f"has expired, {moment(certificate.not_valid_after_utc)}"
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        return "is not an authority's (basicConstraints: CA:TRUE is missing); upload the issuer's"
    if not _key_usage(certificate).key_cert_sign:
        return "may not issue certificates (keyUsage: keyCertSign is missing)"
    key = certificate.public_key()
    is_strong = isinstance(key, rsa.RSAPublicKey) and key.key_size >= SMALLEST_RSA_BITS
    if not (is_strong or isinstance(key, ec.EllipticCurvePublicKey)):
        return f"has a key that is not supported; use RSA of {SMALLEST_RSA_BITS} bits or more, or ECDSA"
    return ""


def _why_no_list(revoked: x509.CertificateRevocationList, now: datetime) -> str:
    ends_at = revoked.next_update_utc
    if ends_at is None:
        return "doesn't say when the next one comes (nextUpdate), so nobody could tell when it is out of date"
    if ends_at <= now:
        return f"has been out of date since {moment(ends_at)}; upload the newest"
    if revoked.last_update_utc > now + CLOCKS_APART:
        return f"is not valid before {moment(revoked.last_update_utc)}"
    if not isinstance(revoked.signature_hash_algorithm, STRONG):
        return "is signed with a hash that is not safe; have it signed with SHA-256"
    # RFC 5280, 5.2.4 and 5.2.5: critical extensions make it a list of changes, or of some certificates only.
    if any(one.critical for one in revoked.extensions):
        return "is only a part of one (a critical extension says so); upload a full one"
    return ""


def _why_no_client(certificate: x509.Certificate, now: datetime) -> str:
    """Why it can't identify a client, whoever issued it; empty if it can."""
    if now < certificate.not_valid_before_utc:
        return f"is not valid before {moment(certificate.not_valid_before_utc)}"
    if now > certificate.not_valid_after_utc:
        return f"has expired, {moment(certificate.not_valid_after_utc)}"
    uses = _extension(certificate, x509.ExtendedKeyUsage)
    if uses is None or ExtendedKeyUsageOID.CLIENT_AUTH not in uses:
        return "is not for clients (extendedKeyUsage: clientAuth is missing)"
    if _extension(certificate, x509.KeyUsage) is not None and not _key_usage(certificate).digital_signature:
        return "may not sign (keyUsage: digitalSignature is missing)"
    return ""


def _is_issuer(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:  # what it raises depends on the kinds of both keys
        return False
    return True


def _key_usage(certificate: x509.Certificate) -> x509.KeyUsage:
    return _extension(certificate, x509.KeyUsage) or NO_USE


def _extension(certificate: x509.Certificate, kind: type[T]) -> T | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


@contextmanager
def _bad_where_malformed(what: str) -> Iterator[None]:
    try:
        yield
    except MALFORMED:
        raise BadQuestion(f"{what} is malformed.") from None
