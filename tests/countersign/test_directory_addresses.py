"""Addresses are compared whatever their case, and nobody's letters are taken for another's."""

from __future__ import annotations

import pytest

from countersign.fields import folded_address
from engine.policy import apply_policy
from store import Store
from tests.workflows.people import policy


@pytest.mark.parametrize("written", ["grace@example.test", "Grace@Example.TEST"])
def test_case_makes_no_difference(written: str) -> None:
    assert folded_address(written) == "grace@example.test"


@pytest.mark.parametrize("other", ["grace@example.te\u017ft", "\u212aim@example.test", "gr\u00e5ce@example.test"])
def test_letters_that_unicode_folds_stay_others(other: str, sqlite_url: str) -> None:
    assert not folded_address(other).isascii()
    store = Store(sqlite_url)
    apply_policy(store, policy(users={"kim": {"name": "Kim", "email": "kim@example.test"}}), "ada")
    assert store.reading.person_at(other) is None
    assert store.reading.person_at("KIM@example.test") is not None
    store.close()
