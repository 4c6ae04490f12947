"""The policy: one version after another, the newest in force, a wrong one never applied."""

from __future__ import annotations

import pytest

from countersign.errors import BadPolicy, Refused
from store import Store
from tests.store.requests import at_once
from tests.workflows.house import policy


def test_a_new_version_is_in_force_at_once_in_every_process(store: Store, migrated_url: str) -> None:
    other = Store(migrated_url)
    assert other.policies.current()[1].enabled("bob")
    text = policy(disabled=("bob",))
    assert store.policies.apply(text, "grace") == 2
    version, current = other.policies.current()
    assert (version, current.enabled("bob")) == (2, False)
    assert other.policies.text() == (2, text)
    other.close()


def test_a_wrong_policy_changes_nothing(store: Store) -> None:
    before = store.events.last_version()
    with pytest.raises(BadPolicy) as error:
        store.policies.apply("users: [", "ada")
    assert error.value.problems
    assert store.policies.text()[0] == 1
    assert store.events.last_version() == before


def test_who_applied_it_is_on_record(store: Store) -> None:
    store.policies.apply(policy(), "grace")
    row = store.events.since(0)[-1]
    assert (row.kind, row.who, row.words) == ("policy_applied", "grace", "policy version 2")


def test_many_who_apply_at_once_get_a_version_each(store: Store) -> None:
    assert sorted(at_once(lambda: store.policies.apply(policy(), "ada"))) == [2, 3, 4, 5]


def test_without_one_the_words_name_the_remedy(database_url: str) -> None:
    store = Store(database_url)
    for read in (store.policies.current, store.policies.text):
        with pytest.raises(Refused, match="countersign policy apply"):
            read()
    store.close()
