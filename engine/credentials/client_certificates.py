"""Which client certificates are valid: the authorities that admins trust, what was revoked, and what was presented."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, Row

from countersign.certificates import Revoking
from countersign.enrolment.facts import Certificate
from countersign.errors import NotAllowed, Refused
from countersign.models import sentence
from countersign.permissions import Principal, must_be_admin
from countersign.times import moment
from engine.credentials import certificate_chains as chains
from engine.credentials.tokens import USED_EVERY
from engine.part import EnginePart
from engine.record import PORTAL, append_or_count, event, record
from store import certificates
from store.events import lock_feed

MOST_AUTHORITIES = 100
ID_LENGTH = 16

Proof = Mapping[str, str]


class ClientCertificates(EnginePart):
    """What admins change, and the check of what a client presents. Each method is a transaction."""

    def trust(self, pem: str, hosts: Sequence[str], who: Principal, proof: Proof) -> list[str]:
        """Trust the authorities of a PEM file for these host names, all or none; returns their ids.

        Raises BadQuestion for what can't be read or isn't an authority's, Refused for one that is trusted already.
        """
        must_be_admin(who)
        found, now = chains.read_authorities(pem), datetime.now(UTC)
        rows = [_row(one, list(dict.fromkeys(hosts)), who.name, now) for one in found]
        with self.database.transaction() as connection:
            lock_feed(connection)
            if len(certificates.authorities(connection)) + len(rows) > MOST_AUTHORITIES:
                raise Refused(f"At most {MOST_AUTHORITIES} authorities are trusted; remove one first.")
            for row in rows:
                if not certificates.authority_rows.add(connection, row):
                    raise Refused(f"{row['name']} is trusted already; to change its host names, remove it first.")
            for row in rows:
                shown = {**proof, "authority": row["sha256"]}
                record(connection, "certificate_authority_added", who.name, _about(row), shown, now)
        return [row["id"] for row in rows]

    def distrust(self, authority_id: str, who: Principal, proof: Proof) -> None:
        """Stop trusting an authority; what it has revoked stays revoked. Raises NotFound."""
        must_be_admin(who)
        with self.database.transaction() as connection:
            row = certificates.authority(connection, authority_id)
            certificates.remove_authority(connection, authority_id)
            shown = {**proof, "authority": row.sha256}
            record(
                connection, "certificate_authority_removed", who.name, _about(row._mapping), shown, datetime.now(UTC)
            )

    def add_list(self, pem: str, who: Principal, proof: Proof) -> str:
        """Take a revocation list of a trusted authority in place of the one before; returns the authority's id.

        Raises BadQuestion for a list that can't be read, is out of date or only a part of one; Refused for one that no
        trusted authority has issued, or that is older than the one that is known.
        """
        must_be_admin(who)
        now = datetime.now(UTC)
        given = chains.read_revocation_list(pem, now)
        with self.database.transaction() as connection:
            issuer = next((one for one in certificates.authorities(connection) if _issued(one, given)), None)
            if issuer is None:
                raise Refused(
                    "No trusted authority has issued and signed this revocation list; trust its issuer first."
                )
            known = certificates.list_rows.find(connection, issuer.key_id)
            if known is not None and known.issued_at > given.last_update_utc:
                raise Refused(f"A newer revocation list is known, of {moment(known.issued_at)}; upload the newest.")
            certificates.replace_list(connection, _list_row(given, issuer.key_id, who.name, now))
            about = f"{issuer.name}: {len(given)} revoked"
            record(connection, "revocation_list_added", who.name, about, {**proof, "authority": issuer.sha256}, now)
        return str(issuer.id)

    def revoke(self, authority_id: str, revoking: Revoking, who: Principal, proof: Proof) -> None:
        """Revoke a certificate by its authority and serial number, for good; again changes nothing. Raises NotFound."""
        must_be_admin(who)
        now, serial = datetime.now(UTC), revoking.serial
        with self.database.transaction() as connection:
            issuer = certificates.authority(connection, authority_id)
            row = {"key_id": issuer.key_id, "serial": serial, "reason": revoking.reason}
            if certificates.revoke(connection, row | {"revoked_by": who.name, "revoked_at": now}):
                about = sentence(f"{serial} of {issuer.name}", revoking.reason)
                record(connection, "certificate_revoked", who.name, about, {**proof, "authority": issuer.sha256}, now)

    def check(self, der: bytes, host: str, source_address: str) -> Certificate:
        """What a certificate proves at a host; if it is not valid, that is recorded, and why.

        Raises NotAllowed, recorded, if it can't be read.
        """
        now = datetime.now(UTC)
        try:
            leaf = chains.read_certificate(der)
        except chains.Untrusted:
            self.refuse("what stands for a certificate can't be read", source_address)
            raise NotAllowed("The client certificate can't be read; use another.") from None
        known = {"sha256": chains.fingerprint(leaf), "serial": chains.serial_of(leaf)}
        with self.database.reading() as connection:
            why, issuer = _why_not(connection, leaf, host, now)
            is_kept = certificates.is_kept(connection, known["sha256"], now - USED_EVERY)
        if issuer is None:
            self.refuse(f"{chains.name_of(leaf)} {why}", source_address, {**known, "host": host[:100]})
            return Certificate(common_name="", valid=False, **known)
        common_name = chains.common_name_of(leaf)
        if not is_kept:
            row = {"id": known["sha256"], "serial": known["serial"], "common_name": common_name}
            about = {"key_id": chains.key_id(issuer), "authority": chains.name_of(issuer)}
            with self.database.transaction() as connection:
                certificates.keep(connection, row | about | {"ends_at": leaf.not_valid_after_utc}, now)
        return Certificate(common_name=common_name, valid=True, **known)

    def refuse(self, why: str, source_address: str, proof: Proof | None = None) -> None:
        """Record that a certificate that came from this address was refused; repeated ones are counted."""
        proof = {**(proof or {}), "from": source_address}
        refused = event("certificate_refused", "", why, proof, datetime.now(UTC), PORTAL)
        with self.database.transaction() as connection:
            append_or_count(connection, None, refused, source_address)


def _why_not(
    connection: Connection, leaf: x509.Certificate, host: str, now: datetime
) -> tuple[str, x509.Certificate | None]:
    """Why a certificate is not valid, or else which authority issued it."""
    rows = certificates.authorities(connection)
    known = [(x509.load_der_x509_certificate(row.certificate), host in row.hosts) for row in rows]
    try:
        found = chains.chain(leaf, [one for one, is_for_host in known if is_for_host], now)
    except chains.Untrusted as error:
        return str(error), None
    # Whoever issued the last one may have revoked it, whatever host names that authority is trusted for.
    while above := [one for one in chains.issuers(found[-1], [one for one, _ in known]) if one not in found]:
        found.append(above[0])
    for one, issuer in pairwise(found):
        if why := _why_revoked(connection, one, issuer, now):
            return why if one == leaf else f"is of the authority {chains.name_of(one)}, which {why}", None
    return "", found[1]


def _why_revoked(connection: Connection, one: x509.Certificate, issuer: x509.Certificate, now: datetime) -> str:
    """Why it counts as revoked: by its issuer, by an admin, or because that can't be known. Empty if it doesn't."""
    key_id = chains.key_id(issuer)
    for row in certificates.revoked_here(connection, [(key_id, chains.serial_of(one))]):
        return f"was revoked {moment(row.revoked_at)}"
    known = certificates.list_rows.find(connection, key_id)
    if known is None:
        return ""
    if known.ends_at <= now:
        about = f"the revocation list of {chains.name_of(issuer)} has been out of date since {moment(known.ends_at)}"
        return f"can't be trusted now, as {about}; upload the newest"
    revoked = x509.load_der_x509_crl(known.der).get_revoked_certificate_by_serial_number(one.serial_number)
    return f"is on the revocation list of {chains.name_of(issuer)}" if revoked else ""


def _issued(row: Row[Any], given: x509.CertificateRevocationList) -> bool:
    return chains.is_list_of(given, x509.load_der_x509_certificate(row.certificate))


def _row(found: x509.Certificate, hosts: Sequence[str], who: str, now: datetime) -> dict[str, Any]:
    sha256 = chains.fingerprint(found)
    return {
        "id": sha256[:ID_LENGTH],
        "key_id": chains.key_id(found),
        "sha256": sha256,
        "name": chains.name_of(found),
        "certificate": found.public_bytes(Encoding.DER),
        "hosts": hosts,
        "starts_at": found.not_valid_before_utc,
        "ends_at": found.not_valid_after_utc,
        "added_by": who,
        "added_at": now,
    }


def _list_row(given: x509.CertificateRevocationList, key_id: str, who: str, now: datetime) -> dict[str, Any]:
    return {
        "key_id": key_id,
        "der": given.public_bytes(Encoding.DER),
        "issued_at": given.last_update_utc,
        "ends_at": given.next_update_utc,
        "revoked": len(given),
        "added_by": who,
        "added_at": now,
    }


def _about(row: Mapping[Any, Any]) -> str:
    return f"{row['name']} for {', '.join(row['hosts'])}"
