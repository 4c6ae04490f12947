"""A number that was given out stays its request's, even if an older database is restored, or a new one begun."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from countersign.models import Status
from engine.policy import apply_policy
from store import Store
from tests.workflows.deployment import POLL_SECONDS, Deployment, Request
from tests.workflows.people import policy

pytestmark = pytest.mark.asyncio(loop_scope="session")


def copied(source: Path, target: Path) -> None:
    """Copy a database as docs/running.md says."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


async def until_listed(deployment: Deployment, kind: str, count: int) -> None:
    """Wait until Temporal lists what has begun, which takes a moment."""
    wanted = f'WorkflowType = "{kind}"' + (" AND CountersignStatus IS NOT NULL" if kind != "Grant" else "")
    async with asyncio.timeout(120):
        listed = 0
        while listed < count:
            await asyncio.sleep(POLL_SECONDS)
            listed = (await deployment.client.temporal.count_workflows(wanted)).count


async def replaced(deployment: Deployment, backup: Path | None) -> None:
    """Stop the worker, and put the backup, or a new database, in place of its database."""
    await deployment.stop_worker()
    deployment.store.close()
    path = Path(deployment.database_url.removeprefix("sqlite:///"))
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()
    if backup:
        copied(backup, path)
    with closing(Store(deployment.database_url)) as store:
        apply_policy(store, policy(), "ada")


async def test_numbers_start_above_what_temporal_knows(asleep: Deployment, tmp_path: Path) -> None:
    asleep.start_worker()
    path, backup = Path(asleep.database_url.removeprefix("sqlite:///")), tmp_path / "backup.db"
    kept = await asleep.ask("alice")
    copied(path, backup)
    lost = [await asleep.ask("alice") for _ in range(3)]
    assert (await lost[1].says("grace")).accepted
    await until_listed(asleep, "ConnectionApproval", 4)
    await until_listed(asleep, "Grant", 1)
    numbers = {one.id for one in (kept, *lost)}
    for each in (backup, None):
        await replaced(asleep, each)
        new = await asked_anew(asleep)
        assert new.id > max(numbers)
        numbers.add(new.id)


async def asked_anew(deployment: Deployment) -> Request:
    """Start the worker, and ask it a question."""
    deployment.store = Store(deployment.database_url)
    deployment.start_worker()
    request = await deployment.ask("alice")
    assert request.status is Status.WAITING
    return request


async def test_a_worker_that_starts_again_skips_no_number(asleep: Deployment) -> None:
    asleep.start_worker()
    first = await asleep.ask("alice")
    await until_listed(asleep, "ConnectionApproval", 1)
    await asleep.stop_worker()
    asleep.start_worker()
    assert (await asleep.ask("alice")).id == first.id + 1
