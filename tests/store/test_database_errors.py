"""To its callers a failing database is unavailable; the reason is in the log, and its address nowhere."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url, text

from countersign.errors import BadQuestion, Unavailable, message_of
from sandbox.postgres import Cluster
from sandbox.temporal_server import HOST, free_port
from store import Store
from store.database import Database
from store.database_errors import DatabaseUnavailable
from tests.store.requests import transactions

GENERIC = "The database can't be reached now; try again."


@contextmanager
def database(url: str) -> Iterator[Database]:
    found = Database(url)
    try:
        yield found
    finally:
        found.close()


def why(function: Callable[[], object]) -> str:
    """Why the database is unavailable, as operators are told; callers are told nothing."""
    with pytest.raises(DatabaseUnavailable) as caught:
        function()
    assert isinstance(caught.value, Unavailable)
    assert message_of(caught.value) == GENERIC
    return caught.value.why.removeprefix("the database can't be used: ")


def do(database: Database, statement: str) -> None:
    with database.transaction() as connection:
        connection.execute(text(statement))


def look(url: str) -> str:
    """Why a database can't be read."""

    def connect() -> None:
        with database(url) as found, found.reading() as connection:
            connection.execute(text("SELECT 1"))

    return why(connect)


# --- PostgreSQL -----------------------------------------------------------------------------------------------------


def test_who_loses_a_deadlock_may_try_again(postgres_url: str) -> None:
    """SQLSTATE 40P01: two transactions take two rows in opposite orders."""
    barrier = threading.Barrier(2)

    def take(database: Database, first: int, second: int) -> str:
        try:
            with database.transaction() as connection:
                _take(connection, first)
                barrier.wait()
                _take(connection, second)
        except DatabaseUnavailable as error:
            return error.why
        return ""

    with database(postgres_url) as one:
        do(one, "CREATE TABLE things (id INT, taken INT)")
        do(one, "INSERT INTO things VALUES (1, 0), (2, 0)")
        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(lambda order: take(one, *order), [(1, 2), (2, 1)]))
    assert sorted(results) == ["", "the database can't be used: it gave way to another transaction"]


def _take(connection: Connection, number: int) -> None:
    connection.execute(text("UPDATE things SET taken = 1 WHERE id = :id"), {"id": number})


@contextmanager
def clerk(postgres: Cluster, name: str, options: str = "") -> Iterator[str]:
    """The URL of a database for a role that has only the rights an installation needs."""
    user, password = f"clerk_{secrets.token_hex(4)}", secrets.token_hex(8)
    postgres.run(f"CREATE ROLE {user} LOGIN PASSWORD '{password}' {options}")
    try:
        yield make_url(postgres.url(name)).set(username=user, password=password).render_as_string(hide_password=False)
    finally:
        postgres.run(f"DROP ROLE {user}")


def test_too_many_connections(postgres: Cluster) -> None:
    """SQLSTATE 53300."""
    with clerk(postgres, "postgres", "CONNECTION LIMIT 1") as url, database(url) as first, first.reading() as held:
        held.execute(text("SELECT 1"))
        assert look(url).startswith("it has no connection left")


def test_a_wrong_password_a_missing_database_and_nobody_there(postgres: Cluster) -> None:
    """SQLSTATE 28P01, 3D000, and a port where nothing listens."""
    address = make_url(postgres.url())
    wrong = address.set(password="wrong").render_as_string(hide_password=False)
    assert look(wrong).startswith("it refuses the login")
    assert look(postgres.url("no_such_database")).startswith("there is no database of that name")
    assert look(f"postgresql+pg8000://x:secret@{HOST}:{free_port()}/x") == "nothing listens there; is it running?"
    assert look("postgresql+pg8000://x:secret@no-such-host.invalid/x").startswith("its host's name is not known")


def test_what_waiting_mends_and_what_not(postgres: Cluster) -> None:
    def lasts(url: str) -> bool:
        with pytest.raises(DatabaseUnavailable) as caught, database(url) as found, found.reading():
            pass
        return caught.value.lasting

    wrong = make_url(postgres.url()).set(password="wrong").render_as_string(hide_password=False)
    assert lasts(wrong)
    assert lasts(postgres.url("no_such_database"))
    assert not lasts(f"postgresql+pg8000://x:secret@{HOST}:{free_port()}/x")


@pytest.mark.parametrize(
    ("settings", "statement", "message"),
    [
        ("SET TRANSACTION READ ONLY", "CREATE TABLE x (id INT)", "it can only be read"),
        ("SET statement_timeout = '10ms'", "SELECT pg_sleep(60)", "it was stopped, as it took too long"),
        ("SELECT 1", "SELECT pg_terminate_backend(pg_backend_pid())", "the connection to it was lost"),
        ("SET temp_file_limit = 1", "SELECT FROM generate_series(1, 999999) n ORDER BY n", "it has run out of memory"),
    ],
)
def test_other_faults_of_a_database(postgres_url: str, settings: str, statement: str, message: str) -> None:
    """SQLSTATE 25006, 57014, 57P01 and 53400."""

    def fail() -> None:
        with one.transaction() as connection:
            connection.execute(text(settings))
            connection.execute(text(statement))

    with database(postgres_url) as one:
        assert why(fail).startswith(message)
        do(one, "SELECT 1")


# --- SQLite ---------------------------------------------------------------------------------------------------------


def test_a_full_disk_a_file_that_is_only_read_and_one_that_is_none(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"

    def write(before: str) -> Callable[[], None]:
        def doing() -> None:
            with one.transaction() as connection:
                connection.exec_driver_sql(before)
                connection.exec_driver_sql("INSERT INTO things VALUES (zeroblob(100000))")

        return doing

    with database(url) as one:
        do(one, "CREATE TABLE things (what BLOB)")
        assert why(write("PRAGMA max_page_count = 3")) == "its disk is full"
    with database(url) as one:
        assert why(write("PRAGMA query_only = ON")).startswith("its file can only be read")
    (tmp_path / "text.db").write_text("no database, " * 100)
    assert look(f"sqlite:///{tmp_path / 'text.db'}") == "its file is no database"
    assert look(f"sqlite:///{tmp_path / 'missing' / 'x.db'}").startswith("its file can't be opened")


# --- both -----------------------------------------------------------------------------------------------------------


def test_what_can_not_be_stored_is_the_caller_s_fault(store: Store) -> None:
    with pytest.raises(BadQuestion, match="can't be stored"):
        transactions(store).signals.add("grace", None, "away", "half a pair: \ud800")
    with pytest.raises(BadQuestion, match="can't be stored"):
        transactions(store).signals.add("grace", 2**80, "away", "a number that no column has room for")


def test_a_fault_of_ours_stays_one(store: Store) -> None:
    with pytest.raises(Exception, match="no_such_column") as caught:
        do(store.database, "SELECT no_such_column FROM requests")
    assert not isinstance(caught.value, Unavailable)


def test_the_log_says_why_and_neither_where_nor_what(postgres: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    with caplog.at_level(logging.DEBUG):
        look(f"postgresql+pg8000://clerk:secret@{HOST}:{port}/x")
    [said] = [record for record in caplog.records if record.name == "store.database"]
    assert said.getMessage() == "the database can't be used: nothing listens there; is it running?"
    assert str(port) not in caplog.text
    assert "secret" not in caplog.text


def test_a_statement_that_fails_shows_no_values(store: Store) -> None:
    with pytest.raises(Exception) as caught, store.database.transaction() as connection:
        connection.execute(text("SELECT no_such_column WHERE 'x' = :comment"), {"comment": "he said"})
    assert "he said" not in str(caught.value)
