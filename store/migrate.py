"""Bring a database to the newest schema; safe to call at every start, from several processes at once."""

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url, text

from store import postgres
from store.database import Database, errors_in_our_terms

# Any number, the same in every process: who holds this PostgreSQL advisory lock migrates, the others wait.
MIGRATION_LOCK = 20_260_101


# At INFO it tells of each look at the schema, at every start.
logging.getLogger("alembic").setLevel(logging.WARNING)


def config() -> Config:
    """Alembic's settings, without a file."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    settings.set_main_option("path_separator", "os")
    return settings


def is_outdated(url: str) -> bool:
    """Whether migrations are missing, or there are no tables yet. Changes nothing; raises DatabaseUnavailable."""
    place = make_url(url)
    if place.get_backend_name() == "sqlite" and not Path(place.database or "").exists():
        return True  # to look into it would make the file
    newest = ScriptDirectory.from_config(config()).get_current_head()
    database = Database(url)
    try:
        with database.reading() as connection:
            return MigrationContext.configure(connection).get_current_revision() != newest
    finally:
        database.close()


def migrate(database: Database) -> None:
    """Apply the migrations that are missing, in one transaction. Raises what `Database.transaction` raises."""
    # Without the limits of other transactions: who comes second waits, and a large table takes its time.
    engine = database.engine if database.is_sqlite else postgres.patient(database.url)
    settings = config()
    with errors_in_our_terms(), engine.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
