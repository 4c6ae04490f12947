"""The keys of the transitions that were written: one that is made again is found here, whatever was written since."""

from sqlalchemy import Connection, select

from store.database import insert_new
from store.tables import transition_keys


def add(connection: Connection, approval_id: int, key: str, number: int) -> bool:
    """Store the key of a transition with its number; False if it is stored already."""
    row = {"approval_id": approval_id, "key": key, "number": number}
    return insert_new(connection, transition_keys, row) > 0


def number_of(connection: Connection, approval_id: int, key: str) -> int:
    """The number of the transition that was written with this key; 0 if there is none."""
    same = (transition_keys.c.approval_id == approval_id) & (transition_keys.c.key == key)
    return connection.execute(select(transition_keys.c.number).where(same)).scalar_one_or_none() or 0
