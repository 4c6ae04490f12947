"""What these tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.policy import apply_policy
from store import Store
from tests.workflows.people import policy


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(database_url)
    apply_policy(store, policy(), "ada")
    yield store
    store.close()
