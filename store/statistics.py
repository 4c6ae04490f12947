"""What the overview counts: the newest requests since a moment, the answers that counted, and who was asked."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, select

from store.database import Database, reads
from store.listing import NO_NUMBER
from store.many_rows import by_request, many_rows
from store.tables import answers, approvers, requests

# At most this many of the newest requests are looked at, however many there were; that takes some 20 milliseconds.
MOST_COUNTED = 1_000
REQUEST = ("approval_id", "requester", "target", "status", "level", "opened_at", "settled_at")
ANSWER = ("approval_id", "level", "person", "channel", "at")


class Counted(NamedTuple):
    """Requests, newest first, and by their numbers the answers that counted, oldest first, and who was asked.

    `is_partial`: there may have been more since then than were looked at.
    """

    requests: Sequence[Row[Any]]
    answers: dict[int, list[Row[Any]]]
    asked: dict[int, list[Row[Any]]]
    is_partial: bool


@reads
def counted_since(database: Database, moment: datetime) -> Counted:
    """The newest requests that were opened since then."""
    # All have a lower number. With this condition both databases walk down the index of the numbers, and no further.
    newest = select(*(requests.c[name] for name in REQUEST)).where(requests.c.approval_id < NO_NUMBER)
    newest = newest.order_by(requests.c.approval_id.desc())
    answered = select(*(answers.c[name] for name in ANSWER)).where(answers.c.state == "accepted")
    asked = select(approvers.c.approval_id, approvers.c.level, approvers.c.person)
    with database.reading() as connection:
        # Numbers grow with time: what comes after the first that is older is older still.
        rows = many_rows(connection, newest.limit(MOST_COUNTED))
        counted = [row for row in rows if row.opened_at >= moment]
        if not counted:
            return Counted([], {}, {}, False)
        # Each request's rows lie beside those of the next, so that one range of an index holds all.
        first = counted[-1].approval_id
        answered = answered.where(answers.c.approval_id >= first).order_by(answers.c.approval_id, answers.c.at)
        its_answers = by_request(many_rows(connection, answered))
        its_people = by_request(many_rows(connection, asked.where(approvers.c.approval_id >= first)))
    return Counted(counted, its_answers, its_people, len(counted) == MOST_COUNTED)
