"""Claims and replies, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from store import Store
from store.idempotency import Idempotency
from store.tables import idempotency

LEASE = timedelta(seconds=30)
KEPT = timedelta(days=1)
REPLY = {"status": 201, "body": {"approval_id": 1001}, "location": None}


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(database_url)
    yield store
    store.close()


@pytest.fixture
def replies(store: Store) -> Idempotency:
    return store.idempotency


def age(store: Store, by: timedelta) -> None:
    """Make all claims this old."""
    with store.database.transaction() as connection:
        connection.execute(update(idempotency).values(at=datetime.now(UTC) - by))


def test_one_claims_and_others_get_its_reply(replies: Idempotency) -> None:
    assert replies.claim("t", "k", "d", LEASE) == "ours"
    assert replies.claim("t", "k", "d", LEASE) == "busy"
    replies.reply("t", "k", REPLY)
    assert replies.claim("t", "k", "d", LEASE) == REPLY


def test_a_key_is_for_one_request(replies: Idempotency) -> None:
    replies.claim("t", "k", "d", LEASE)
    for _ in range(2):
        assert replies.claim("t", "k", "other", LEASE) == "other"
        replies.reply("t", "k", REPLY)
    assert replies.claim("other", "k", "other", LEASE) == "ours"
    assert replies.claim("t", "other", "other", LEASE) == "ours"


def test_a_claim_that_was_given_back_is_anybodys(replies: Idempotency) -> None:
    replies.claim("t", "k", "d", LEASE)
    replies.release("t", "k", LEASE)
    assert replies.claim("t", "k", "other", LEASE) == "other"
    assert replies.claim("t", "k", "d", LEASE) == "ours"
    assert replies.claim("t", "k", "d", LEASE) == "busy"


def test_a_claim_of_somebody_who_crashed_is_taken_over_after_its_lease(store: Store, replies: Idempotency) -> None:
    replies.claim("t", "k", "d", LEASE)
    age(store, LEASE - timedelta(seconds=5))
    assert replies.claim("t", "k", "d", LEASE) == "busy"
    age(store, LEASE + timedelta(seconds=5))
    assert replies.claim("t", "k", "d", LEASE) == "ours"
    assert replies.claim("t", "k", "d", LEASE) == "busy"


def test_a_reply_outlives_the_lease(store: Store, replies: Idempotency) -> None:
    replies.claim("t", "k", "d", LEASE)
    replies.reply("t", "k", REPLY)
    age(store, 2 * LEASE)
    assert replies.claim("t", "k", "d", LEASE) == REPLY


def test_a_look_finds_what_a_claim_would_and_claims_nothing(store: Store, replies: Idempotency) -> None:
    assert replies.find("t", "k", "d", LEASE) == "free"
    assert replies.claim("t", "k", "d", LEASE) == "ours"
    assert replies.find("t", "k", "d", LEASE) == "busy"
    assert replies.find("t", "k", "other", LEASE) == "other"
    age(store, LEASE + timedelta(seconds=5))
    assert replies.find("t", "k", "d", LEASE) == "free"
    replies.reply("t", "k", REPLY)
    assert replies.find("t", "k", "d", LEASE) == REPLY


def test_of_many_at_once_one_claims(replies: Idempotency) -> None:
    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(lambda _: replies.claim("t", "k", "d", LEASE), range(12)))
    assert sorted(map(str, claims)) == ["busy"] * 11 + ["ours"]
