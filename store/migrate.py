"""Bring a database to the newest schema; safe to call at every start, from several processes at once."""

import logging
from pathlib import Path

from sqlalchemy import Connection, inspect, make_url, text

from store import postgres
from store.database import Database, errors_in_our_terms

# Any number, the same in every process: the one with this PostgreSQL advisory lock migrates, the others wait.
MIGRATION_LOCK = 20_260_101
FOLDER = Path(__file__).parent / "migrations"
# Each file's name begins with its revision; these are in the order of the migrations.
NEWEST = max(path.name.partition("_")[0] for path in (FOLDER / "versions").glob("[0-9]*.py"))
# At INFO, Alembic logs the loading of its own parts, and each look at the schema.
logging.getLogger("alembic").setLevel(logging.WARNING)


def is_outdated(url: str) -> bool:
    """Whether migrations are missing, or there are no tables yet. Changes nothing; raises DatabaseUnavailable."""
    place = make_url(url)
    if place.get_backend_name() == "sqlite" and not Path(place.database or "").exists():
        return True  # opening it would create the file
    database = Database(url)
    try:
        with database.reading() as connection:
            return not _is_newest(connection)
    finally:
        database.close()


def migrate(database: Database) -> None:
    """Apply the migrations that are missing, in one transaction. Raises what `Database.transaction` raises."""
    with errors_in_our_terms(), database.engine.connect() as connection:
        if _is_newest(connection):
            return
    # Imported only if it is needed, once in a release: the import takes a tenth of a start.
    from store.alembic_migrations import upgrade

    # Without the limits of other transactions: a second process waits, and a large table takes its time.
    engine = database.engine if database.is_sqlite else postgres.patient(database.url)
    with errors_in_our_terms(), engine.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        upgrade(connection)


def _is_newest(connection: Connection) -> bool:
    """Whether all tables are as the newest migration leaves them."""
    if not inspect(connection).has_table("alembic_version"):
        return False
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == NEWEST
