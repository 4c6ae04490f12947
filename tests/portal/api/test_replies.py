"""Explaining mails."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from countersign.client import Client
from countersign.views import Explained
from notifiers.email.token import KeyRing
from notifiers.email.token import make as make_token
from portal.app import create_app
from portal.context import Plan
from portal.server import Server
from settings import Settings
from tests.portal.context import Portal, serving

pytestmark = pytest.mark.asyncio(loop_scope="session")
TOKEN = "a1" + "abcdefghijklmnopqrstuvwxyz"


def mail(text: str, sender: str = "grace@example.test", to: str = f"approvals+1001-1-{TOKEN}@example.test") -> bytes:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Message-ID"] = "<1@example.test>"
    message.set_content(text)
    return message.as_bytes()


@pytest.mark.parametrize("who", ["grace", "ada"])
async def test_a_mail_is_explained_check_by_check_and_its_token_hidden(portal: Portal, who: str) -> None:
    reply = await portal.client(who).post("/replies/explain", content=mail("Approved\n"))
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


@pytest.mark.parametrize("sender", ["grace@example.test", "nobody-knows@example.test"])
async def test_nobody_but_an_admin_learns_whose_a_mail_is(portal: Portal, sender: str) -> None:
    """Not even whether anybody has that address."""
    reply = await portal.client("alice").post("/replies/explain", content=mail("Approved\n", sender))
    assert (reply.status_code, reply.json()["type"]) == (403, "/api/v1/problems/other-mail")
    assert "grace" not in reply.text


async def test_nobody_but_an_admin_learns_whose_a_token_is(portal: Portal, settings: Settings) -> None:
    """The token of Grace's copy, in a mail that Alice wrote."""
    number = await portal.opened("alice")
    key_id, _, secret = settings.mail_keys.get_secret_value().partition(":")
    keys = KeyRing([(key_id, secret.encode())])
    run = portal.store.reading.request(number).token_run
    to = f"approvals+{number}-1-{make_token(keys, number, 1, 'grace', run)}@example.test"
    raw = mail("Approved\n", "alice@example.test", to)
    refused = await portal.client("alice").post("/replies/explain", content=raw)
    assert (refused.status_code, "grace" in refused.text) == (403, False)
    told = await portal.client("ada").post("/replies/explain", content=raw)
    assert told.status_code == 200


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
    async def explain(raw: bytes) -> Explained:
        raise ValueError(f"the secret is {raw.decode()}")

    explainers = {"message/rfc822": lambda _: explain}
    broken = Plan(settings.database_url, lambda: Client.connect(settings.temporal_address, lazy=True), explainers)
    async with serving(Server(create_app(broken), "127.0.0.1", 0)) as url:
        other = Portal(url, portal.tokens)
        reply = await other.client("alice").post("/replies/explain", content=b"hunter2")
        await other.aclose()
    assert (reply.status_code, reply.headers["Content-Type"]) == (500, "application/problem+json")
    assert reply.json()["detail"] == "An internal error (ValueError); the log has the details."
