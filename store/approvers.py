"""Who was asked about a request, at which level and why, and how they stand."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, select, update

from countersign.models import Approver
from store.database import insert_new
from store.tables import STANDINGS, approvers

OF_REQUEST = approvers.c.approval_id == bindparam("number")
STANDINGS_OF = select(approvers.c.person, approvers.c.standing).where(OF_REQUEST)
PEOPLE_OF = select(approvers.c.person).where(OF_REQUEST).distinct().order_by(approvers.c.person)


def add(
    connection: Connection, approval_id: int, level: int, asked: Sequence[Approver], standings: Mapping[str, str]
) -> None:
    """Add people who are asked at a level, each with their standing; who was asked there before stays as they are."""
    rows = [
        {
            "approval_id": approval_id,
            "level": level,
            "person": one.person,
            "because": one.because,
            "standing": standings.get(one.person, ""),
        }
        for one in asked
    ]
    insert_new(connection, approvers, *rows)


def worsen(connection: Connection, approval_id: int, level: int, person: str, standing: str) -> None:
    """Note that somebody stands worse at a level than was known; a standing gets no better."""
    of_request = approvers.c.approval_id == approval_id
    seat = of_request & (approvers.c.person == person) & (approvers.c.level == level)
    better = approvers.c.standing.in_(STANDINGS[: STANDINGS.index(standing)])
    connection.execute(update(approvers).where(seat, better).values(standing=standing))


def standings_of(connection: Connection, approval_id: int) -> dict[str, str]:
    """The worst standing of each person who was asked about a request."""
    stood = sorted(
        connection.execute(STANDINGS_OF, {"number": approval_id}), key=lambda row: STANDINGS.index(row.standing)
    )
    return {row.person: row.standing for row in stood}


def at_level(connection: Connection, approval_id: int, level: int) -> list[str]:
    """Who was asked at a level of a request."""
    seats = (approvers.c.approval_id == approval_id) & (approvers.c.level == level)
    return list(connection.execute(select(approvers.c.person).where(seats)).scalars())


def people_of(connection: Connection, approval_id: int) -> list[str]:
    """Everybody who was asked about a request, each once, by id."""
    return list(connection.execute(PEOPLE_OF, {"number": approval_id}).scalars())
