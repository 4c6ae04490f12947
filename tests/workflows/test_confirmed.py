"""Approvals that need a fresh sign-in: what a mail can still do, with a real reply."""

import asyncio
from datetime import UTC, datetime

import pytest

from countersign.models import Status
from notifiers.email.inbound import Inbound
from notifiers.email.listener.handler import MailHandler
from notifiers.email.read_settings import key_ring
from tests.workflows.deployment import MAIL_KEYS, Deployment
from tests.workflows.people import policy
from tests.workflows.test_mailed_twice import RULE, a_reply

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_mail_approves_nothing_its_sender_is_told_so_and_it_rejects(deployment: Deployment) -> None:
    deployment.apply(policy(confirm="sign_in_again"))
    handler = MailHandler(Inbound(deployment.engine, key_ring(MAIL_KEYS), RULE, ["approvals@example.test"]))
    request = await deployment.ask("alice")
    approving = await a_reply(request, "grace", "Approved", "<yes@example.test>")
    await handler.take(approving.as_bytes(), datetime.now(UTC))
    assert request.status is Status.WAITING
    assert request.lines("answer_refused") == ["answer_refused grace"]
    wait = deployment.person("grace").wait_for_mail
    assert await asyncio.to_thread(wait, request.id, "can be approved on its page alone")
    rejecting = await a_reply(request, "grace", "Reject", "<no@example.test>")
    await handler.take(rejecting.as_bytes(), datetime.now(UTC))
    assert (await request.outcome()).status is Status.REJECTED
