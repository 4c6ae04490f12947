"""Trusted certificate authorities, and the client certificates that they issued."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, tuple_, update

from countersign.certificates import CertificateAuthority, ClientCertificate, RevocationList
from countersign.errors import NotFound
from store.database import StorePart, from_row, insert_new, insert_or_change, reads
from store.paging import newest_first
from store.rows import Rows
from store.tables import certificate_authorities, client_certificates, revocation_lists, revoked_certificates

# All columns of a revocation list but the list itself, which may be large.
ABOUT_LIST = [column for column in revocation_lists.c if column.name != "der"]
authority_rows, list_rows = Rows(certificate_authorities), Rows(revocation_lists)


class Certificates(StorePart):
    """Reads what is known of certificates."""

    @reads
    def authorities(self) -> list[CertificateAuthority]:
        """All authorities that are trusted, by name, each with its list."""
        with self.database.reading() as connection:
            lists = {row.key_id: from_row(RevocationList, row) for row in connection.execute(select(*ABOUT_LIST))}
            return [
                from_row(CertificateAuthority, row, revocation_list=lists.get(row.key_id))
                for row in authorities(connection)
            ]

    @reads
    def authority(self, authority_id: str) -> CertificateAuthority:
        """One of them. Raises NotFound."""
        with self.database.reading() as connection:
            row = authority(connection, authority_id)
            of = connection.execute(select(*ABOUT_LIST).where(revocation_lists.c.key_id == row.key_id)).one_or_none()
            return from_row(CertificateAuthority, row, revocation_list=from_row(RevocationList, of) if of else None)

    @reads
    def presented(
        self, before: str = "", limit: int = 50, serial: str = "", sha256: str = ""
    ) -> list[ClientCertificate]:
        """A page of the certificates that were presented, newest first; `before` is the SHA-256 of one."""
        table = client_certificates
        which = [column == value for column, value in ((table.c.serial, serial), (table.c.id, sha256)) if value]
        with self.database.reading() as connection:
            rows = newest_first(connection, table.c.first_seen_at, before, limit, *which)
            revoked = {
                (row.key_id, row.serial): row.revoked_at
                for row in revoked_here(connection, [(row.key_id, row.serial) for row in rows])
            }
        return [
            from_row(ClientCertificate, row, sha256=row.id, revoked_at=revoked.get((row.key_id, row.serial)))
            for row in rows
        ]


def authorities(connection: Connection) -> Sequence[Row[Any]]:
    """The rows of all authorities, by name."""
    query = select(certificate_authorities)
    return connection.execute(query.order_by(certificate_authorities.c.name, certificate_authorities.c.id)).all()


def authority(connection: Connection, authority_id: str) -> Row[Any]:
    """One of them. Raises NotFound."""
    row = authority_rows.find(connection, authority_id)
    if row is None:
        raise NotFound(f"There is no trusted authority {authority_id}.")
    return row


def remove_authority(connection: Connection, authority_id: str) -> None:
    """Remove one."""
    connection.execute(delete(certificate_authorities).where(certificate_authorities.c.id == authority_id))


def replace_list(connection: Connection, row: Mapping[str, Any]) -> None:
    """Store a revocation list in place of the same authority's previous one."""
    insert_or_change(connection, revocation_lists, row, row)


def revoke(connection: Connection, row: Mapping[str, Any]) -> bool:
    """Add a certificate that an admin revokes; False if it was revoked before."""
    return insert_new(connection, revoked_certificates, row) > 0


def revoked_here(connection: Connection, certificates: Iterable[tuple[str, str]]) -> Sequence[Row[Any]]:
    """Those of these certificates, each given by its authority's key and serial number, that admins have revoked."""
    key = tuple_(revoked_certificates.c.key_id, revoked_certificates.c.serial)
    return connection.execute(select(revoked_certificates).where(key.in_(list(certificates)))).all()


def keep(connection: Connection, row: dict[str, Any], now: datetime) -> None:
    """Remember a certificate that was presented, and when last."""
    if not insert_new(connection, client_certificates, row | {"first_seen_at": now, "last_seen_at": now}):
        known = client_certificates.c.id == row["id"]
        connection.execute(update(client_certificates).where(known).values(last_seen_at=now))


def is_kept(connection: Connection, sha256: str, since: datetime) -> bool:
    """Whether a certificate is known to have been presented since a moment."""
    fresh = client_certificates.c.id == sha256, client_certificates.c.last_seen_at > since
    return connection.execute(select(client_certificates.c.id).where(*fresh)).first() is not None
