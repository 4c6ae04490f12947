"""The worker is killed at a deadline and stays dead for long: a mail that came in time counts all the same."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from countersign.models import Status
from engine.deadline import LONGEST_READING
from sandbox.mail_server import HOST
from store.tables import inboxes
from tests.proxy import Proxy
from tests.workflows.deployment import Deployment, Request, insist, new_namespace, until
from tests.workflows.people import policy
from tests.workflows.test_killed import WorkerProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXPIRES_AFTER = "30s"
NEVER = datetime.min.replace(tzinfo=UTC)


def looked_at(deployment: Deployment) -> datetime:
    """When the worker last looked at its mailbox, whether or not it could read it."""
    with deployment.store.database.reading() as connection:
        found = connection.execute(select(inboxes.c.looked_at)).scalar_one_or_none()
    return found or NEVER


@pytest.mark.whole
async def test_a_mail_in_time_counts_though_its_mailbox_was_down_and_the_worker_dead_for_long(
    temporal_address: str, sqlite_url: str, tmp_path: Path
) -> None:
    namespace = await new_namespace(temporal_address)
    async with Deployment(temporal_address, namespace, sqlite_url, awake=False) as deployment:
        deployment.apply(policy(approval_status_change_to_expire=EXPIRES_AFTER))
        with Proxy((HOST, deployment.mail.imap_port)) as imap:
            process = WorkerProcess(
                deployment, tmp_path / "worker.log", **deployment.mailbox | {"imap_port": imap.port}
            )
            await process.start()
            try:
                await killed_at_the_deadline(deployment, process, imap)
            finally:
                await process.kill()


async def killed_at_the_deadline(deployment: Deployment, process: WorkerProcess, imap: Proxy) -> None:
    question = deployment.question("alice")
    request = Request(deployment, question, await insist(lambda: deployment.client.ask(question, "ask", "alice")))
    grace = deployment.person("grace")
    asked = await asyncio.to_thread(grace.wait_for_mail, request.id)
    await until(lambda: looked_at(deployment) > NEVER, "the worker reads its mailbox")
    imap.refuse()
    imap.cut()
    await asyncio.to_thread(grace.reply, asked, "approve")
    assert datetime.now(UTC) < request.deadline
    await until(lambda: looked_at(deployment) > request.deadline, "the worker looks at the deadline")
    await process.kill()
    assert request.status is Status.WAITING
    back = datetime.now(UTC) + LONGEST_READING
    await until(lambda: datetime.now(UTC) > back, "the worker is dead for long", 2 * LONGEST_READING.total_seconds())
    imap.refuse(False)
    await process.start()
    assert (await request.outcome()).status is Status.APPROVED
    assert request.decided() == ["grace approve 1"]
    assert request.lines("expired") == []
