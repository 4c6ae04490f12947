"""Searching the record: the pages together have what was asked for, in order of time, on both databases."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from countersign.transitions import AuditEvent
from countersign.views import AuditEventView
from engine.policy import apply_policy
from store import Store
from store.audit import WantedEvents
from store.events import append
from tests.store.requests import opened
from tests.store.test_filters import POLICY

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PEOPLE = ("alice", "grace", "countersign", "")
KINDS = ("opened", "noticed", "answered")


@pytest.fixture(scope="module")
def store(module_url: str) -> Iterator[Store]:
    """A record in which some rows were written long after they happened, and some happened at the same moment."""
    with closing(Store(module_url)) as one:
        apply_policy(one, POLICY, "ada")
        numbers = [opened(one, device=device).approval_id for device in ("web-1", "web-2", "db_1")]
        numbers.append(opened(one, device="web-1", protocol="rdp").approval_id)
        with one.database.transaction() as connection:
            for n, (number, who, kind) in enumerate(itertools.product([*numbers, None], PEOPLE, KINDS)):
                at = NOON + timedelta(minutes=n // 2 - (30 if n % 7 == 0 else 0))
                event = AuditEvent.model_validate({"kind": kind, "at": at, "who": who, "proof": {"n": str(n)}})
                append(connection, number, [event])
        yield one


def test_pages_hold_together_what_one_looks_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.audit.MOST_READ", 3)
    monkeypatch.setattr("store.audit.MOST_REQUESTS", 2)
    every = store.events.since(0, 10**6)
    numbers = {one.approval_id for one in every if one.approval_id}
    devices = {number: store.reading.request(number).subject.target for number in numbers}
    first = min(devices)
    for person, kind, device, number, since, until in itertools.product(
        ("", "grace", "nobody"),
        ("", "noticed", "granted"),
        ("", "web-1", "nothing"),
        (None, first, first + 1),
        (None, NOON + timedelta(minutes=4)),
        (None, NOON + timedelta(minutes=9)),
    ):
        wanted = WantedEvents(person, device, number, kind, since, until, limit=4)
        found = [
            one
            for one in every
            if person in ("", one.who)
            and kind in ("", one.kind)
            and (not device or devices.get(one.approval_id or 0) == device)
            and number in (None, one.approval_id)
            and (since is None or one.at >= since)
            and (until is None or one.at < until)
        ]
        by_request = bool(device or number)
        key = (lambda one: (one.approval_id, one.version)) if by_request else (lambda one: (one.at, one.version))
        expected = [one.version for one in sorted(found, key=key, reverse=True)]
        assert [one.version for one in _all_pages(store, wanted)] == expected, wanted


def test_rows_bear_the_names_of_the_directory(store: Store) -> None:
    page, _ = store.audit.page(WantedEvents(person="grace", limit=1))
    assert [one.name for one in page] == ["Grace"]


def test_a_page_after_a_row_that_there_is_not_is_the_first(store: Store) -> None:
    assert store.audit.page(WantedEvents(before=10**9)) == store.audit.page(WantedEvents())


def _all_pages(store: Store, wanted: WantedEvents) -> Iterator[AuditEventView]:
    goes_on: int | None = None
    while True:
        page, goes_on = store.audit.page(replace(wanted, before=goes_on))
        assert len(page) <= wanted.limit
        yield from page
        if goes_on is None:
            return
