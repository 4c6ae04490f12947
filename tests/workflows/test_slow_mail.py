"""A mail server that takes a mail but confirms it late, as Exchange Online does (RFC 1047): each mail comes once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from countersign.models import Status
from tests.workflows.deployment import Deployment, Request, new_namespace, until
from tests.workflows.people import policy

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Asked about a vault: Ivan, its manager, and Grace, the engineers' manager.
EVERYBODY = {"grace": 2, "ivan": 2, "alice": 1}


@pytest_asyncio.fixture(loop_scope="session")
async def slow(temporal_address: str, sqlite_url: str) -> AsyncIterator[Deployment]:
    """An engine of its own, as late mails would hold up the tests that follow."""
    async with Deployment(temporal_address, await new_namespace(temporal_address), sqlite_url) as deployment:
        yield deployment
        deployment.mail.faults.answer_after = 0.0


async def mails_by_person(request: Request) -> dict[str, int]:
    """How many mails about a request each person got, including repeated ones."""
    got: Counter[str] = Counter()
    for login in EVERYBODY:
        inbox = await asyncio.to_thread(request.deployment.person(login).inbox)
        got[login] = sum(str(mail["Subject"]).endswith(f"#{request.id}") for mail in inbox)
    return dict(got)


@pytest.mark.parametrize("seconds", [5.0, *(pytest.param(one, marks=pytest.mark.whole) for one in (1.0, 35.0))])
async def test_everybody_gets_each_mail_once(slow: Deployment, seconds: float) -> None:
    slow.mail.faults.answer_after = seconds
    began = time.monotonic()
    request = await slow.ask("alice", "vaults")
    assert (await request.says("grace", channel="page")).status is Status.APPROVED
    assert time.monotonic() - began < max(seconds, 20.0)  # nobody waited for a mail
    await until(lambda: request.lines("noticed").count("noticed alice") == 1)
    told = ["noticed alice", *["noticed grace", "noticed ivan"] * 2]
    deadline = time.monotonic() + 3 * seconds + 60
    while sorted(request.lines("noticed")) != sorted(told):
        assert time.monotonic() < deadline, request.lines("noticed")
        await asyncio.sleep(0.1)
    assert await mails_by_person(request) == EVERYBODY


async def test_somebody_is_disabled_at_once_while_the_mail_server_hangs(slow: Deployment) -> None:
    slow.mail.faults.delay = 600.0
    requests = [await slow.ask("alice", "vaults") for _ in range(3)]
    slow.apply(policy(disabled=("alice",)))
    began = time.monotonic()
    for request in requests:
        assert (await request.outcome()).status is Status.CANCELLED
    assert time.monotonic() - began < 30.0
    slow.mail.faults.delay = 0.0
