"""Who was asked about a request, at which level and why, and whether they can answer."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, select, update

from countersign.models import Approver
from countersign.transitions import AVAILABILITIES
from store.database import insert_new
from store.tables import approvers

OF_REQUEST = approvers.c.approval_id == bindparam("number")
AVAILABILITIES_OF = select(approvers.c.person, approvers.c.availability).where(OF_REQUEST)
PEOPLE_OF = select(approvers.c.person).where(OF_REQUEST).distinct().order_by(approvers.c.person)


def add(
    connection: Connection, approval_id: int, level: int, asked: Sequence[Approver], availabilities: Mapping[str, str]
) -> None:
    """Add people who are asked at a level, with their availability; those asked there before stay as they are."""
    rows = [
        {
            "approval_id": approval_id,
            "level": level,
            "person": one.person,
            "because": one.because,
            "availability": availabilities.get(one.person, ""),
        }
        for one in asked
    ]
    insert_new(connection, approvers, *rows)


def worsen(connection: Connection, approval_id: int, level: int, person: str, availability: str) -> None:
    """Note that somebody is less available at a level than was known; it gets no better while the request waits."""
    of_request = approvers.c.approval_id == approval_id
    their_row = of_request & (approvers.c.person == person) & (approvers.c.level == level)
    better = approvers.c.availability.in_(AVAILABILITIES[: AVAILABILITIES.index(availability)])
    connection.execute(update(approvers).where(their_row, better).values(availability=availability))


def availability_of(connection: Connection, approval_id: int) -> dict[str, str]:
    """The worst availability of each person who was asked about a request."""
    found = sorted(
        connection.execute(AVAILABILITIES_OF, {"number": approval_id}),
        key=lambda row: AVAILABILITIES.index(row.availability),
    )
    return {row.person: row.availability for row in found}


def at_level(connection: Connection, approval_id: int, level: int) -> list[str]:
    """Who was asked at a level of a request."""
    asked = (approvers.c.approval_id == approval_id) & (approvers.c.level == level)
    return list(connection.execute(select(approvers.c.person).where(asked)).scalars())


def people_of(connection: Connection, approval_id: int) -> list[str]:
    """Everybody who was asked about a request, each once, by id."""
    return list(connection.execute(PEOPLE_OF, {"number": approval_id}).scalars())
