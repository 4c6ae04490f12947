"""Notices: written with the change they tell of, sent afterwards, so that none is lost and none is written twice."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from countersign.models import Event, Route, Status
from countersign.steps import Line, Tell
from store.database import Database
from store.events import append
from store.tables import notices, requests

# What is younger may still be in the hands of the workflow that wrote it.
FIRST_RETRY = timedelta(seconds=10)
LONGEST_RETRY = timedelta(minutes=10)
MOST_TRIES = 30  # is where counting ends, not trying
ASKING = (Event.ASKED, Event.REMINDED)


def write_notices(connection: Connection, approval_id: int, step: int, at: datetime, tell: Sequence[Tell]) -> None:
    """Write one notice for each person and channel that is on for the request."""
    if not tell:
        return
    row = connection.execute(
        select(requests.c.route, requests.c.level).where(requests.c.approval_id == approval_id)
    ).one()
    channels = [name for name, use in Route.model_validate(row.route).channels.items() if use != "off"]
    rows = [_row(one, approval_id, step, channel, row.level, at) for one in tell for channel in channels]
    if rows:
        connection.execute(insert(notices), rows)


def _row(tell: Tell, approval_id: int, step: int, channel: str, level: int, at: datetime) -> dict[str, Any]:
    return {
        "id": f"{approval_id}.{step}.{tell.event}.{tell.person}.{channel}",
        "approval_id": approval_id,
        "event": tell.event,
        "level": level,
        "person": tell.person,
        "channel": channel,
        "words": tell.words,
        "in_reply_to": "",
        "state": "waiting",
        "reference": "",
        "written_at": at,
        "tries": 0,
        "retry_at": at + FIRST_RETRY,
    }


class Notices:
    """What is to be sent, and what was."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def of_step(self, approval_id: int, step: int) -> list[Row[Any]]:
        """The notices of one step that were not sent yet."""
        return self._rows(
            _waiting().where(notices.c.approval_id == approval_id, notices.c.id.startswith(f"{approval_id}.{step}."))
        )

    def left_over(self, now: datetime, limit: int) -> list[Row[Any]]:
        """Notices still not sent that are due for another try; what asks about a settled request is asked no more."""
        due = _waiting().where(notices.c.retry_at <= now).order_by(notices.c.retry_at).limit(limit)
        settled = select(requests.c.approval_id).where(requests.c.status != Status.WAITING)
        moot = (
            update(notices)
            .where(notices.c.state == "waiting", notices.c.event.in_(ASKING), notices.c.approval_id.in_(settled))
            .values(state="moot")
        )
        with self.database.transaction() as connection:
            connection.execute(moot)
            return list(connection.execute(due))

    def put_off(self, notice_ids: Sequence[str], now: datetime) -> None:
        """Try these again later, after twice as long each time."""
        tried = select(notices.c.id, notices.c.tries).where(notices.c.id.in_(notice_ids))
        with self.database.transaction() as connection:
            for row in connection.execute(tried).all():
                wait = min(FIRST_RETRY * 2**row.tries, LONGEST_RETRY)
                later = update(notices).where(notices.c.id == row.id)
                connection.execute(later.values(tries=min(row.tries + 1, MOST_TRIES), retry_at=now + wait))

    def mark(self, approval_id: int, sent: dict[str, str], unreachable: dict[str, str]) -> None:
        """Record what became of notices: by id, the channel's reference, or why the person can't be reached."""
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            lines = [
                line
                for state, results in (("sent", sent), ("unreachable", unreachable))
                for notice_id, result in results.items()
                for line in self._mark(connection, notice_id, state, result, now)
            ]
            append(connection, approval_id, lines)

    def _mark(self, connection: Connection, notice_id: str, state: str, result: str, now: datetime) -> list[Line]:
        change = update(notices).where(notices.c.id == notice_id, notices.c.state == "waiting")
        row = connection.execute(
            change.values(state=state, reference=result[:1000]).returning(
                notices.c.person, notices.c.channel, notices.c.event
            )
        ).one_or_none()
        if row is None:
            return []  # sent twice, by the workflow and the sweeper; the first is on record
        kind = "noticed" if state == "sent" else "unreachable"
        proof = {"reference": result} if state == "sent" else {"error": result}
        return [Line(kind=kind, at=now, who=row.person, channel=row.channel, words=row.event, proof=proof)]

    def _rows(self, query: Select[Any]) -> list[Row[Any]]:
        with self.database.reading() as connection:
            return list(connection.execute(query))


def _waiting() -> Select[Any]:
    return select(notices).where(notices.c.state == "waiting")
