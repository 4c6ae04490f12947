"""The policy: one version after another, the newest in force, a wrong one never applied."""

from __future__ import annotations

import pytest

from countersign.directory import Policy
from countersign.errors import BadPolicy, NotFound, Refused
from engine.policy import ReadPolicy, apply_policy, put_in_force
from store import Store
from tests.store.requests import at_once
from tests.workflows.people import policy


def test_a_new_version_is_in_force_at_once_in_every_process(store: Store, migrated_url: str) -> None:
    other = Store(migrated_url)
    assert other.policies.current()[1].enabled("bob")
    text = policy(disabled=("bob",))
    assert apply_policy(store, text, "grace") == 2
    version, current = other.policies.current()
    assert (version, current.enabled("bob")) == (2, False)
    assert other.policies.text() == (2, text)
    other.close()


def test_a_wrong_policy_changes_nothing(store: Store) -> None:
    before = store.events.last_version()
    with pytest.raises(BadPolicy) as error:
        apply_policy(store, "users: [", "ada")
    assert error.value.problems
    assert store.policies.text()[0] == 1
    assert store.events.last_version() == before


def test_who_applied_it_is_on_record(store: Store) -> None:
    apply_policy(store, policy(), "grace")
    row = store.events.since(0, 10**6)[-1]
    assert (row.kind, row.who, row.detail) == ("policy_applied", "grace", "policy version 2")


def test_many_who_apply_at_once_get_a_version_each(store: Store) -> None:
    assert sorted(at_once(lambda: apply_policy(store, policy(), "ada"))) == [2, 3, 4, 5]


def test_one_that_was_planned_against_another_version_is_refused(store: Store) -> None:
    read = ReadPolicy.of(policy())
    assert put_in_force(store, read, "ada", replaces=1) == 2
    for replaces in (0, 1, 3):
        with pytest.raises(Refused, match="ada applied policy version 2 meanwhile") as refused:
            put_in_force(store, read, "grace", replaces)
        assert refused.value.details == {"code": "other-policy", "version": 2}
    assert store.policies.text()[0] == 2


def test_of_two_who_planned_against_the_same_version_one_applies(store: Store) -> None:
    read = ReadPolicy.of(policy())

    def apply() -> int:
        try:
            return put_in_force(store, read, "ada", replaces=1)
        except Refused:
            return 0

    assert sorted(at_once(apply)) == [0, 0, 0, 2]


def test_every_version_can_be_read_and_who_applied_it(store: Store) -> None:
    texts = [policy(), policy(disabled=("bob",)), policy()]
    for text, who in zip(texts[1:], ("grace", "operator:root"), strict=True):
        apply_policy(store, text, who)
    assert [store.policies.text(n) for n in (1, 2, 3)] == [(n + 1, text) for n, text in enumerate(texts)]
    assert [(one.version, one.applied_by) for one in store.policies.versions()] == [
        (3, "operator:root"), (2, "grace"), (1, "ada"),
    ]  # fmt: skip
    assert [one.version for one in store.policies.versions(before=3, limit=1)] == [2]
    with pytest.raises(NotFound, match="There is no policy version 9"):
        store.policies.text(9)


def test_a_process_reads_each_version_once(store: Store, migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []
    validate = Policy.model_validate

    def counted(document: object) -> Policy:
        read.append(document)
        return validate(document)

    monkeypatch.setattr(Policy, "model_validate", counted)
    other = Store(migrated_url)
    put_in_force(store, ReadPolicy.of(policy()), "ada")
    assert len(read) == 1  # the file; what was read is kept
    store.policies.current()
    assert len(read) == 1
    at_once(other.policies.current)
    assert len(read) == 2
    other.close()


def test_without_one_the_words_name_the_remedy(database_url: str) -> None:
    store = Store(database_url)
    for read in (store.policies.current, store.policies.text):
        with pytest.raises(Refused, match="countersign policy apply"):
            read()
    store.close()
