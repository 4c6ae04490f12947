"""The last lines of `make up`: they are true, few, and last, and doing what they say works."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from countersign.errors import CountersignError
from sandbox.demo import workspace
from sandbox.demo.chat import ANSWERS, Chat
from sandbox.demo.namespace import own_namespace
from sandbox.demo.screen import Screen
from sandbox.first_run import Installation
from sandbox.slack.tool import NoSlack
from sandbox.temporal_server import TemporalServer, free_port
from sandbox.up import ROOT, environment, places, processes, slack_place, start, welcome
from settings import Settings

DEADLINE_SECONDS = 180
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


def welcome_lines(installation: Installation) -> list[str]:
    settings = Settings()
    variables = environment(settings, Path())
    commands = processes(settings, (ROOT / "Procfile").read_text())
    found = places(settings, variables, commands) + slack_place(settings, installation)
    return welcome(settings, found, installation, plays="mail" in commands)


def test_a_first_user_reads_ten_lines_at_most() -> None:
    lines = welcome_lines(READY)
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
    assert not any("1001" in line for line in welcome_lines(replace(READY, is_unused=False)))


def test_servers_of_ones_own_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal.example.com:7233")
    monkeypatch.setenv("COUNTERSIGN_SMTP_HOST", "smtp.example.com")
    monkeypatch.setenv("COUNTERSIGN_IMAP_HOST", "imap.example.com")
    monkeypatch.setenv("COUNTERSIGN_DATABASE_URL", "postgresql+pg8000://user:secret@db.example.com/countersign")
    lines = welcome_lines(READY)
    text = "\n".join(lines)
    assert len(lines) <= 10
    for name in ("temporal.example.com:7233", "smtp.example.com", "imap.example.com"):
        assert name in text
    assert "secret" not in text
    assert "sandbox" not in text
    assert "the example's people have no real mailboxes" in text


@pytest.mark.parametrize(
    ("mode", "way"),
    [("socket", "on, over a socket; "), ("http", "on, by its calls to http://127.0.0.1:8080/slack/events; ")],
)
def test_slack_is_named_where_it_is_on(monkeypatch: pytest.MonkeyPatch, mode: str, way: str) -> None:
    assert not any("Slack" in line for line in welcome_lines(READY))
    for name, value in {"MODE": mode, "BOT_TOKEN": "xoxb-1", "APP_TOKEN": "xapp-1", "SIGNING_SECRET": "s"}.items():
        monkeypatch.setenv(f"COUNTERSIGN_SLACK_{name}", value)
    assert f"  Slack     {way}but the policy asks nobody there: see docs/slack.md, step 4" in welcome_lines(READY)
    assert f"  Slack     {way}`countersign doctor` says who is found there" in welcome_lines(
        replace(READY, asks_in_slack=True)
    )


def test_a_wrong_slack_setting_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_SLACK_MODE", "socket")
    with pytest.raises(CountersignError, match="bot_token is missing"):
        start(Settings(), Path(), is_ours=True)
    assert not list(Path().rglob("*.db"))


def test_an_installation_without_policy_and_token_says_how_to_make_them() -> None:
    text = "\n".join(welcome_lines(Installation(has_policy=False, is_example=False, token_file=None, is_unused=True)))
    assert text.index("python -m portal policy apply FILE") < text.index("python -m portal token create --person NAME")


def test_a_portal_elsewhere_than_usual_is_told_to_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_PORTAL_HOST", "0.0.0.0")
    monkeypatch.setenv("COUNTERSIGN_PORTAL_PORT", "9090")
    assert "export COUNTERSIGN_URL=http://127.0.0.1:9090; " in "\n".join(welcome_lines(READY))


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
    # The process's own time is left out, as each line already begins with one.
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


@pytest.fixture
async def elsewhere(tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Settings and servers for an installation that only this test uses."""
    ports = {f"COUNTERSIGN_{name}_PORT": str(free_port()) for name in ("PORTAL", "SANDBOX_SMTP", "SANDBOX_IMAP")}
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_address)
    monkeypatch.setenv("COUNTERSIGN_DATABASE_URL", f"sqlite:///{tmp_path}/countersign.db")
    async with own_namespace() as namespace, TemporalServer(namespace=namespace):
        for name, value in ports.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("TEMPORAL_NAMESPACE", namespace)
        yield


@pytest.mark.whole
@pytest.mark.usefixtures("elsewhere")
async def test_with_slack_it_is_asked_and_answered_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async with AsyncExitStack() as stack:
        try:
            slack = await stack.enter_async_context(workspace.new_slack(lambda _: None))
        except NoSlack as reason:
            pytest.skip(str(reason))
        for name, value in workspace.slack_settings(slack).items():
            monkeypatch.setenv(name, value)
        up, _ = await asyncio.to_thread(started)
        stack.push_async_callback(asyncio.to_thread, end, up)
        chat = Chat(slack, Screen(Console(file=io.StringIO())))
        number = await chat.connect("alice", "web-1 ssh 1h Deploy 4.2")
        prompt = await chat.message("grace", number, "Deploy 4.2", buttons=ANSWERS)
        await chat.press(prompt, "approve", "grace")
        await chat.settled(number, "Approved by Grace Hopper", "alice", "grace")


@pytest.mark.usefixtures("elsewhere")
async def test_doing_what_it_says_ends_in_an_approval() -> None:
    up, typed = await asyncio.to_thread(started)
    again = re.findall(r"countersign request .*", typed)[0]
    try:
        # Asking again joins the same request, and waits for it.
        shown = await asyncio.to_thread(
            subprocess.run,
            ["sh", "-ec", f"{typed}\n{again} --wait"],
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
    finally:
        await asyncio.to_thread(end, up)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "#1001 Approved" in shown.stdout
    assert up.returncode == 0


def started() -> tuple[subprocess.Popen[str], str]:
    """`make up`, once everything runs, and what it says to type."""
    up = subprocess.Popen([sys.executable, "-uc", START], stdout=subprocess.PIPE, text=True)
    assert up.stdout
    lines = []
    for line in up.stdout:
        lines.append(line)
        if "countersign show" in line:
            break
    return up, "".join(lines).partition("Next, in another terminal, here:\n")[2]


def end(up: subprocess.Popen[str]) -> None:
    up.send_signal(signal.SIGINT)
    up.communicate(timeout=DEADLINE_SECONDS)
