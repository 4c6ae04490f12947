"""Passkeys: the rules, on a database alone."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from countersign.errors import NotAllowed, NotFound, Refused
from engine.credentials.passkeys import CHALLENGE_LASTS, MOST_PASSKEYS, NewPasskey, PasskeyActions
from engine.credentials.sign_in import From, SignIn
from store import Store
from store.tables import sessions

HERE, PROOF = From("a", "b", "192.0.2.1"), {"session": "s1"}


def session_of(store: Store) -> str:
    rules = SignIn(store)
    return rules.by_link(rules.make_link("grace", "operator"), HERE).cookie.partition("_")[0]


def test_a_challenge_is_given_out_once_and_lasts_a_short_time(store: Store) -> None:
    rules, session_id = PasskeyActions(store), session_of(store)
    first = rules.challenge(session_id)
    second = rules.challenge(session_id)
    assert first != second
    assert rules.take_challenge(session_id) == second
    for unknown in (session_id, "nothing"):
        with pytest.raises(NotAllowed, match="took too long"):
            rules.take_challenge(unknown)
    rules.challenge(session_id)
    with store.database.transaction() as connection:
        connection.execute(update(sessions).values(challenge_ends_at=datetime.now(UTC)))
    assert timedelta(0) < CHALLENGE_LASTS
    with pytest.raises(NotAllowed, match="took too long"):
        rules.take_challenge(session_id)


def test_a_passkey_is_one_persons_and_nobody_has_more_than_anybody_needs(store: Store) -> None:
    rules = PasskeyActions(store)
    rules.add("grace", NewPasskey("id0", b"key", 0), "laptop", PROOF)
    for person in ("grace", "alice"):
        with pytest.raises(Refused, match="known already"):
            rules.add(person, NewPasskey("id0", b"other", 0), "laptop", PROOF)
    for number in range(1, MOST_PASSKEYS):
        rules.add("grace", NewPasskey(f"id{number}", b"key", 0), "laptop", PROOF)
    with pytest.raises(Refused, match="remove one"):
        rules.add("grace", NewPasskey("one more", b"key", 0), "laptop", PROOF)
    first, *_ = store.passkeys.of("grace")
    with pytest.raises(NotFound):
        rules.remove(first.id, "alice", PROOF)
    rules.remove(first.id, "grace", PROOF)
    assert first not in store.passkeys.of("grace")
    assert store.passkeys.of("alice") == []


def test_confirming_is_on_record_and_counts_from_now_in_this_session_alone(store: Store) -> None:
    rules, session_id, other = PasskeyActions(store), session_of(store), session_of(store)
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    with store.database.transaction() as connection:
        connection.execute(update(sessions).values(confirmed_at=long_ago))
    rules.add("grace", NewPasskey("id0", b"key", 3), "laptop", PROOF)
    [passkey] = store.passkeys.of("grace")
    rules.confirm(passkey, 4, session_id, PROOF)
    [used] = store.passkeys.of("grace")
    assert (used.sign_count, used.used_at is not None) == (4, True)
    found = {one.id: one.confirmed_at for one in store.sessions.lasting(datetime.now(UTC), "grace")}
    assert found[session_id] > long_ago == found[other]
    last = store.events.since(0, 10**6)[-1]
    assert (last.kind, last.who, last.proof) == ("confirmed", "grace", {**PROOF, "passkey": passkey.id})
