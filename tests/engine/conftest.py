"""The rules work on the same databases as the tests of the store."""

from tests.store.conftest import migrated_url, store

__all__ = ["migrated_url", "store"]
