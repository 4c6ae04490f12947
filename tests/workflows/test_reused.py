"""A number is given out again as database and Temporal are new: what is the old request's stays with that one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from countersign.client import grant_workflow
from countersign.models import GrantStatus, Status
from countersign.permissions import Principal
from countersign.transitions import GrantEnd, GrantTerms
from store.tables import requests
from tests.databases import new_sqlite
from tests.workflows.deployment import Deployment, Request, new_namespace, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def installed(address: str, database: Path) -> AsyncIterator[Deployment]:
    """An installation that has just begun, and reads its mailbox."""
    async with Deployment(address, await new_namespace(address), new_sqlite(database), awake=False) as deployment:
        deployment.read_mailbox()
        deployment.start_worker()
        yield deployment


async def test_a_reply_to_an_old_mail_decides_nothing(temporal_address: str, tmp_path: Path) -> None:
    async with installed(temporal_address, tmp_path / "first.db") as first:
        old = await first.ask("alice")
        mail = await asyncio.to_thread(first.person("grace").wait_for_mail, old.id)
    async with installed(temporal_address, tmp_path / "second.db") as second:
        new = await second.ask("alice")
        assert new.id == old.id
        grace = second.person("grace")
        asked = await asyncio.to_thread(grace.wait_for_mail, new.id)
        assert (mail["Message-ID"], mail["References"]) != (asked["Message-ID"], asked["References"])
        await asyncio.to_thread(grace.reply, mail, "approve")
        await until(lambda: new.lines("answer_refused") == ["answer_refused grace"])
        [refusal] = [line for line in second.store.events.of(new.id) if line.kind == "answer_refused"]
        assert "copy" in refusal.detail
        assert (new.status, new.decided()) == (Status.WAITING, [])
        await asyncio.to_thread(grace.reply, asked, "approve")
        assert (await new.outcome()).status is Status.APPROVED


async def granted(deployment: Deployment) -> Request:
    request = await deployment.ask("alice")
    assert (await request.says("grace")).accepted
    await request.outcome()
    return request


def status_of(request: Request) -> GrantStatus | None:
    grant = request.deployment.store.reading.request(request.id).grant
    return grant.status if grant else None


async def test_the_end_of_an_old_grant_ends_no_new_one_of_its_number(deployment: Deployment) -> None:
    request = await granted(deployment)
    now = datetime.now(UTC)
    terms = GrantTerms(approval_id=request.id, starts_at=now, ends_at=now, run="the run of an earlier request")
    await deployment.client.start_grant(terms)
    old = deployment.client.temporal.get_workflow_handle(grant_workflow(request.id, terms.run))
    assert await old.result() == GrantStatus.ENDED
    assert status_of(request) is GrantStatus.ACTIVE
    await deployment.engine.revoke(request.id, Principal("grace"), "test")
    assert status_of(request) is GrantStatus.REVOKED


async def test_a_grant_from_before_runs_were_kept_is_revoked_as_ever(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    with deployment.store.database.transaction() as connection:
        connection.execute(requests.update().where(requests.c.approval_id == request.id).values(token_run=""))
    assert (await request.says("grace")).accepted
    await request.outcome()
    workflow = deployment.client.temporal.get_workflow_handle(grant_workflow(request.id))
    await deployment.engine.revoke(request.id, Principal("grace"), "test")
    assert status_of(request) is GrantStatus.REVOKED
    assert await workflow.result() == GrantStatus.REVOKED


async def test_the_end_that_an_older_worker_wrote_down_still_counts(deployment: Deployment) -> None:
    request = await granted(deployment)
    at = datetime.now(UTC) + timedelta(minutes=1)
    end = GrantEnd(
        approval_id=request.id, status=GrantStatus.ENDED, at=at, who="the clock", message="Its time is over."
    )
    assert deployment.transactions.granting.end(end)
    assert status_of(request) is GrantStatus.ENDED
