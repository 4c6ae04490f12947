"""The rules work on the same databases as the tests of the store, and send by a mail server of their own."""

from tests.engine.post import post
from tests.store.conftest import migrated_url, store

__all__ = ["migrated_url", "post", "store"]
