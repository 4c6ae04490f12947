from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import delete, insert, text

from engine.policy import apply_policy
from store import Store
from store.tables import feed, metadata
from tests.databases import new_sqlite
from tests.workflows.people import policy

# The names of the tables that have rows. A test leaves rows in only few of them.
USED = text(" UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in metadata.tables))


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def migrated_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database of each kind that all tests of the store share."""
    with new_database(request, tmp_path_factory) as url:
        yield url


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def module_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database of each kind for the tests of one module."""
    with new_database(request, tmp_path_factory) as url:
        yield url


@contextmanager
def new_database(request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a new database, of the kind that is the parameter, with all tables, empty."""
    if request.param == "sqlite":
        yield new_sqlite(folders.mktemp("store") / "countersign.db")
        return
    with request.getfixturevalue("postgres").database(request.getfixturevalue("migrated_postgres")) as url:
        yield url


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    """A store with nothing in it but a policy."""
    store = Store(migrated_url)
    with store.database.transaction() as connection:
        used = set(connection.execute(USED).scalars())
        for table in reversed(metadata.sorted_tables):
            if table.name in used:
                connection.execute(delete(table))
        connection.execute(insert(feed).values(version=0))
    apply_policy(store, policy(), "ada")
    yield store
    store.close()
