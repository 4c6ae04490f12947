"""The socket: cut, renewed, dead, silent or unavailable; and the start and end of the way in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pydantic import SecretStr

from countersign.models import Status
from countersign.views import Finding
from notifiers.slack.client import api
from notifiers.slack.config import SlackConfig
from notifiers.slack.inbound import connection, socket
from notifiers.slack.inbound.app import SlackListener
from notifiers.slack.inbound.socket import LONGEST_PAUSE_SECONDS, pause
from sandbox.slack import people
from sandbox.slack.people import NotDelivered
from sandbox.temporal_server import free_port
from tests.http_clients import plain_client
from tests.local_slack import faults
from tests.notifiers.slack.way_in import WayIn, listening, serving, user_id, way_in
from tests.workflows.deployment import Deployment, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def way(slack_deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WayIn]:
    """A Slack of our own, whose connections can die, and an app that notices in a second what usually takes minutes."""
    for module in (connection, socket):
        monkeypatch.setattr(module, "PING_SECONDS", 1.0)
    monkeypatch.setattr(connection, "CLOSE_SECONDS", 0.5)
    monkeypatch.setattr(socket, "CLOSE_SECONDS", 0.5)
    monkeypatch.setattr(socket, "COUNT_AGAIN_SECONDS", (0.5,))
    async with way_in(slack_deployment, "socket") as made:
        yield made


def found(way: WayIn) -> Finding:
    """What the doctor says of the connection."""
    assert way.listener is not None
    [one] = way.listener.findings()
    return one


def opened(way: WayIn) -> int:
    """How many connections were asked for."""
    return len(way.slack.calls_of("apps.connections.open"))


async def open_twice(way: WayIn) -> None:
    """Open the Home page twice: Slack uses its connections in turn, so each of two gets one delivery."""
    for _ in range(2):
        await people.open_home(way.slack, user_id("grace"))


async def test_a_cut_connection_comes_back_and_says_so(way: WayIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    request = await way.deployment.ask("alice")
    message = await way.prompt(request)
    assert await way.slack.cut_sockets() == 1
    await until(lambda: "the connection was lost" in caplog.text)
    await until(lambda: opened(way) == 2 and found(way).state == "ok")
    await way.click(message, "approve", "grace")
    assert (await request.outcome()).status is Status.APPROVED
    assert "ticket" not in caplog.text
    assert way.slack.app_token not in caplog.text


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_a_connection_that_slack_renews_is_followed_by_one_other(way: WayIn, reason: str) -> None:
    await way.slack.ask_to_reconnect(reason)
    await until(lambda: opened(way) == 2 and found(way).state == "ok")
    assert "the app's only one" in found(way).message
    await people.open_home(way.slack, user_id("grace"))


@pytest.mark.parametrize(
    ("reason", "remedy"), [("too_many_websockets", "end other programs"), ("link_disabled", "turn it on")]
)
async def test_what_would_end_again_at_once_is_left_alone_for_a_while(
    way: WayIn, monkeypatch: pytest.MonkeyPatch, reason: str, remedy: str
) -> None:
    waits: list[str] = []

    def no_pause(reason: str, failures: int) -> float:
        waits.append(reason)
        return 0.0 if len(waits) > 1 else 1.0

    assert min(pause(reason, failures) for failures in range(20)) >= 10
    assert pause("lost", 0) == 0
    assert LONGEST_PAUSE_SECONDS / 2 <= pause("lost", 1000) <= LONGEST_PAUSE_SECONDS
    monkeypatch.setattr(socket, "pause", no_pause)
    await way.slack.ask_to_reconnect(reason)
    await until(lambda: remedy in found(way).message)
    assert found(way).state == "problem"
    await until(lambda: found(way).state == "ok")
    assert waits == [reason]


async def test_a_dead_connection_is_told_of_until_slack_counts_one_alone(
    way: WayIn, caplog: pytest.LogCaptureFixture
) -> None:
    """https://github.com/slackapi/python-slack-sdk/issues/1940: what Slack sends to the dead one is lost."""
    assert way.slack.kill_sockets() == 1
    await until(lambda: "Slack counts 2 connections" in found(way).message)
    assert found(way).state == "warning"
    assert "last heard" in found(way).message
    assert "sends each click to any of them" in caplog.text
    with pytest.raises(NotDelivered):
        await open_twice(way)
    assert await way.slack.forget_the_dead() <= 1
    await until(lambda: found(way).state == "ok")
    await open_twice(way)


