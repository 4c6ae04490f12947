"""The numbers of requests start above the number that is given, and never go back."""

from __future__ import annotations

from contextlib import closing

from engine.policy import apply_policy
from store import Store
from tests.store.requests import opened
from tests.workflows.people import policy


def test_the_next_number_is_above_the_one_it_is_told_of(store: Store) -> None:
    assert store.numbers.newest() is None
    first = opened(store).approval_id
    newest = store.numbers.newest()
    assert newest is not None
    assert newest[0] == first
    assert [store.numbers.start_above(number) for number in (first - 1, first)] == [False, False]
    assert opened(store, device="web-2").approval_id == first + 1
    assert [store.numbers.start_above(first + 500) for _ in range(2)] == [True, False]
    assert store.numbers.start_above(first + 20) is False
    assert opened(store, device="web-3").approval_id == first + 501


def test_a_new_postgresql_starts_there_too(postgres_url: str) -> None:
    with closing(Store(postgres_url)) as store:
        apply_policy(store, policy(), "ada")
        assert [store.numbers.start_above(number) for number in (1000, 1001)] == [False, True]
        assert opened(store).approval_id == 1002
