"""The last words of `make up`: that they are true, few, and last; and that doing what they say works."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.demo.namespace import own_namespace
from sandbox.first_run import Installation
from sandbox.temporal_server import TemporalServer, free_port
from sandbox.up import ROOT, environment, places, processes, welcome
from settings import Settings

DEADLINE_SECONDS = 90
READY = Installation(has_policy=True, is_example=True, token_file=Path("var/token"), is_unused=True)
START = """
import sys
from dataclasses import replace
from pathlib import Path
from sandbox.up import start
from settings import Settings
sys.exit(start(Settings(), Path(), is_ours=True))
"""
SAY = """
import os, sys
from pathlib import Path
from sandbox.up import end, run
from sandbox.welcome import Place, Screen
places = [Place("Door", "open", lambda: Path("answers").exists())]
sys.exit(run({"worker": sys.argv[1]}, dict(os.environ), Path(), Screen(places, ["Welcome."], end)))
"""
FROM_THEN_ON = "2026-11-21 10:00:00,123 INFO worker: ready: task queue"


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(("COUNTERSIGN_", "TEMPORAL_")):
            monkeypatch.delenv(name)


def said(installation: Installation) -> list[str]:
    settings = Settings()
    told = environment(settings, Path())
    commands = processes(settings, (ROOT / "Procfile").read_text())
    return welcome(settings, places(settings, told, commands), installation, plays="mail" in commands)


def test_a_first_user_reads_ten_lines_at_most() -> None:
    lines = said(READY)
    assert len(lines) <= 10
    text = "\n".join(lines)
    for fact in (
        "http://127.0.0.1:8080",
        "http://127.0.0.1:8233",
        "127.0.0.1:8025",
        "cat var/token",
        "reply 1001 --as",
    ):
        assert fact in text


def test_a_later_start_promises_no_number() -> None:
    assert not any("1001" in line for line in said(replace(READY, is_unused=False)))


def test_servers_of_ones_own_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal.example.com:7233")
    monkeypatch.setenv("COUNTERSIGN_SMTP_HOST", "smtp.example.com")
    monkeypatch.setenv("COUNTERSIGN_IMAP_HOST", "imap.example.com")
    monkeypatch.setenv("COUNTERSIGN_DATABASE_URL", "postgresql+pg8000://user:secret@db.example.com/countersign")
    lines = said(READY)
    text = "\n".join(lines)
    assert len(lines) <= 10
    for name in ("temporal.example.com:7233", "smtp.example.com", "imap.example.com"):
        assert name in text
    assert "secret" not in text
    assert "sandbox" not in text
    assert "the example's people have no real mailboxes" in text


def test_an_installation_without_policy_and_token_says_how_to_make_them() -> None:
    text = "\n".join(said(Installation(has_policy=False, is_example=False, token_file=None, is_unused=True)))
    assert text.index("python -m portal policy apply FILE") < text.index("python -m portal token create --person NAME")


def test_a_portal_elsewhere_than_usual_is_told_to_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_PORTAL_HOST", "0.0.0.0")
    monkeypatch.setenv("COUNTERSIGN_PORTAL_PORT", "9090")
    assert "export COUNTERSIGN_URL=http://127.0.0.1:9090; " in "\n".join(said(READY))


def test_the_words_come_last_once_everything_answers(tmp_path: Path) -> None:
    command = f"echo '{FROM_THEN_ON}'; touch answers; echo the last noise; exec sleep 1000"
    with subprocess.Popen([sys.executable, "-uc", SAY, command], stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout
        before = []
        for line in up.stdout:
            if line == "Welcome.\n":
                break
            before.append(line.strip())
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=DEADLINE_SECONDS)
    noise = [line.partition("| ")[2] for line in before if " worker " in line.partition("|")[0]]
    # The process' own time is left out, as each line begins with one.
    assert noise == ["INFO worker: ready: task queue", "the last noise"]


def test_everything_ends_when_nobody_reads_any_more() -> None:
    command = "trap 'touch ended; exit 0' TERM; while :; do echo more; sleep 0.1; done"
    with subprocess.Popen([sys.executable, "-uc", SAY, command], stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout
        up.stdout.readline()
        up.stdout.close()
        try:
            assert up.wait(DEADLINE_SECONDS) == 0
        finally:
            up.send_signal(signal.SIGTERM)
    assert Path("ended").exists()


async def test_doing_what_it_says_ends_in_an_approval(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = {f"COUNTERSIGN_{name}_PORT": str(free_port()) for name in ("PORTAL", "SANDBOX_SMTP", "SANDBOX_IMAP")}
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_address)
    monkeypatch.setenv("COUNTERSIGN_DATABASE_URL", f"sqlite:///{tmp_path}/countersign.db")
    async with own_namespace() as namespace, TemporalServer(namespace=namespace):
        for name, value in ports.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("TEMPORAL_NAMESPACE", namespace)
        await asyncio.to_thread(_do_what_it_says)


def _do_what_it_says() -> None:
    with subprocess.Popen([sys.executable, "-uc", START], stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout
        lines = []
        for line in up.stdout:
            lines.append(line)
            if "countersign show" in line:
                break
        typed = "".join(lines).partition("Next, in another terminal, here:\n")[2]
        again = re.findall(r"countersign request .*", typed)[0]
        try:
            # Asked again, it is the same request, which is waited for.
            shown = subprocess.run(
                ["sh", "-ec", f"{typed}\n{again} --wait"],
                capture_output=True,
                text=True,
                timeout=DEADLINE_SECONDS,
                check=False,
            )
        finally:
            up.send_signal(signal.SIGINT)
            up.communicate(timeout=DEADLINE_SECONDS)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "#1001 Approved" in shown.stdout
    assert up.returncode == 0
