"""Finding local-slack, and starting and ending it with nothing left over."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from sandbox.slack.server import SlackServer
from sandbox.slack.tool import NoSlack, check_integrity, check_isolation, find_slack
from sandbox.slack.workspace import User
from tests.local_slack.people import until_seen

RUNNING = """
import asyncio
from sandbox.slack.server import SlackServer
async def main():
    async with SlackServer() as slack:
        print(slack.url, slack.folder, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.fixture(scope="module", autouse=True)
def program() -> Path:
    try:
        check_isolation()
        return find_slack()
    except NoSlack as error:
        pytest.skip(str(error))


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder on PATH."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def script(at: Path, *lines: str) -> None:
    at.write_text("\n".join(["#!/bin/sh", *lines]))
    at.chmod(0o755)


def test_the_right_version_on_path_comes_first_then_the_cache(
    program: Path, path: Path, tmp_path: Path, messages: list[str]
) -> None:
    script(path / "local-slack", "echo 0.0.1")
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "local-slack").symlink_to(program)
    assert find_slack(messages.append, cache) == cache / "local-slack"
    assert "not version" in messages[-1]
    (path / "local-slack").unlink()
    (path / "local-slack").symlink_to(program)
    assert find_slack(messages.append, cache) == path / "local-slack"


@pytest.mark.parametrize(
    ("npm", "reason"),
    [
        ("", "install npm"),
        ("echo no network >&2; exit 1", "could not fetch it .no network"),
        ("echo not the package > $5/some.tgz", "checksum is not the one pinned"),
    ],
)
def test_what_npm_does_not_give_is_said_and_nothing_is_kept(
    path: Path, tmp_path: Path, messages: list[str], npm: str, reason: str
) -> None:
    if npm:
        script(path / "npm", npm)
    with pytest.raises(NoSlack, match=reason):
        find_slack(messages.append, tmp_path / "cache")
    assert not (tmp_path / "cache" / "local-slack").exists()


def test_another_system_is_told_so(
    path: Path, tmp_path: Path, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(NoSlack, match="riscv64"):
        find_slack(messages.append, tmp_path / "cache")


@pytest.mark.parametrize(
    ("unshare", "reason"), [("", "install `unshare`"), ("echo not permitted >&2; exit 1", "user namespaces")]
)
def test_where_nothing_can_be_fenced_in_the_reason_is_said(path: Path, unshare: str, reason: str) -> None:
    if unshare:
        script(path / "unshare", unshare)
    with pytest.raises(NoSlack, match=reason):
        check_isolation()


def test_a_package_with_another_byte_is_refused(tmp_path: Path) -> None:
    (tmp_path / "package.tgz").write_bytes(b"other")
    with pytest.raises(NoSlack, match="pinned"):
        check_integrity(tmp_path / "package.tgz")


async def test_a_slack_that_does_not_come_up_says_why() -> None:
    with pytest.raises(RuntimeError, match="Invalid config"):
        async with SlackServer([User("U1", 7)]):  # type: ignore[arg-type]
            pass


def processes(url: str) -> list[str]:
    """The ids of the local-slack processes that were given the port of this address."""
    port = url.rpartition(":")[2]
    found = [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if f"--port\0{port}\0" in _read(path)]
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def listening() -> set[str]:
    """The addresses where anything listens in our network, as /proc/net writes them."""
    lines = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()]
    return {fields[1] for fields in lines if fields[3] == "0A"}


async def test_only_the_loopback_listens_and_only_while_it_runs() -> None:
    async with SlackServer() as slack:
        port = f":{int(slack.url.rpartition(':')[2]):04X}"
        assert [address for address in listening() if address.endswith(port)] == [f"0100007F{port}"]
        assert processes(slack.url)
        folder = slack.folder
    assert not processes(slack.url)
    assert not folder.exists()
    with pytest.raises(aiohttp.ClientConnectionError):
        async with aiohttp.ClientSession() as session:
            await session.get(slack.url)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
async def test_nothing_is_left_running_however_it_ends(end: signal.Signals) -> None:
    starter = await asyncio.to_thread(
        subprocess.Popen, [sys.executable, "-c", RUNNING], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with starter:
        assert starter.stdout
        url, folder = (await asyncio.to_thread(starter.stdout.readline)).split()
        assert processes(url)
        starter.send_signal(end)
        await asyncio.to_thread(starter.wait, 120)

    async def gone() -> bool:
        return not processes(url)

    await until_seen(gone)
    shutil.rmtree(folder, ignore_errors=True)  # a killed process can't tidy up
