"""Logins of command lines: the rules, on a database alone."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from countersign.error_codes import ErrorCode
from countersign.errors import NotFound, Refused, TooMany
from countersign.machines import LONGEST_LABEL
from engine.credentials.device_login import (
    INTERVAL_SECONDS,
    LETTERS,
    LOGINS_FROM_ONE_SOURCE,
    LONGEST_MACHINE,
    TOKEN_LASTS,
    CommandLineLogins,
    as_shown,
)
from store import Store
from store.tables import logins

HERE, PROOF = "192.0.2.7", {"session": "s1", "from": "192.0.2.9"}


def moved(store: Store, **by: timedelta) -> None:
    """Move these times of all logins into the past."""
    with store.database.transaction() as connection:
        for row in connection.execute(logins.select()).all():
            earlier = {name: row._mapping[name] - length for name, length in by.items() if row._mapping[name]}
            connection.execute(update(logins).where(logins.c.device_hash == row.device_hash).values(earlier))


def refusal(rules: CommandLineLogins, device_code: str) -> str:
    with pytest.raises(Refused) as refused:
        rules.poll(device_code)
    return str(refused.value.code)


def test_a_login_that_is_allowed_gives_one_token_which_ends(store: Store) -> None:
    rules = CommandLineLogins(store)
    begun = rules.begin("countersign of g on laptop\n\u202e", HERE)
    assert len(begun.user_code) == 8
    assert set(begun.user_code) <= set(LETTERS)
    assert refusal(rules, begun.device_code) == ErrorCode.AUTHORIZATION_PENDING
    typed = f" {as_shown(begun.user_code).lower()} "
    seen = rules.waiting(typed, "grace", HERE)
    assert (seen.machine, seen.source_address) == ("countersign of g on laptop", HERE)
    rules.answer(typed, "grace", True, PROOF)
    moved(store, polled_at=timedelta(seconds=INTERVAL_SECONDS))
    token = store.tokens.find(rules.poll(begun.device_code))
    assert token
    assert token.ends_at
    assert (token.owner.name, token.owner.is_admin, token.ends_at - token.created_at) == ("grace", False, TOKEN_LASTS)
    assert token.label == "login on countersign of g on laptop"
    assert refusal(rules, begun.device_code) == ErrorCode.EXPIRED_TOKEN
    for person in ("grace", "alice"):
        with pytest.raises(NotFound, match="answered already"):
            rules.answer(begun.user_code, person, True, PROOF)
    kinds = [
        (one.kind, one.who, one.proof)
        for one in store.events.since(0, 10**6)
        if one.kind.startswith(("login", "token"))
    ]
    assert kinds == [
        ("login_asked", "", {"from": HERE}),
        ("login_allowed", "grace", {**PROOF, "asked_from": HERE}),
        ("token_created", "grace", {"token": token.id}),
        ("login_refused", "grace", {"from": PROOF["from"]}),
        ("login_refused", "alice", {"from": PROOF["from"]}),
    ]
    with store.database.reading() as connection:
        assert begun.device_code not in str(connection.execute(logins.select()).all())


def test_a_login_that_is_denied_or_old_gives_nothing(store: Store) -> None:
    rules = CommandLineLogins(store)
    denied, old = rules.begin("a", HERE), rules.begin("b", HERE)
    rules.answer(denied.user_code, "grace", False, PROOF)
    assert refusal(rules, denied.device_code) == ErrorCode.ACCESS_DENIED
    rules.answer(old.user_code, "grace", True, PROOF)
    moved(store, ends_at=timedelta(minutes=10))
    assert refusal(rules, old.device_code) == ErrorCode.EXPIRED_TOKEN
    assert refusal(rules, "0" * 64) == ErrorCode.EXPIRED_TOKEN
    waiting = rules.begin("c", HERE)
    moved(store, ends_at=timedelta(minutes=10))
    with pytest.raises(NotFound, match="older than ten minutes"):
        rules.waiting(waiting.user_code, "grace", HERE)
    assert store.tokens.lasting(datetime.now(UTC)) == []


def test_who_polls_too_often_has_to_wait_longer(store: Store) -> None:
    rules = CommandLineLogins(store)
    begun = rules.begin("a", HERE)
    polled = [refusal(rules, begun.device_code) for _ in range(3)]
    assert polled == [ErrorCode.AUTHORIZATION_PENDING, ErrorCode.SLOW_DOWN, ErrorCode.SLOW_DOWN]
    rules.answer(begun.user_code, "grace", True, PROOF)
    moved(store, polled_at=timedelta(seconds=2 * INTERVAL_SECONDS))
    assert refusal(rules, begun.device_code) == ErrorCode.SLOW_DOWN
    moved(store, polled_at=timedelta(seconds=4 * INTERVAL_SECONDS))
    assert rules.poll(begun.device_code)


@pytest.mark.parametrize("typed", ["", "-", "BCDF", "' OR 1=1 --", "\x00", "é" * 8, "B" * 8])
def test_what_is_no_code_finds_nothing(store: Store, typed: str) -> None:
    rules = CommandLineLogins(store)
    rules.begin("a", HERE)
    with pytest.raises(NotFound):
        rules.waiting(typed, "grace", HERE)


def test_from_one_address_come_so_many_logins_an_hour(store: Store) -> None:
    rules = CommandLineLogins(store)
    for _ in range(LOGINS_FROM_ONE_SOURCE):
        rules.begin("a", HERE)
    with pytest.raises(TooMany, match="Too many logins"):
        rules.begin("a", HERE)
    refused = store.events.since(store.events.last_version() - 1)
    assert [(one.kind, one.proof) for one in refused] == [("login_refused", {"from": HERE})]
    rules.begin("a", "192.0.2.8")
    moved(store, asked_at=timedelta(hours=1))
    rules.begin("a", HERE)


def test_the_longest_name_of_a_machine_makes_a_token(store: Store) -> None:
    rules = CommandLineLogins(store)
    begun = rules.begin("m" * 2 * LONGEST_MACHINE, HERE)
    rules.answer(begun.user_code, "grace", True, PROOF)
    token = store.tokens.find(rules.poll(begun.device_code))
    assert token
    assert token.label == f"login on {'m' * LONGEST_MACHINE}"[:LONGEST_LABEL]
