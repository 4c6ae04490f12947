"""What the overview counts, against numbers worked out by hand, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from countersign.models import Status
from countersign.transitions import AuditEvent
from engine.statistics import overview_of
from store import Store
from store.tables import answers, requests
from tests.store.requests import a_transition, approving, asking, given, opened, store_answer, write

NOW = datetime.now(UTC)


def decided(store: Store, seconds: int, protocol: str, channel: str, days_ago: int = 1) -> int:
    """A request that grace approved this many seconds after it was opened."""
    at = NOW - timedelta(days=days_ago)
    number = opened(store, protocol=protocol).approval_id
    write(store, asking(number, "grace"))
    answer = store_answer(store, given(number, channel=channel, signed_in=True))
    write(store, approving(answer))
    with store.database.transaction() as connection:
        connection.execute(
            update(requests)
            .where(requests.c.approval_id == number)
            .values(opened_at=at, settled_at=at + timedelta(seconds=seconds))
        )
        connection.execute(
            update(answers).where(answers.c.approval_id == number).values(at=at + timedelta(seconds=seconds))
        )
    return number


def test_times_outcomes_and_refusals_are_those_worked_out_by_hand(store: Store) -> None:
    decided(store, 10**6, "http", "email", days_ago=40)
    for seconds, protocol, channel in ((60, "ssh", "email"), (120, "rdp", "slack"), (600, "sftp", "email")):
        decided(store, seconds, protocol, channel)
    expired = opened(store, device="web-2").approval_id
    write(store, asking(expired, "grace"))
    write(store, a_transition(expired, "1.expired", status=Status.EXPIRED, message="Expired."))
    opened(store, device="web-2", protocol="sftp")
    for number, proof in ((expired, {"code": "old_token"}), (expired - 1, {"code": "old_token"}), (expired, {})):
        store.events.record(
            number,
            AuditEvent(
                kind="answer_refused", at=NOW, who="grace", channel="email", detail=f"#{number} is over.", proof=proof
            ),
        )
    found = overview_of(store, 30)
    assert (found.requests, found.is_partial) == (5, False)
    assert {status: count for status, count in found.outcomes.items() if count} == {
        Status.APPROVED: 3,
        Status.EXPIRED: 1,
        Status.WAITING: 1,
    }
    assert [(one.name, one.count, one.median_seconds) for one in found.by_channel] == [
        ("email", 2, 330),
        ("slack", 1, 120),
    ]
    [group] = found.by_user_group
    assert (group.count, group.median_seconds, round(group.p90_seconds)) == (3, 120, 504)
    [grace] = found.people
    assert (grace.person, grace.asked, grace.answered, grace.let_expire, grace.median_seconds) == (
        "grace",
        4,
        3,
        1,
        120,
    )
    assert [(one.reason, one.count) for one in found.refusals] == [("old_token", 2), ("#… is over.", 1)]
    assert overview_of(store, 90).requests == 6


def test_who_lets_requests_expire_and_never_answers_is_the_slowest(store: Store) -> None:
    decided(store, 600, "ssh", "email")
    for person, protocol in (("bob", "rdp"), ("carol", "sftp")):
        number = opened(store, protocol=protocol).approval_id
        write(store, asking(number, person))
        if person == "bob":
            write(store, a_transition(number, "1.expired", status=Status.EXPIRED, message="Expired."))
    assert [one.person for one in overview_of(store, 30).people] == ["bob", "grace", "carol"]


def test_of_many_requests_the_newest_are_counted_and_that_is_said(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for protocol in ("ssh", "rdp", "sftp"):
        opened(store, device="web-1", protocol=protocol)
    monkeypatch.setattr("store.statistics.MOST_COUNTED", 2)
    found = overview_of(store, 7)
    assert (found.requests, found.is_partial) == (2, True)


def test_nothing_is_counted_where_nothing_happened(store: Store) -> None:
    found = overview_of(store, 7)
    assert (found.requests, found.people, found.by_channel, found.refusals) == (0, [], [], [])
