"""The rows of requests: opened, changed and found. Each function works within its caller's transaction."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, insert, select, tuple_, update

from countersign.errors import no_request
from countersign.models import Question, Route, Status
from countersign.transitions import Opening
from store.database import StorePart, reads
from store.subjects import columns_of
from store.tables import among, approvers, as_written, events, requests, signals

IS_OF_NUMBER = requests.c.approval_id == bindparam("number")
OF_NUMBER = select(requests).where(IS_OF_NUMBER)
LOCKED = OF_NUMBER.with_for_update()
OF_RUN = select(requests).where(requests.c.run_id == bindparam("run"))
WAITING_OF = select(requests).where(
    requests.c.requester == bindparam("who"),
    requests.c.status == Status.WAITING,
    requests.c.workflow_id == bindparam("workflow"),
)
LAST_TRANSITION_OF = select(requests.c.transition).where(IS_OF_NUMBER).with_for_update(read=True)
# The order of the index `requests_by_status`.
BY_STATUS = (requests.c.status, requests.c.approval_id)
WAITING = as_written(Status.WAITING.value)
ADD = insert(requests).returning(requests)
CHANGE = update(requests).where(IS_OF_NUMBER)


class Requests(StorePart):
    """Reading what is open for a question."""

    @reads
    def waiting_for(self, question: Question) -> int | None:
        """The number of the request that waits for a decision on this question; None if there is none."""
        with self.database.reading() as connection:
            rows = waiting_of(connection, question.requester, question.subject.key)
        return rows[0].approval_id if rows else None

    @reads
    def asked_often(self, question: Question, times: int) -> Row[Any] | None:
        """The request that waits for a decision on this question, if it was asked for again this many times or more."""
        often = (
            select(requests)
            .join(events, events.c.approval_id == requests.c.approval_id)
            .where(
                requests.c.requester == question.requester,
                requests.c.workflow_id == question.subject.key,
                requests.c.status == Status.WAITING,
                events.c.kind == "asked_again",
            )
            .offset(times - 1)
            .limit(1)
        )
        with self.database.reading() as connection:
            return connection.execute(often).one_or_none()


def request_row(connection: Connection, approval_id: int, run: str = "", lock: bool = False) -> Row[Any]:
    """A request's row. Raises NotFound if there is none, or if its number is another run's.

    `lock` holds it until the transaction ends.
    """
    row = connection.execute(LOCKED if lock else OF_NUMBER, {"number": approval_id}).one_or_none()
    if row is None or run not in ("", row.run_id):
        raise no_request(approval_id)
    return row


def known(connection: Connection, approval_id: int) -> Row[Any] | None:
    """A request's row, if there is one with this number."""
    return connection.execute(OF_NUMBER, {"number": approval_id}).one_or_none()


def of_run(connection: Connection, run_id: str) -> Row[Any] | None:
    """The request that a run of a workflow opened, if it did."""
    return connection.execute(OF_RUN, {"run": run_id}).one_or_none()


def waiting_of(connection: Connection, requester: str, workflow_id: str) -> Sequence[Row[Any]]:
    """The waiting requests of somebody that a workflow with this id decides."""
    return connection.execute(WAITING_OF, {"who": requester, "workflow": workflow_id}).all()


def waiting_after(connection: Connection, after: int, limit: int) -> Sequence[Row[Any]]:
    """The next requests above a number that wait: who asks, what, and which workflow decides it."""
    names = ("approval_id", "requester", "question", "workflow_id", "run_id")
    waiting = (
        select(*(requests.c[name] for name in names))
        .where(*waits(connection.dialect.name == "sqlite", after))
        .order_by(*BY_STATUS)
    )
    return connection.execute(waiting.limit(as_written(limit))).all()


def waits(sqlite: bool, after: int = 0) -> list[ColumnElement[bool]]:
    """Conditions: a request waits, and its number is above `after`. For queries in the order `BY_STATUS`.

    For PostgreSQL this is a range of the index, not an equality: otherwise it would read all requests by their numbers,
    oldest first, if it expects to come upon enough that wait. SQLite finds the start by an equality only. A list is
    read in the same way, newest first (`index_paths`).
    """
    if sqlite:
        return [requests.c.status == WAITING, requests.c.approval_id > after]
    return [tuple_(*BY_STATUS) > tuple_(WAITING, as_written(after)), requests.c.status <= WAITING]


