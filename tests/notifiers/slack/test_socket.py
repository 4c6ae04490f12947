"""The socket: cut, renewed, or not to be had at all; and the start and end of the way in."""

from __future__ import annotations

import asyncio
import logging

import httpx
import pytest
from pydantic import SecretStr

from countersign.models import Status
from notifiers.slack import socket
from notifiers.slack.app import SlackDoor
from notifiers.slack.config import SlackConfig
from sandbox.slack import faults, people
from sandbox.temporal_server import free_port
from tests.notifiers.slack.way_in import WayIn, listening, serving, user_id
from tests.workflows.engine import until

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.parametrize("shared_way_in", ["socket"], indirect=True),
]


async def test_a_cut_socket_comes_back_and_says_so(way: WayIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert way.door is not None
    request = await way.engine.ask("alice")
    message = await way.prompt(request)
    assert await way.slack.proxy.cut_sockets() == 1
    await until(lambda: "Reconnecting" in caplog.text)
    await until(lambda: "connected to Slack's socket" in caplog.text)
    await way.click(message, "approve", "grace")
    assert (await request.outcome()).status is Status.APPROVED
    await way.slack.proxy.ask_to_reconnect()
    await asyncio.sleep(1)
    await until(lambda: way.door is not None and way.door.connected)
    await people.open_home(way.slack, user_id("grace"))
    assert "ticket" not in caplog.text
    assert way.slack.app_token not in caplog.text


async def test_a_socket_that_stays_away_is_made_anew(way: WayIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "GIVEN_UP_SECONDS", 2.0)
    way.slack.fail("apps.connections.open", faults.hangs())
    before = len(way.slack.calls_of("apps.connections.open"))
    async with listening(way.config, way.engine.door, way.slack) as door:
        assert door.connected
    assert len(way.slack.calls_of("apps.connections.open")) == before + 2


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_it_starts_and_ends_without_slack(way: WayIn, mode: str, caplog: pytest.LogCaptureFixture) -> None:
    config = SlackConfig(
        mode=mode,
        bot_token=SecretStr("xoxb-1"),
        app_token=SecretStr("xapp-1"),
        signing_secret=SecretStr("s3cret"),
        api_url=f"http://127.0.0.1:{free_port()}/api/",
    )
    door = SlackDoor(config, way.engine.door)
    await door.start()
    await until(lambda: "can't be taken yet" in caplog.text)
    assert door.connected is (mode == "http")
    async with serving(door) as url, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(url, content="{}")).status_code == (401 if mode == "http" else 404)
    async with asyncio.timeout(5):
        await door.close()
    assert "xapp-1" not in caplog.text
