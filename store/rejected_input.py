"""What came in and decides nothing, by a digest of it: delivered again, it is neither recorded nor answered."""

from datetime import datetime

from sqlalchemy import Connection

from store.database import insert_new
from store.tables import rejected_input


def add(connection: Connection, digest: str, now: datetime) -> bool:
    """Keep a digest; False where it is kept already."""
    return insert_new(connection, rejected_input, {"digest": digest, "at": now}) > 0
