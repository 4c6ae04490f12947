"""The secrets of machines, and how they are kept, on both databases."""

from __future__ import annotations

import hmac
import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from countersign.machines import NewProvisioningKey, NewServiceToken, ServiceTokenSecret
from countersign.permissions import Principal
from engine.credentials.machines import ProvisioningKeyActions, ServiceTokenActions
from engine.credentials.tokens import TokenActions
from store import Store, machine_secrets
from store.machine_secrets import PREFIX, PROVISIONING_KEY, SERVICE_SECRET, is_kept, is_whole, kept, new_secret
from store.machines import count_device
from store.tables import metadata, service_tokens

ADA = Principal("ada", admin=True)

PROOF = {"token": "t1"}
HOUR = timedelta(hours=1)


def made(store: Store, name: str = "backup") -> ServiceTokenSecret:
    return ServiceTokenActions(store).make(NewServiceToken(name=name), ADA, PROOF)


def test_a_secret_can_be_recognised_and_one_that_is_mistyped_anywhere_is_none() -> None:
    secret = new_secret(PREFIX)
    assert re.fullmatch(r"cs_service_[0-9a-f]{72}", secret)
    assert secret[-8:] == f"{zlib.crc32(secret[:-8].encode()):08x}"
    assert is_whole(secret, SERVICE_SECRET)
    for at in range(len(PREFIX), len(secret)):
        other = "0" if secret[at] != "0" else "1"
        assert not is_whole(secret[:at] + other + secret[at + 1 :], SERVICE_SECRET)
    for text in (secret[:-1], secret + "0", secret.upper(), f" {secret}", f"{secret}\n", "", PREFIX):
        assert not is_whole(text, SERVICE_SECRET)


@given(st.text())
def test_no_other_text_is_a_secret(text: str) -> None:
    assert not is_whole(text, SERVICE_SECRET)
    assert not is_whole(text, PROVISIONING_KEY)


def test_each_is_kept_under_a_salt_of_its_own() -> None:
    secret = new_secret(PREFIX)
    one, other = kept(secret), kept(secret)
    assert one["salt"] != other["salt"]
    assert one["hash"] != other["hash"]
    assert is_kept(secret, one)
    assert not is_kept(secret, one | {"salt": other["salt"]})
    assert not is_kept(secret, {})


def test_secrets_are_compared_in_constant_time_whether_there_is_such_a_token_or_not(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, now = made(store), datetime.now(UTC)
    compared: list[int] = []

    def noted(one: str, other: str) -> bool:
        compared.append(len(other))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(machine_secrets, "compare_digest", noted)
    for client_id in (token.client_id, "st000000000000"):
        assert store.service_tokens.find(client_id, new_secret(PREFIX), now) is None
    assert store.service_tokens.find(token.client_id, token.client_secret, now)
    assert compared == 6 * [64]


def test_no_secret_is_in_any_table(store: Store) -> None:
    tokens, keys = ServiceTokenActions(store), ProvisioningKeyActions(store)
    first = made(store)
    second = tokens.rotate(first.client_id, HOUR, ADA, PROOF)
    tokens.change(first.client_id, "end-previous-secret", ADA, PROOF)
    key = keys.make(NewProvisioningKey(label="kiosks", person="alice", devices=2), ADA, PROOF)
    keys.end(key.provisioning_key.id, ADA, PROOF)
    random = [one.rpartition("_")[2][:64] for one in (first.client_secret, second.client_secret, key.key)]
    assert {len(one) for one in random} == {64}
    with store.database.reading() as connection:
        for table in metadata.sorted_tables:
            rows = repr(connection.execute(select(table)).all())
            assert not [one for one in random if one in rows], table.name


def test_the_secret_before_works_for_its_time_and_not_a_moment_longer(store: Store) -> None:
    first, now = made(store), datetime.now(UTC)
    second = ServiceTokenActions(store).rotate(first.client_id, HOUR, ADA, PROOF)
    ends_at = second.token.previous_secret_ends_at
    assert ends_at
    assert abs(ends_at - now - HOUR) < HOUR / 60
    find = store.service_tokens.find
    assert find(first.client_id, first.client_secret, ends_at - timedelta(microseconds=1))
    assert find(first.client_id, first.client_secret, ends_at) is None
    assert find(first.client_id, second.client_secret, ends_at)


def test_a_list_goes_on_and_leaves_out_what_was_ended(store: Store) -> None:
    ids = [made(store, f"token {n}").client_id for n in range(5)]
    ServiceTokenActions(store).change(ids[1], "revoke", ADA, PROOF)
    first = store.service_tokens.page(limit=3)
    rest = store.service_tokens.page(first[-1].id, limit=3)
    assert [one.id for one in [*first, *rest]] == [ids[4], ids[3], ids[2], ids[0]]
    assert store.service_tokens.page("nothing") == []


def test_fifty_at_once_never_use_a_key_once_more_than_it_allows(store: Store) -> None:
    wanted = NewProvisioningKey(label="kiosks", person="alice", devices=7)
    key = ProvisioningKeyActions(store).make(wanted, ADA, PROOF).provisioning_key

    def use(_: int) -> bool:
        with store.database.transaction() as connection:
            return count_device(connection, key.id, datetime.now(UTC))

    with ThreadPoolExecutor(10) as threads:
        assert sum(threads.map(use, range(50))) == 7
    [found] = store.provisioning_keys.page()
    assert (found.used, found.devices) == (7, 7)


def test_a_key_that_has_ended_or_expired_counts_no_device(store: Store) -> None:
    rules = ProvisioningKeyActions(store)
    key = rules.make(NewProvisioningKey(label="kiosks", person="alice", devices=7), ADA, PROOF).provisioning_key
    with store.database.transaction() as connection:
        assert not count_device(connection, key.id, key.ends_at)
        assert not count_device(connection, "k000000000000", key.created_at)
    rules.end(key.id, ADA, PROOF)
    with store.database.transaction() as connection:
        assert not count_device(connection, key.id, key.created_at)


def test_a_use_is_written_once_a_minute_in_its_own_table(store: Store) -> None:
    token, now = made(store), datetime.now(UTC)
    for later in (0, 59, 60):
        TokenActions(store).note_use(token.client_id, "service_token", now + timedelta(seconds=later))
        [found] = store.service_tokens.page()
        assert found.used_at == now + timedelta(seconds=60 * (later // 60))


def test_what_expires_in_a_while_is_found_unless_it_is_disabled_or_revoked(store: Store) -> None:
    ids = [made(store, name).client_id for name in ("used", "disabled", "revoked")]
    rules, now = ServiceTokenActions(store), datetime.now(UTC)
    rules.change(ids[1], "disable", ADA, PROOF)
    rules.change(ids[2], "revoke", ADA, PROOF)
    with store.database.transaction() as connection:
        connection.execute(update(service_tokens).values(ends_at=now + HOUR))
    assert [one.id for one in store.service_tokens.expiring(now, now + HOUR)] == [ids[0]]
    assert store.service_tokens.expiring(now, now + HOUR / 2) == []
    assert store.service_tokens.expiring(now + HOUR, now + 2 * HOUR) == []
