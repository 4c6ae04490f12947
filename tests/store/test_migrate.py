"""The migrations lead to the tables that store/tables.py defines, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from engine.policy import apply_policy
from store import Store
from store.alembic_migrations import config
from store.database import Database
from store.migrate import NEWEST, is_outdated, migrate
from store.tables import FIRST_APPROVAL_ID, metadata
from tests.store.requests import opened
from tests.workflows.people import policy


def test_the_migrations_make_just_the_tables_that_are_written_down(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    migrate(database)
    settings = config()
    with database.transaction() as connection:
        settings.attributes["connection"] = connection
        command.check(settings)  # raises if they differ
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}
    database.close()


def test_a_database_lacks_nothing_once_the_newest_migration_was_applied(empty_database_url: str) -> None:
    assert ScriptDirectory.from_config(config()).get_current_head() == NEWEST
    assert is_outdated(empty_database_url)
    Store(empty_database_url).close()
    assert not is_outdated(empty_database_url)


def test_migrating_again_changes_nothing(empty_database_url: str) -> None:
    store = Store(empty_database_url)
    apply_policy(store, policy(), "ada")
    number = opened(store).approval_id
    store.close()
    again = Store(empty_database_url)
    assert again.reading.request(number).approval_id == number == FIRST_APPROVAL_ID
    again.close()


def test_several_processes_may_migrate_at_once(empty_database_url: str) -> None:
    databases = [Database(empty_database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, databases))
    with databases[0].reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1
    for database in databases:
        database.close()
