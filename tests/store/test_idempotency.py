"""Claims and replies, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from countersign.errors import BadQuestion
from store import Store
from store.idempotency import KEPT, LEASE, Idempotency
from store.tables import idempotency

REPLY = {"status": 201, "body": {"approval_id": 1001}, "location": None}


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(database_url)
    yield store
    store.close()


@pytest.fixture
def book(store: Store) -> Idempotency:
    return store.idempotency


def age(store: Store, by: timedelta) -> None:
    """Let time pass for all claims."""
    with store.database.transaction() as connection:
        connection.execute(update(idempotency).values(at=datetime.now(UTC) - by))


def test_one_claims_and_others_get_its_reply(book: Idempotency) -> None:
    assert book.claim("t", "k", "d") == "ours"
    assert book.claim("t", "k", "d") == "busy"
    book.reply("t", "k", REPLY)
    assert book.claim("t", "k", "d") == REPLY


def test_a_key_is_for_one_request(book: Idempotency) -> None:
    book.claim("t", "k", "d")
    for _ in range(2):
        with pytest.raises(BadQuestion, match="take a new one"):
            book.claim("t", "k", "other")
        book.reply("t", "k", REPLY)
    assert book.claim("other", "k", "other") == "ours"
    assert book.claim("t", "other", "other") == "ours"


def test_a_claim_that_was_given_back_is_anybodys(book: Idempotency) -> None:
    book.claim("t", "k", "d")
    book.release("t", "k")
    with pytest.raises(BadQuestion):
        book.claim("t", "k", "other")
    assert book.claim("t", "k", "d") == "ours"
    assert book.claim("t", "k", "d") == "busy"


def test_a_claim_of_somebody_who_crashed_is_taken_over_after_its_lease(store: Store, book: Idempotency) -> None:
    book.claim("t", "k", "d")
    age(store, LEASE - timedelta(seconds=5))
    assert book.claim("t", "k", "d") == "busy"
    age(store, LEASE + timedelta(seconds=5))
    assert book.claim("t", "k", "d") == "ours"
    assert book.claim("t", "k", "d") == "busy"


def test_a_reply_outlives_the_lease(store: Store, book: Idempotency) -> None:
    book.claim("t", "k", "d")
    book.reply("t", "k", REPLY)
    age(store, 2 * LEASE)
    assert book.claim("t", "k", "d") == REPLY


def test_a_look_finds_what_a_claim_would_and_claims_nothing(store: Store, book: Idempotency) -> None:
    assert book.look("t", "k", "d") == "free"
    assert book.claim("t", "k", "d") == "ours"
    assert book.look("t", "k", "d") == "busy"
    with pytest.raises(BadQuestion, match="take a new one"):
        book.look("t", "k", "other")
    age(store, LEASE + timedelta(seconds=5))
    assert book.look("t", "k", "d") == "free"
    book.reply("t", "k", REPLY)
    assert book.look("t", "k", "d") == REPLY


def test_old_replies_are_forgotten(store: Store, book: Idempotency) -> None:
    book.claim("t", "old", "d")
    age(store, KEPT + timedelta(minutes=1))
    book.claim("t", "new", "d")
    book.forget_old()
    with store.database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(idempotency)).scalar_one() == 1
    assert book.claim("t", "old", "d") == "ours"


def test_of_many_at_once_one_claims(book: Idempotency) -> None:
    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(lambda _: book.claim("t", "k", "d"), range(12)))
    assert sorted(map(str, claims)) == ["busy"] * 11 + ["ours"]
