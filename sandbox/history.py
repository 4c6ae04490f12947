"""A database with a history: requests written in bulk, as their workflows would have left them."""

import io
import json
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, insert, select, text, update

from countersign.kinds.connection import ConnectionQuestion
from countersign.models import LevelRule, Route
from countersign.transitions import GRANT_TRANSITION
from sandbox.copied_rows import copy_rows
from sandbox.device_history import write_devices
from sandbox.sign_in_history import write_sign_ins
from store import Store, postgres
from store import tables as t

Row = dict[str, Any]
Rows = dict[Table, list[Row]]

# Asked about every request, and so with more past requests than anybody else.
APPROVER = "grace"
SECOND_APPROVER = "heidi"
PEOPLE = 20
# One device was registered, and somebody signed in once, for this many past requests.
REQUESTS_FOR_A_DEVICE = 10
LIVE_CHANNEL = "slack"
# How long past requests have been over, at least; each is a minute older than the next.
ONE_DAY_MINUTES = 24 * 60
# How many of a hundred past requests; the others were approved.
REJECTED, EXPIRED, CANCELLED = 8, 7, 5
CHUNK = 5_000
# Of a long history this many are written here, and copied by the database; their outcomes repeat after a hundred.
COPIED = 1_000
# How many requests are copied in one transaction.
COPIED_AT_ONCE = 20_000
# Growing indexes stay in memory, up to this many kB.
SQLITE_COPIES = ("PRAGMA cache_size = -1000000",)
# No foreign keys are checked, as the copies refer only to rows that exist; only a superuser may set this.
POSTGRES_COPIES = (
    "SET LOCAL work_mem = '256MB'",
    "SET LOCAL session_replication_role = replica",
)
# In PostgreSQL's COPY: what NULL is, and what would end a field or a row.
COPY_NULL = "\\N"
COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def policy() -> str:
    """Twenty people; for each of their requests two managers are asked, by mail and in Slack."""
    names = ["ada", APPROVER, SECOND_APPROVER, *(requester(n) for n in range(PEOPLE))]
    members = [requester(n) for n in range(PEOPLE)]
    users = {one: {"name": one.title(), "email": f"{one}@example.test"} for one in names}
    group = {"members": members, "managers": [APPROVER, SECOND_APPROVER], "require_managerial_approval": True}
    return json.dumps(
        {
            "users": users | {"ada": {"name": "Ada", "email": "ada@example.test", "roles": ["admin"]}},
            "user_groups": {"everybody": group},
            "device_groups": {"servers": {"devices": ["server-1"]}},
            "channels": {"email": "decide", LIVE_CHANNEL: "decide"},
        }
    )


def requester(number: int) -> str:
    """One of the twenty people."""
    return f"user-{number % PEOPLE}"


