"""Worker and portal that start with their database wait for it, say so once, and say why where that is in vain."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url

from sandbox.postgres import Cluster, NoPostgres, starting_postgres
from sandbox.temporal_server import HOST, free_port
from store import Store
from store.database_errors import DatabaseUnavailable

ROOT = Path(__file__).parent.parent.parent
WORKER, PORTAL = ("worker.py",), ("-m", "portal", "serve")
READY = {WORKER: "ready: task queue", PORTAL: "Uvicorn running"}
WAITS = "the database can't be used: it is starting, or shutting down; it is tried again for 60 seconds"
END_SECONDS = 60


@contextmanager
def running(program: tuple[str, ...], url: str, temporal_address: str) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {
        "COUNTERSIGN_DATABASE_URL": url,
        "COUNTERSIGN_PORTAL_PORT": str(free_port()),
        "COUNTERSIGN_TASK_QUEUE": f"start-{free_port()}",
        "TEMPORAL_ADDRESS": temporal_address,
    }
    command = [sys.executable, *program]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def lines_until(process: subprocess.Popen[str], words: str) -> list[str]:
    """What it writes up to a line with these words."""
    assert process.stderr
    lines = []
    for line in process.stderr:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError("".join(lines))


@pytest.mark.parametrize("program", [WORKER, PORTAL], ids=["worker", "portal"])
def test_it_waits_for_a_database_that_is_starting(program: tuple[str, ...], temporal_address: str) -> None:
    try:
        with (
            starting_postgres() as (cluster, start),
            running(program, cluster.url(), temporal_address) as process,
        ):
            lines_until(process, WAITS)
            start()
            said = lines_until(process, READY[program])
            assert not [line for line in said if "database" in line and "Temporal knows" not in line]
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
