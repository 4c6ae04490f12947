"""Connections to PostgreSQL are encrypted if the server offers that, whatever its certificate is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, text

from sandbox.postgres import Cluster, new_cluster, stop, wait_for
from store.database import Database
from store.postgres import TLS
from tests.authority import Authority

IS_ENCRYPTED = text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")


@contextmanager
def reading(cluster: Cluster) -> Iterator[Connection]:
    database = Database(cluster.url())
    try:
        with database.reading() as connection:
            yield connection
    finally:
        database.close()


@contextmanager
def postgres_with_tls() -> Iterator[Cluster]:
    itself = Authority("nobody in particular")
    with new_cluster() as (cluster, folder, serve):
        for name, content in (("server.crt", itself.pem), ("server.key", itself.key_pem)):
            path = folder / "data" / name
            path.touch(mode=0o600)
            path.write_text(content)
            shutil.chown(path, folder.stat().st_uid)
        server = serve({"ssl": "on"})
        try:
            wait_for(cluster, server, folder)
            yield cluster
        finally:
            stop(server)


@pytest.mark.usefixtures("postgres")  # skips if there is none
def test_it_is_encrypted_without_reading_any_certificates_where_the_server_offers_that() -> None:
    with postgres_with_tls() as cluster, reading(cluster) as connection:
        assert connection.execute(IS_ENCRYPTED).scalar_one() is True
        driver: Any = connection.connection.driver_connection
        assert driver._usock.context is TLS
        assert not TLS.get_ca_certs()


def test_it_is_plain_where_the_server_does_not(postgres: Cluster) -> None:
    with reading(postgres) as connection:
        assert connection.execute(IS_ENCRYPTED).scalar_one() is False
