"""Worker and portal wait for a database that is starting, say so once, and say why if it is in vain."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url

from sandbox.postgres import Cluster, NoPostgres
from sandbox.temporal_server import HOST, free_port
from store import Store
from store.database_errors import DatabaseUnavailable
from tests.postgres import starting_postgres
from tests.workflows.deployment import new_namespace

ROOT = Path(__file__).parent.parent.parent
WORKER, PORTAL = ("worker.py",), ("-m", "portal", "serve")
READY = {WORKER: "ready: task queue", PORTAL: "Started server process"}
WAITS = "the database can't be used: it is starting, or shutting down; it is tried again for 60 seconds"
END_SECONDS = 120
LEVEL_AND_LOGGER = re.compile(r" (?:INFO|WARNING|ERROR) [\w.]+: ")
# What is logged between the end of the wait and the start of the work.
SAID_MEANWHILE = {
    WORKER: [
        "no mail server is set (COUNTERSIGN_SMTP_HOST): this worker sends no mail",
        "no mailbox is set (COUNTERSIGN_IMAP_HOST): replies by mail are not read",
    ],
    PORTAL: [],
}


@contextmanager
def running(
    program: tuple[str, ...], url: str, temporal_address: str, namespace: str = "default"
) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {
        "COUNTERSIGN_DATABASE_URL": url,
        "COUNTERSIGN_PORTAL_PORT": str(free_port()),
        "COUNTERSIGN_TASK_QUEUE": f"start-{free_port()}",
        "TEMPORAL_ADDRESS": temporal_address,
        "TEMPORAL_NAMESPACE": namespace,
    }
    command = [sys.executable, *program]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def lines_until(process: subprocess.Popen[str], message: str) -> list[str]:
    """What it writes up to a line with these words."""
    assert process.stderr
    lines = []
    for line in process.stderr:
        lines.append(line)
        if message in line:
            return lines
    raise AssertionError("".join(lines))


@pytest.mark.parametrize("program", [WORKER, PORTAL], ids=["worker", "portal"])
def test_it_waits_for_a_database_that_is_starting(program: tuple[str, ...], temporal_address: str) -> None:
    namespace = asyncio.run(new_namespace(temporal_address))  # others have requests that this database lacks
    try:
        with (
            starting_postgres() as (cluster, start),
            running(program, cluster.url(), temporal_address, namespace) as process,
        ):
            lines_until(process, WAITS)
            start()
            *said, ready = lines_until(process, READY[program])
            assert [LEVEL_AND_LOGGER.split(line)[-1].strip() for line in said] == SAID_MEANWHILE[program]
            assert READY[program] in ready
            process.send_signal(signal.SIGTERM)
            process.wait(END_SECONDS)
    except NoPostgres as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("program", [WORKER, PORTAL], ids=["worker", "portal"])
def test_a_wrong_setting_ends_it_at_once_with_why(
    program: tuple[str, ...], postgres: Cluster, temporal_address: str
) -> None:
    address = make_url(postgres.url())
    for url, why in (
        (address.set(password="wrong"), "it refuses the login"),
        (address.set(database="nowhere"), "there is no database of that name"),
    ):
        with running(program, url.render_as_string(hide_password=False), temporal_address) as process:
            _, said = process.communicate(timeout=END_SECONDS)
        assert process.returncode == 2
        assert why in said
        assert "Traceback" not in said
        assert str(postgres.port) not in said
        assert "wrong" not in said.replace("wrong setting", "")


async def test_waiting_ends(caplog: pytest.LogCaptureFixture) -> None:
    url = f"postgresql+pg8000://x:secret@{HOST}:{free_port()}/x"
    with caplog.at_level(logging.INFO), pytest.raises(DatabaseUnavailable) as caught:
        await Store.open_when_up(url, patience=timedelta(seconds=1.5))
    assert caught.value.why == "the database can't be used: nothing listens there; is it running?"
    assert [record.getMessage() for record in caplog.records] == [
        f"{caught.value.why}; it is tried again for 1 seconds"
    ]
