"""Asking while no worker runs: the request is open and goes on by itself, and whoever asked is told so."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

import worker
from engine.credentials.tokens import TokenActions
from engine.policy import apply_policy
from portal.__main__ import plan
from portal.app import create_app
from portal.server import Server
from sandbox.mail_server import MailServer
from settings import Settings
from store import Store
from store.tokens import Owner
from tests.portal.context import Portal, serving
from tests.workflows.deployment import new_namespace, settings_for
from tests.workflows.people import policy
from tests.workflows.sandboxed import sandboxed

pytestmark = pytest.mark.asyncio(loop_scope="session")

COMMAND = str(Path(sys.executable).parent / "countersign")
OPEN = "The request is open, but nobody is working on it; it goes on as soon as a worker is back."


@pytest_asyncio.fixture(loop_scope="session")
async def settings(temporal_address: str, sqlite_url: str) -> AsyncIterator[Settings]:
    """The settings of an installation that nobody else uses."""
    namespace = await new_namespace(temporal_address)
    async with MailServer() as mail:
        yield settings_for(sqlite_url, temporal_address, namespace, mail)


@pytest_asyncio.fixture(loop_scope="session")
async def alone(settings: Settings) -> AsyncIterator[Portal]:
    """A portal without a worker."""
    store = Store(settings.database_url)
    apply_policy(store, policy(), "ada")
    async with serving(Server(create_app(plan(settings)), "127.0.0.1", 0)) as url:
        portal = Portal(url)
        for person in ("alice", "bob", "grace"):
            portal.tokens[person] = TokenActions(store).create(Owner(kind="person", name=person), "tests")
        yield portal
        await portal.aclose()
    store.close()


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[None]:
    """A worker, for as long as the block runs."""
    stop = asyncio.Event()
    work = asyncio.create_task(worker.run(settings, stop, runner=sandboxed()))
    yield
    stop.set()
    await work


class Command:
    """`countersign ...` as a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, portal: Portal, *arguments: str) -> Command:
        url = portal.url.removesuffix("/api/v1")
        environment = os.environ | {"COUNTERSIGN_URL": url, "COUNTERSIGN_TOKEN": portal.tokens["bob"]}
        pipe = asyncio.subprocess.PIPE
        return cls(await asyncio.create_subprocess_exec(COMMAND, *arguments, env=environment, stdout=pipe, stderr=pipe))


async def until_listed(portal: Portal, devices: list[str]) -> None:
    """Poll until bob's requests are for these devices: the worker takes up one after another."""
    async with asyncio.timeout(120):
        while True:
            listed = (await portal.get("bob", "/requests")).json()
            if sorted(one["question"]["device"] for one in listed) == devices:
                return
            await asyncio.sleep(0.1)


async def test_a_question_without_a_worker_is_open_and_goes_on_once_one_is_back(
    settings: Settings, alone: Portal
) -> None:
    question = {"device": "web-1", "protocol": "ssh", "reason": "backup"}
    waiting = await Command.start(alone, "request", "web-2", "ssh", "--wait")
    impatient = await Command.start(alone, "request", "web-3", "ssh")
    for_programs = await Command.start(alone, "request", "web-4", "ssh", "--json")
    reply = await alone.post("alice", "/requests", question, key="once")
    assert (reply.status_code, reply.json()) == (202, {"approval_id": None, "status": "Waiting", "words": OPEN})
    assert await impatient.process.communicate() == (f"{OPEN}\n".encode(), b"")
    assert impatient.process.returncode == 4
    assert json.loads((await for_programs.process.communicate())[0])["words"] == OPEN
    assert waiting.process.stderr
    assert (await waiting.process.stderr.readline()).decode().strip() == OPEN
    async with working(settings):
        reply = await alone.post("alice", "/requests", question, key="once")
        assert (reply.status_code, reply.json()["status"], reply.json()["joined"]) == (201, "Waiting", False)
        number = reply.json()["approval_id"]
        assert waiting.process.stdout
        while not (found := re.search(rb"#(\d+)", line := await waiting.process.stdout.readline())):
            assert line, "it ended"
        decided = await alone.post("grace", f"/requests/{int(found[1])}/decide", {"verdict": "approve"})
        assert decided.json()["status"] == "Approved", decided.text
        await waiting.process.communicate()
        assert waiting.process.returncode == 0
        await until_listed(alone, ["web-2", "web-3", "web-4"])
    # Without a worker again, but the open request has its number now.
    reply = await alone.post("alice", "/requests", question)
    assert (reply.status_code, reply.json()["approval_id"]) == (202, number)


async def test_without_a_worker_what_waits_is_cancelled_and_a_grant_revoked_at_once(
    settings: Settings, alone: Portal
) -> None:
    async with working(settings):
        asked = [await alone.post("alice", "/requests", {"device": f"web-{n}", "protocol": "ssh"}) for n in (1, 2)]
        waits, granted = (one.json()["approval_id"] for one in asked)
        await alone.post("grace", f"/requests/{granted}/decide", {"verdict": "approve"})
    for _ in range(2):
        reply = await alone.post("alice", f"/requests/{waits}/cancel", {"words": "not needed"}, key="cancel")
        assert (reply.status_code, reply.json()["accepted"], reply.json()["status"]) == (200, True, "Cancelled")
        reply = await alone.post("grace", f"/requests/{granted}/revoke", {"words": "enough"}, key="revoke")
        assert (reply.status_code, reply.json()["grant"]["status"]) == (200, "Revoked")
    view = (await alone.get("alice", f"/requests/{waits}")).json()
    assert (view["status"], view["words"].endswith(": not needed")) == ("Cancelled", True)
