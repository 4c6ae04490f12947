from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import delete, insert

from engine.policy import apply_policy
from store import Store
from store.tables import feed, metadata
from tests.workflows.people import policy


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def migrated_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database of each kind that all tests of the store share: making one takes longer than most of them."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('store') / 'countersign.db'}"
        return
    with request.getfixturevalue("postgres").database() as url:
        yield url


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    """A store with nothing in it but a policy."""
    store = Store(migrated_url)
    with store.database.transaction() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))
        connection.execute(insert(feed).values(version=0))
    apply_policy(store, policy(), "ada")
    yield store
    store.close()
