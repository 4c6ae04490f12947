"""Admins are notified of what keeps a whole installation from working."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from sandbox.mail_server import HOST
from sandbox.temporal_server import free_port
from tests.workflows.deployment import Deployment, new_namespace, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_admin_is_told_by_mail_that_replies_by_mail_cannot_be_read(
    temporal_address: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace = await new_namespace(temporal_address)
    nobody_listens = {"imap_host": HOST, "imap_port": free_port(), "imap_username": "countersign"}
    monkeypatch.setattr("engine.alerts.UNREAD_FOR", timedelta(seconds=1))
    monkeypatch.setattr("activities.periodic_tasks.PAUSE", timedelta(seconds=1))
    async with Deployment(temporal_address, namespace, sqlite_url, awake=False) as deployment:
        mailbox = deployment.mailbox | nobody_listens
        deployment.settings = type(deployment.settings)(
            _env_file=None, **deployment.settings.model_dump(by_alias=True) | mailbox
        )
        deployment.start_worker()
        await until(lambda: deployment.mail.delivered == 1, "the alert comes")
        [mail] = await asyncio.to_thread(deployment.person("ada").inbox)
    assert mail["Subject"] == "Countersign - Replies can't be read"
