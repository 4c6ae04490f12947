"""New databases with all tables: copies of a migrated one, as migrating takes longer than most tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sqlalchemy import make_url

from sandbox.postgres import Cluster
from store import Store
from store.file_permissions import FILE_OURS_ALONE


def new_sqlite(file: Path) -> str:
    """Make a migrated database in a file, which must not exist yet, and return its URL."""
    file.touch(FILE_OURS_ALONE, exist_ok=False)
    file.write_bytes(_migrated())
    return f"sqlite:///{file}"


@cache
def _migrated() -> bytes:
    """The content of a database file that this process has migrated and closed."""
    with tempfile.TemporaryDirectory() as folder:
        Store(f"sqlite:///{folder}/countersign.db").close()
        [file] = Path(folder).iterdir()
        return file.read_bytes()


@contextmanager
def postgres_template(cluster: Cluster) -> Iterator[str]:
    """The name of a migrated database of the cluster, to which nobody is connected."""
    with cluster.database() as url:
        Store(url).close()
        yield make_url(url).database or ""
