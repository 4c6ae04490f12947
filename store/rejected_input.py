"""What came in and decides nothing, by a digest of it."""

from datetime import datetime

from sqlalchemy import Connection

from store.database import insert_new
from store.tables import rejected_input


def add(connection: Connection, digest: str, at: datetime) -> bool:
    """Add it; False where it came in before."""
    return insert_new(connection, rejected_input, {"digest": digest, "at": at}) > 0
