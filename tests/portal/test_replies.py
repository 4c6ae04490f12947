"""Explaining mails."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any

import pytest

from countersign.client import Client
from portal.app import create_app
from portal.house import Plan
from portal.server import Server
from settings import Settings
from tests.portal.house import Portal, serving

pytestmark = pytest.mark.asyncio(loop_scope="session")
TOKEN = "a1" + "abcdefghijklmnopqrstuvwxyz"


def mail(text: str) -> bytes:
    message = EmailMessage()
    message["From"] = "grace@example.test"
    message["To"] = f"approvals+1001-1-{TOKEN}@example.test"
    message["Message-ID"] = "<1@example.test>"
    message.set_content(text)
    return message.as_bytes()


async def test_a_mail_is_explained_check_by_check_and_its_token_hidden(portal: Portal) -> None:
    reply = await portal.client("alice").post("/replies/explain", content=mail("Approved\n"))
    assert reply.status_code == 200
    told = reply.json()
    assert told["reply"]["verdict"] == "approve"
    assert told["judged"]["decides"] is False
    assert told["judged"]["checks"]
    assert TOKEN not in reply.text


async def test_what_is_no_mail_is_explained_too(portal: Portal) -> None:
    for raw in (b"", b"\0\xff" * 100, b"{}"):
        reply = await portal.client("alice").post("/replies/explain", content=raw)
        assert reply.status_code == 200
        assert reply.json()["judged"]["decides"] is False


async def test_where_no_mail_is_read_it_says_so(portal: Portal, settings: Settings) -> None:
    silent = Plan(settings.database_url, lambda: Client.connect(settings.temporal_address, lazy=True))
    async with serving(Server(create_app(silent), "127.0.0.1", 0)) as url:
        other = Portal(url, portal.tokens)
        reply = await other.client("alice").post("/replies/explain", content=mail("Approved\n"))
        await other.aclose()
    assert reply.status_code == 503
    assert "reads no mail" in reply.json()["detail"]


async def test_a_failure_of_ours_is_a_problem_that_tells_nothing_of_the_inside(
    portal: Portal, settings: Settings
) -> None:
    async def explain(raw: bytes) -> dict[str, Any]:
        raise ValueError(f"the secret is {raw.decode()}")

    broken = Plan(
        settings.database_url, lambda: Client.connect(settings.temporal_address, lazy=True), lambda _: explain
    )
    async with serving(Server(create_app(broken), "127.0.0.1", 0)) as url:
        other = Portal(url, portal.tokens)
        reply = await other.client("alice").post("/replies/explain", content=b"hunter2")
        await other.aclose()
    assert (reply.status_code, reply.headers["Content-Type"]) == (500, "application/problem+json")
    assert reply.json()["detail"] == "An internal error (ValueError); the log has the details."
