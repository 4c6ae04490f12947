"""One log line for each HTTP request, with nothing in it that is secret or that nobody needs."""

from __future__ import annotations

import logging

import pytest

from tests.http_clients import plain_client
from tests.portal.context import Portal
from tests.portal.test_main import process
from tests.portal.test_main import run as command

pytestmark = pytest.mark.asyncio(loop_scope="session")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage().partition(" in ")[0] for one in caplog.records if one.name == "http"]


async def test_a_request_is_one_line_without_its_query(portal: Portal, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await portal.get("bob", "/requests", requester="carol")
    await portal.get("bastion", "/requests/77/timeline")
    await portal.get("nobody", "/me")
    await portal.get("nobody", "/health")
    await portal.get("ada", "/doctor")
    assert lines(caplog) == [
        "GET /api/v1/requests for bob: 200",
        "GET /api/v1/requests/77/timeline for gateway:bastion: 404",
        "GET /api/v1/me for nobody: 401",
    ]


async def test_nothing_is_logged_at_each_doctor_call(sqlite_url: str, free_tcp_port: int) -> None:
    environment = {"COUNTERSIGN_DATABASE_URL": sqlite_url, "COUNTERSIGN_LOG_FORMAT": "json"}
    token = command(environment, "token", "create", "--person", "ada", "--admin").stdout.strip()
    url = f"http://127.0.0.1:{free_tcp_port}/api/v1"
    async with (
        process(environment, free_tcp_port) as serving,
        plain_client(timeout=120) as client,
    ):
        headers = {"Authorization": f"Bearer {token}"}
        for _ in range(2):
            assert (await client.get(f"{url}/doctor", headers=headers)).status_code == 200
        await client.get(f"{url}/nothing")
        assert serving.stderr
        assert b"/api/v1/nothing" in await serving.stderr.readline()