async def test_another_program_with_our_token_is_told_of_until_it_ends(way: WayIn) -> None:
    async with listening(way.config, way.deployment.engine, way.slack) as other:
        await until(lambda: "Slack counts 2 connections" in other.findings()[0].message)
        assert way.listener is not None
        await way.listener.close()
        await until(lambda: other.findings()[0].state == "ok")
        await open_twice(way)


async def test_a_connection_that_fell_silent_is_woken(way: WayIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """https://github.com/slackapi/bolt-python/issues/1529: pings are answered, and nothing is delivered."""
    monkeypatch.setattr(socket, "SILENCE_SECONDS", 1.0)
    await way.slack.ask_to_reconnect()
    await until(lambda: opened(way) == 2 and found(way).state == "ok")
    while not await unheard(way):
        pass
    await until(lambda: not way.slack.proxy.asleep)
    await people.open_home(way.slack, user_id("grace"))
    assert "last click or command" in found(way).message


async def unheard(way: WayIn) -> bool:
    """Whether a sleeping Slack failed to deliver what somebody did; the app may wake it first."""
    way.slack.fall_asleep()
    try:
        await people.open_home(way.slack, user_id("grace"))
    except NotDelivered:
        return True
    return False


async def test_a_slack_that_opens_no_connection_is_asked_again(way: WayIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "TIMEOUT_SECONDS", 1.0)
    way.slack.fail("apps.connections.open", faults.hangs())
    await way.slack.cut_sockets()
    await until(lambda: opened(way) == 3 and found(way).state == "ok")


async def test_a_wrong_app_token_is_said_with_its_remedy_and_not_shown(way: WayIn) -> None:
    way.slack.fail("apps.connections.open", faults.fails("invalid_auth"))
    await way.slack.cut_sockets()
    await until(lambda: "COUNTERSIGN_SLACK_APP_TOKEN" in found(way).message)
    assert found(way).state == "problem"
    assert way.slack.app_token not in found(way).message


async def test_what_came_before_the_end_is_acknowledged(way: WayIn) -> None:
    request = await way.deployment.ask("alice")
    message = await way.prompt(request)
    way.seam.slow["store_answer"] = 0.3

    async def close_meanwhile() -> None:
        await until(lambda: "store_answer" in way.seam.calls)
        assert way.listener is not None
        await way.listener.close()

    closing = asyncio.create_task(close_meanwhile())
    await people.click(way.slack, message, "approve", user_id("grace"))
    await closing
    assert (await request.outcome()).status is Status.APPROVED


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_it_starts_and_ends_without_slack(
    slack_deployment: Deployment, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = SlackConfig(
        mode=mode,
        bot_token=SecretStr("xoxb-1"),
        app_token=SecretStr("xapp-1"),
        signing_secret=SecretStr("s3cret"),
        api_url=f"http://127.0.0.1:{free_port()}/api/",
    )
    listener = SlackListener(config, slack_deployment.engine)
    await listener.start()
    await until(lambda: "can't be taken yet" in caplog.text)
    if mode == "socket":
        await until(lambda: "can't be reached" in listener.findings()[0].message)
    async with serving(listener) as url, plain_client() as client:
        assert (await client.post(url, content="{}")).status_code == (401 if mode == "http" else 404)
    async with asyncio.timeout(120):
        await listener.close()
    assert "xapp-1" not in caplog.text
