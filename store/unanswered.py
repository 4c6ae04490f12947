"""Who was asked again and again and never answered, though no message came back: perhaps nothing reaches them."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select

from countersign.models import ASKING, Status
from store.database import Database, reads
from store.tables import ROOM, answers, approvers, as_written, events, notifications, requests

# Only this many of the newest requests are looked at.
NEWEST = 500


class Unanswered(NamedTuple):
    """Somebody whom a channel has notified of this many requests, none of which they answered by any channel."""

    person: str
    channel: str
    requests: int


@reads
def unanswered(database: Database, before: datetime) -> list[Unanswered]:
    """Those who were asked before a moment about requests that expired or still wait, and have never answered any.

    Leaves out people known to be away, disabled or unreachable, and those whose answers were refused.
    """
    number = requests.c.approval_id
    all_before = select(number).where(number > 0).order_by(number.desc()).offset(NEWEST).limit(1)
    with database.reading() as connection:
        # Written into the statements: otherwise PostgreSQL may read a whole table.
        after = as_written(connection.execute(all_before).scalar_one_or_none() or 0)
    heard = (
        select(answers.c.person).where(answers.c.approval_id > after),
        select(events.c.who).where(events.c.approval_id > after, events.c.kind.in_(("answer_refused", "inquired"))),
        select(approvers.c.person).where(approvers.c.approval_id > after, approvers.c.availability != ""),
    )
    asked = (
        select(notifications.c.person, notifications.c.channel, func.count(notifications.c.approval_id.distinct()))
        .join(requests, requests.c.approval_id == notifications.c.approval_id)
        .where(
            notifications.c.approval_id > after,
            notifications.c.event.in_(ASKING),
            notifications.c.state == "sent",
            notifications.c.written_at < before,
            requests.c.status.in_((Status.WAITING, Status.EXPIRED)),
        )
        .group_by(notifications.c.person, notifications.c.channel)
        .order_by(notifications.c.person, notifications.c.channel)
    )
    with database.reading() as connection:
        known = {one for query in heard for one in connection.execute(query).scalars()}
        found = [Unanswered(*row) for row in connection.execute(asked)]
    return [one for one in found if one.person not in known and not one.person.startswith(ROOM)]