def write_history(
    store: Store, past: int, waiting: int, lasting: int = 0, say: Callable[[str], None] = lambda _: None
) -> None:
    """Write `past` settled requests, and `waiting` that wait, after all that a store has. Nothing of it is due.

    Of the newest `lasting` settled ones, those that were approved have grants that still last. `say` is told how many
    are written.
    """
    with store.database.transaction() as connection:
        newest = select(t.requests.c.approval_id).order_by(t.requests.c.approval_id.desc()).limit(1)
        first = (connection.execute(newest).scalar_one_or_none() or t.FIRST_APPROVAL_ID - 1) + 1
    copies = max((past - lasting) // COPIED - 1, 0)
    if copies:
        _write(store, range(first, first + COPIED), past, lasting)
        _copy(store, first, copies, say)
    done = COPIED * (copies + 1) if copies else 0
    for start in range(done, past + waiting, CHUNK):
        numbers = range(first + start, first + min(start + CHUNK, past + waiting))
        _write(store, numbers, past - start, lasting)
    write_devices(store, past // REQUESTS_FOR_A_DEVICE, PEOPLE)
    write_sign_ins(store, past // REQUESTS_FOR_A_DEVICE, PEOPLE)
    say(f"{past:,} past and {waiting:,} waiting requests are written")


def _write(store: Store, numbers: range, age: int, lasting: int) -> None:
    """Write the requests with these numbers; the first has this age, and each is a minute older than the next."""
    with store.database.transaction() as connection:
        version = connection.execute(select(t.feed.c.version)).scalar_one()
        rows: Rows = defaultdict(list)
        for n, number in enumerate(numbers):
            version = _Request(rows, number, age - n, version, lasting).write()
        for table, its in rows.items():
            _insert(connection, table, its)
        connection.execute(update(t.feed).values(version=version))
        _count_on(connection, numbers[-1])


def _copy(store: Store, first: int, copies: int, say: Callable[[str], None]) -> None:
    """Copy the COPIED requests from `first` on `copies` times, each copy younger than the one before."""
    with store.database.transaction() as connection:
        versions = connection.execute(select(t.feed.c.version)).scalar_one()
        oldest = select(t.events.c.version).where(t.events.c.approval_id == first).order_by(t.events.c.version).limit(1)
        versions += 1 - connection.execute(oldest).scalar_one()
    at_once = COPIED_AT_ONCE // COPIED
    for start in range(1, copies + 1, at_once):
        some = range(start, min(start + at_once, copies + 1))
        with _patient(store) as connection:
            for setting in SQLITE_COPIES if store.database.is_sqlite else POSTGRES_COPIES:
                connection.execute(text(setting))
            copy_rows(connection, first, COPIED, some, versions)
            connection.execute(update(t.feed).values(version=t.feed.c.version + len(some) * versions))
        say(f"{(some[-1] + 1) * COPIED:,} past requests are written")


def _patient(store: Store) -> AbstractContextManager[Connection]:
    """A transaction that may take long."""
    database = store.database
    return database.transaction() if database.is_sqlite else postgres.patient(database.url).begin()


class _Request:
    """The rows of one request: a past one if `age` is positive, else one that waits."""

    def __init__(self, rows: Rows, number: int, age: int, version: int, lasting: int) -> None:
        self.rows = rows
        self.number = number
        self.version = version
        self.waits = age <= 0
        self.opened = datetime.now(UTC) - timedelta(minutes=1 if self.waits else ONE_DAY_MINUTES + age)
        self.status = "Waiting" if self.waits else _outcome(number)
        self.has_grant = self.status == "Approved"
        self.lasts = self.has_grant and age <= lasting
        self.transition = 1 if self.waits else GRANT_TRANSITION if self.has_grant and not self.lasts else 2

    def write(self) -> int:
        """Add all rows; returns the version of the last event."""
        self._add_request()
        self._event("opened", requester(self.number))
        self._ask()
        if not self.waits:
            self._answer()
            self._settle()
        return self.version

    def _add_request(self) -> None:
        question = ConnectionQuestion.model_validate(
            {"requester": requester(self.number), "device": f"device-{self.number}", "protocol": "ssh"}
        )
        level = LevelRule.model_validate({"approvers": [{"managers_of": "everybody"}]})
        route = Route(
            because="managers of everybody",
            levels=[level],
            expires_after=timedelta(hours=1),
            grant_lasts=timedelta(hours=1),
            channels={"email": "decide", LIVE_CHANNEL: "decide"},
        )
        self._add(
            t.requests,
            approval_id=self.number,
            workflow_id=question.workflow_id,
            run_id=f"run-{self.number}",
            question=question.model_dump(mode="json"),
            asked_by=question.requester,
            route=route.model_dump(mode="json"),
            requester=question.requester,
            target=question.device,
            variant=question.protocol,
            status=self.status,
            message="" if self.waits else f"{self.status} by {APPROVER}.",
            level=1,
            opened_at=self.opened,
            deadline=self.opened + timedelta(hours=1 if not self.waits else 24),
            settled_at=None if self.waits else self.opened,
            transition=self.transition,
        )

    def _ask(self) -> None:
        self._add(t.transition_keys, approval_id=self.number, key="1.level_started", number=1)
        self._event("level_started", "countersign")
        self._notification(1, "opened", requester(self.number), LIVE_CHANNEL)
        for person in (APPROVER, SECOND_APPROVER):
            self._add(
                t.approvers,
                approval_id=self.number,
                level=1,
                person=person,
                because="manager of everybody",
                availability="away" if self._second_is_away and person == SECOND_APPROVER else "",
            )
            self._notification(1, "asked", person, "email")
            self._notification(1, "asked", person, LIVE_CHANNEL)
        if self._second_is_away:
            detail = "Out of office"
            self._add(
                t.signals,
                id=self.number,
                person=SECOND_APPROVER,
                approval_id=self.number,
                signal="away",
                detail=detail,
                at=self.opened,
            )
            self._event("away", SECOND_APPROVER)

    @property
    def _second_is_away(self) -> bool:
        return self.number % 10 == 0

    def _answer(self) -> None:
        own_id = f"{self.number:032}"
        self._add(
            t.answers,
            id=own_id,
            channel="email",
            source_id=own_id,
            approval_id=self.number,
            level=1,
            person=APPROVER,
            verdict="reject" if self.status == "Rejected" else "approve",
            comment="fine",
            proof={"message_id": f"<{self.number}@example.test>"},
            at=self.opened,
            state="accepted" if self.status in ("Approved", "Rejected") else "refused",
            message="It counted.",
        )
        self._add(
            t.mails,
            mailbox="INBOX",
            digest=own_id,
            message_id=f"<{self.number}@example.test>",
            uidvalidity=1,
            uid=self.number,
            state="handled",
            why="",
            claimed_until=self.opened,
        )
        self._event("answered", APPROVER)

    def _settle(self) -> None:
        self._add(t.transition_keys, approval_id=self.number, key="1.answer", number=2)
        self._event(self.status.lower(), APPROVER)
        for person in (requester(self.number), APPROVER, SECOND_APPROVER):
            self._notification(2, "settled", person, "email")
        if self.has_grant:
            ends = datetime.now(UTC) + timedelta(hours=1) if self.lasts else self.opened + timedelta(hours=1)
            self._add(
                t.grants,
                approval_id=self.number,
                requester=requester(self.number),
                target=f"device-{self.number}",
                variant="ssh",
                source_address="",
                status="Active" if self.lasts else "Ended",
                starts_at=self.opened,
                ends_at=ends,
                ended_at=None if self.lasts else ends,
                message="",
            )
            self._event("granted", requester(self.number))

    def _notification(self, transition: int, event: str, person: str, channel: str) -> None:
        self._add(
            t.notifications,
            id=f"{self.number}.{transition}.{event}.{person}.{channel}",
            approval_id=self.number,
            event=event,
            level=1,
            person=person,
            channel=channel,
            message="",
            in_reply_to="",
            state="sent",
            reference=f"<{self.number}.{transition}.{event}.{person}@example.test>",
            written_at=self.opened,
            tries=0,
            retry_at=self.opened,
            shows=self.transition if channel == LIVE_CHANNEL else None,
        )
        self._event("noticed", person)

    def _event(self, kind: str, who: str) -> None:
        self.version += 1
        self._add(
            t.events,
            version=self.version,
            approval_id=self.number,
            kind=kind,
            at=self.opened,
            who=who,
            channel="email",
            detail=kind,
            proof={},
        )

    def _add(self, table: Table, **row: Any) -> None:
        self.rows[table].append(row)


def _outcome(number: int) -> str:
    of_a_hundred = number % 100
    for status, share in (("Rejected", REJECTED), ("Expired", EXPIRED), ("Cancelled", CANCELLED)):
        if of_a_hundred < share:
            return status
        of_a_hundred -= share
    return "Approved"


def _insert(connection: Connection, table: Table, rows: list[Row]) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(insert(table), rows)
        return
    # The driver sends a message for each inserted row, which would take ten times as long.
    columns = [column for column in table.columns if column.key in rows[0]]
    lines = ("\t".join(_copied(row[column.key]) for column in columns) + "\n" for row in rows)
    cursor: Any = connection.connection.cursor()
    stream = io.BytesIO("".join(lines).encode())
    cursor.execute(f"COPY {table.name} ({', '.join(column.name for column in columns)}) FROM STDIN", stream=stream)


def _copied(value: Any) -> str:
    if value is None:
        return COPY_NULL
    if isinstance(value, dict | list):
        value = json.dumps(value)
    return str(value).translate(COPY_ESCAPES)


def _count_on(connection: Connection, newest: int) -> None:
    """Have the next request get the next number."""
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(f"ALTER SEQUENCE requests_approval_id_seq RESTART WITH {newest + 1}")
