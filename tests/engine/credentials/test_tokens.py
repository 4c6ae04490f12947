"""Tokens, on both databases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import select

from countersign.errors import NotFound, Refused
from countersign.kinds.connection import ConnectionProtocol
from engine.credentials.tokens import TokenActions
from engine.upkeep import Kept
from store import Store
from store.retention import Retention
from store.tables import metadata
from store.tokens import FORM, Owner
from tests.store.requests import at_once

MONTH = timedelta(days=30)
ADA = Owner(kind="person", name="ada", is_admin=True)
BASTION = Owner(
    kind="gateway",
    name="bastion",
    targets=["db-1"],
    target_groups=["web"],
    variants=[ConnectionProtocol.SSH, ConnectionProtocol.SFTP],
)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(database_url)
    yield store
    store.close()


@pytest.mark.parametrize("owner", [ADA, BASTION, Owner(kind="person", name="grace")])
def test_a_token_speaks_for_its_owner(store: Store, owner: Owner) -> None:
    made = TokenActions(store).create(owner, "ada")
    found = store.tokens.find(made)
    assert found is not None
    assert (found.owner, found.ended_at) == (owner, None)
    assert made.startswith(f"cs_{found.id}_")


def test_the_secret_is_kept_nowhere(store: Store) -> None:
    secret = TokenActions(store).create(ADA, "ada").rsplit("_", 1)[1]
    TokenActions(store).end(store.tokens.newest()[0].id, "ada")
    with store.database.reading() as connection:
        for table in metadata.sorted_tables:
            assert secret not in repr(connection.execute(select(table)).all())


def test_secrets_are_of_256_random_bits_and_never_the_same(store: Store) -> None:
    made = [TokenActions(store).create(ADA, "ada") for _ in range(20)]
    assert len({one.split("_")[1] for one in made}) == len({one.split("_")[2] for one in made}) == 20
    assert all(re.fullmatch(r"cs_[0-9a-f]{12}_[0-9a-f]{64}", one) for one in made)


def test_only_the_whole_token_is_found(store: Store) -> None:
    one, other = (TokenActions(store).create(ADA, "ada") for _ in range(2))
    crossed = "_".join([*one.split("_")[:2], other.split("_")[2]])
    hashed = store.tokens.find(one)
    assert hashed
    for text in (
        crossed,
        one[:-1],
        one + "0",
        one.upper(),
        f" {one}",
        f"{one}\n",
        one.replace("cs_", "CS_"),
        "",
        "cs__",
    ):
        assert store.tokens.find(text) is None, text


def test_a_token_that_has_ended_is_not_found(store: Store) -> None:
    made, other = (TokenActions(store).create(ADA, "ada") for _ in range(2))
    token = store.tokens.find(made)
    assert token
    ended = TokenActions(store).end(token.id, "ada")
    assert ended.ended_at is not None
    assert store.tokens.find(made) is None
    assert store.tokens.find(other) is not None
    assert [one.ended_at is None for one in store.tokens.newest()] == [True, False]


def test_each_creation_and_end_is_on_record_once(store: Store) -> None:
    token = store.tokens.find(TokenActions(store).create(BASTION, "operator"))
    assert token
    first = TokenActions(store).end(token.id, "ada")
    assert TokenActions(store).end(token.id, "grace") == first
    lines = store.events.since(0, 10**6)
    assert [(one.kind, one.who, one.proof) for one in lines] == [
        ("token_created", "operator", {"token": token.id}),
        ("token_ended", "ada", {"token": token.id}),
    ]
    assert all("gateway bastion" in one.detail for one in lines)


def test_no_such_token(store: Store) -> None:
    with pytest.raises(NotFound, match="no token nope"):
        TokenActions(store).end("nope", "ada")
    assert store.events.since(0, 10**6) == []


def test_a_gateway_is_never_an_admin(store: Store) -> None:
    made = TokenActions(store).create(BASTION.model_copy(update={"is_admin": True}), "ada")
    found = store.tokens.find(made)
    assert found
    assert found.owner.is_admin is False


@pytest.mark.parametrize("name", ["", "a b", "x" * 129, "gateway:x", "a\0b"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(ValidationError):
        Owner(kind="person", name=name)


@given(st.text())
def test_only_one_form_is_a_token(text: str) -> None:
    assert (FORM.fullmatch(text) is not None) == bool(re.fullmatch(r"cs_[0-9a-f]{12}_[0-9a-f]{64}", text))


def test_a_token_ends_by_itself_and_is_forgotten_a_month_later(store: Store) -> None:
    text = TokenActions(store).create(ADA, "ada", timedelta(hours=12), "a label")
    for_ever = TokenActions(store).create(BASTION, "ada")
    token = store.tokens.find(text)
    assert token
    assert token.ends_at
    assert (token.label, token.ends_at - token.created_at) == ("a label", timedelta(hours=12))
    now = datetime.now(UTC)
    assert [one.id for one in store.tokens.lasting(now, "ada")] == [token.id]
    assert store.tokens.lasting(token.ends_at, "ada") == []
    retention, kept = Retention(store.database), Kept(MONTH, MONTH, MONTH)
    retention.forget_some(kept.oldest(token.ends_at + kept.tokens))
    assert len(store.tokens.newest()) == 2
    retention.forget_some(kept.oldest(token.ends_at + kept.tokens + timedelta(seconds=1)))
    assert [one.owner for one in store.tokens.newest()] == [BASTION]
    assert store.tokens.find(for_ever)


def test_of_many_that_somebody_makes_at_once_no_more_are_made_than_anybody_may_have(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.credentials.tokens.MOST_TOKENS", 2)
    rules = TokenActions(store)

    def is_made(person: str) -> bool:
        try:
            return bool(rules.make_own(person, MONTH, "another"))
        except Refused:
            return False

    for person in ("alice", "bob", "grace", "ivan", "zoe"):
        rules.make_own(person, MONTH, "the first")
        assert sum(at_once(partial(is_made, person))) == 1
