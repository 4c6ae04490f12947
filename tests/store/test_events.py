"""The record: append-only, gapless, and visible in the order of its versions, however many write at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from store import Store
from store.database import Database
from store.events import append
from tests.store.requests import a_transition, audit_event, opened, write

WRITERS = 6
EACH = 15


def test_many_writers_leave_no_gaps_and_a_reader_never_sees_a_later_row_before_an_earlier(
    store: Store, migrated_url: str
) -> None:
    stores = [Store(migrated_url) for _ in range(WRITERS)]
    before = store.events.last_version()
    seen: list[int] = []
    done = threading.Event()

    def follow() -> None:
        while len(seen) < WRITERS * EACH * 2:
            over = done.is_set()
            rows = store.events.since(before + len(seen))
            seen.extend(row.version - before for row in rows)
            assert rows or not over, f"only {len(seen)} rows came"

    def write(one: Store) -> None:
        for _ in range(EACH):
            with one.database.transaction() as connection:
                append(connection, None, [audit_event("asked_again"), audit_event("asked_again")])

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        reader = pool.submit(follow)
        list(pool.map(write, stores))
        done.set()
        reader.result()
    assert seen == list(range(1, WRITERS * EACH * 2 + 1))
    for each in stores:
        each.close()


def test_a_transaction_that_fails_leaves_neither_row_nor_gap(store: Store) -> None:
    before = store.events.last_version()

    def fail() -> None:
        with store.database.transaction() as connection:
            append(connection, None, [audit_event("opened")])
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert store.events.last_version() == before
    assert store.events.record(None, audit_event("opened")) == before + 1
    assert [row.version for row in store.events.since(before)] == [before + 1]


def test_a_request_has_its_own_timeline(store: Store) -> None:
    first, second = opened(store), opened(store, device="web-2")
    write(store, a_transition(first.approval_id, "transition 1", events=[audit_event("level_started")]))
    write(store, a_transition(second.approval_id, "transition 1", events=[audit_event("level_started")]))
    for request in (first, second):
        rows = store.events.of(request.approval_id)
        assert [row.kind for row in rows] == ["opened", "level_started"]
        assert {row.approval_id for row in rows} == {request.approval_id}
    assert store.reading.request(second.approval_id).version == store.events.last_version()


def test_the_feed_is_read_in_portions(store: Store) -> None:
    start = store.events.last_version()
    for _ in range(5):
        store.events.record(None, audit_event("asked_again"))
    assert [row.version for row in store.events.since(start, limit=2)] == [start + 1, start + 2]
    assert [row.version for row in store.events.since(start + 4)] == [start + 5]
    assert store.events.since(start + 5) == []


def test_sqlite_waits_for_another_process_instead_of_failing(sqlite_url: str) -> None:
    store, other = Store(sqlite_url), Database(sqlite_url)
    holding, release = threading.Event(), threading.Event()

    def hold() -> None:
        with other.transaction() as connection:
            connection.execute(text("UPDATE feed SET version = version"))
            holding.set()
            release.wait(120)

    with ThreadPoolExecutor(2) as pool:
        held = pool.submit(hold)
        assert holding.wait(120)
        writing = pool.submit(store.events.record, None, audit_event("asked_again"))
        assert store.events.last_version() == 0  # readers wait for nobody
        assert not writing.done()
        release.set()
        held.result()
        assert writing.result() == 1
    store.close()
    other.close()
