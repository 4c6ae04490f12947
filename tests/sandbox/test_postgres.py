from __future__ import annotations

import socket
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError, SQLAlchemyError

from sandbox.postgres import Cluster, NoPostgres, find_programs, throwaway_postgres
from tests.postgres import killable_postgres


def run(url: str, statement: str) -> object:
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            found = connection.execute(text(statement))
            return found.scalar() if found.returns_rows else None
    finally:
        engine.dispose()


def test_it_serves_the_real_postgresql(postgres: Cluster) -> None:
    assert "PostgreSQL" in str(run(postgres.url(), "SELECT version()"))


def test_each_database_is_new_and_dropped_again(postgres: Cluster) -> None:
    with postgres.database() as first, postgres.database() as second:
        run(first, "CREATE TABLE only_here (id int)")
        with pytest.raises(ProgrammingError, match="only_here"):
            run(second, "SELECT * FROM only_here")
    with pytest.raises(SQLAlchemyError, match="does not exist"):
        run(first, "SELECT 1")


def test_a_database_is_dropped_even_while_somebody_is_connected(postgres: Cluster) -> None:
    with postgres.database() as url:
        engine = create_engine(url)
        connection = engine.connect()
        connection.execute(text("SELECT 1"))
    with pytest.raises(SQLAlchemyError):
        connection.execute(text("SELECT 1"))
    connection.invalidate()
    engine.dispose()


def test_it_asks_for_its_password(postgres: Cluster) -> None:
    with pytest.raises((OperationalError, ProgrammingError), match="password"):
        run(Cluster(postgres.port, "wrong").url(), "SELECT 1")


@pytest.mark.usefixtures("postgres")  # skips if there is none
def test_nothing_is_left_at_the_end() -> None:
    with throwaway_postgres() as cluster:
        assert run(cluster.url(), "SELECT 1") == 1
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", cluster.port)) != 0


def test_without_postgresql_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoPostgres, match="not installed"):
        find_programs(debian=tmp_path)


@pytest.mark.usefixtures("postgres")  # skips if there is none
def test_a_killed_server_has_all_that_was_committed_when_it_starts_again() -> None:
    with killable_postgres() as server:
        url = server.cluster.url()
        run(url, "CREATE TABLE kept AS SELECT 7 AS n")
        server.kill()
        with pytest.raises(SQLAlchemyError):
            run(url, "SELECT n FROM kept")
        server.start()
        assert run(url, "SELECT n FROM kept") == 7
