"""`--no-servers`, which `make check` uses, skips tests that start a server or another program; no marks needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = """
import asyncio, socket, subprocess, sys

def test_pure():
    left, right = socket.socketpair()
    left.close(), right.close()

def test_listens():
    socket.create_server(("127.0.0.1", 0))

async def test_serves():
    await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)

def test_runs_a_program():
    subprocess.run([sys.executable, "-c", ""])

async def test_runs_one_asynchronously():
    await asyncio.create_subprocess_exec(sys.executable, "-c", "")

def test_with_temporal(temporal_address): ...

def test_with_postgres(postgres_url): ...
"""


def test_only_what_starts_nothing_is_run(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    options = ["-c", "pyproject.toml", "-p", "tests.conftest", "-p", "no:cacheprovider", "--no-servers", "-v"]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed, 6 skipped" in done.stdout
    assert "test_pure PASSED" in done.stdout