def opened_at(connection: Connection, requester: str, newest: int) -> datetime | None:
    """When somebody's newest request was opened, for 1; their second newest, for 2, and so on."""
    own = requests.c.requester == requester
    openings = select(requests.c.opened_at).where(own).order_by(requests.c.approval_id.desc())
    return connection.execute(openings.offset(newest - 1).limit(1)).scalar_one_or_none()


def add(
    connection: Connection,
    opening: Opening,
    route: Route,
    now: datetime,
    deadline: datetime,
    renews: int | None = None,
) -> Row[Any]:
    """Add a waiting request, and so give it its number; `renews` is the request whose grant a renewal continues."""
    question = opening.question
    row = {
        "workflow_id": opening.workflow_id,
        "run_id": opening.run_id,
        "token_run": opening.run_id,
        "started_at": opening.started_at,
        "question": question.model_dump(mode="json"),
        "asked_by": opening.asked_by,
        "route": route.model_dump(mode="json"),
        "requester": question.requester,
        **columns_of(question.subject),
        "status": Status.WAITING,
        "message": "",
        "level": 0,
        "opened_at": now,
        "deadline": deadline,
        "transition": 0,
        "renews": renews,
    }
    return connection.execute(ADD, row).one()


def next_transition(connection: Connection, approval_id: int, transition: int) -> Row[Any]:
    """Count one more transition of a request; returns its row."""
    last_transition = update(requests).where(requests.c.approval_id == approval_id).values(transition=transition)
    return connection.execute(last_transition.returning(requests)).one()


def last_transition_of(connection: Connection, approval_id: int) -> int:
    """The number of a request's last transition; no other is written until this transaction ends."""
    known: int = connection.execute(LAST_TRANSITION_OF, {"number": approval_id}).scalar_one()
    return known


def was_asked_by_another(connection: Connection, approval_id: int) -> bool:
    """Whether somebody else asked on behalf of the requester."""
    another = requests.c.asked_by.not_in(["", requests.c.requester])
    asked = select(requests.c.approval_id).where(requests.c.approval_id == approval_id, another)
    return connection.execute(asked).first() is not None


def waiting_approvers(connection: Connection, numbers: Collection[int] | None) -> Sequence[Row[Any, Any, Any, Any]]:
    """Number, requester, person and availability of everybody asked now, for these waiting requests or for all.

    A request about which nobody is asked has one row, without a person.
    """
    is_asked = (approvers.c.approval_id == requests.c.approval_id) & (approvers.c.level == requests.c.level)
    columns = requests.c.approval_id, requests.c.requester, approvers.c.person, approvers.c.availability
    asked = select(*columns).join(approvers, is_asked, isouter=True).where(*_waits_among(numbers))
    return connection.execute(asked).all()


def waiting_routes(connection: Connection, numbers: Collection[int] | None) -> Sequence[Row[Any, Any, Any, Any]]:
    """Number, requester, level and route of those of these requests, or of all, that wait."""
    columns = requests.c.approval_id, requests.c.requester, requests.c.level, requests.c.route
    return connection.execute(select(*columns).where(*_waits_among(numbers))).all()


def waiting_signals(connection: Connection, numbers: Collection[int] | None) -> Sequence[Row[int, str, str]]:
    """Number, person and signal of each report about those of these requests, or of all, that wait."""
    signalled = (
        select(signals.c.approval_id, signals.c.person, signals.c.signal)
        .join(requests, requests.c.approval_id == signals.c.approval_id)
        .where(*_waits_among(numbers))
    )
    return connection.execute(signalled).all()


def _waits_among(numbers: Collection[int] | None) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return requests.c.status == Status.WAITING, among(requests.c.approval_id, numbers)


def change(connection: Connection, approval_id: int, **values: Any) -> None:
    """Change these columns of a request."""
    connection.execute(CHANGE, {"number": approval_id, **values})
