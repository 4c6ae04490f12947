"""One mail that arrives twice, the second time by another route, is recorded and answered once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from countersign.models import Status
from notifiers.email.config import AuthenticityRule
from notifiers.email.inbound import Inbound
from notifiers.email.listener.handler import MailHandler
from notifiers.email.read_settings import key_ring
from tests.store.requests import unsent
from tests.workflows.deployment import MAIL_KEYS, Deployment, Request, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

RULE = AuthenticityRule(mode="authentication_results", authserv_id="mail.example.test")


async def a_reply(request: Request, login: str, text: str, message_id: str) -> EmailMessage:
    asked = await asyncio.to_thread(request.deployment.person(login).wait_for_mail, request.id)
    reply = EmailMessage()
    reply["Authentication-Results"] = (
        "mail.example.test; spf=pass smtp.mailfrom=example.test; dmarc=pass header.from=example.test"
    )
    reply["From"] = f"{login}@example.test"
    reply["To"] = str(asked["Reply-To"])
    reply["Subject"] = f"Re: {asked['Subject']}"
    reply["Message-ID"] = message_id
    reply.set_content(text)
    return reply


async def arrives_twice(deployment: Deployment, mail: EmailMessage) -> None:
    handler = MailHandler(Inbound(deployment.engine, key_ring(MAIL_KEYS), RULE, ["approvals@example.test"]))
    for way in ("by the first way", "by the second way"):
        again = f"Received: {way}\r\n".encode() + mail.as_bytes()
        await handler.take(again, datetime.now(UTC))


async def test_an_unclear_mail_that_arrives_twice_is_passed_on_once_and_gets_one_help_mail_and_one_row(
    deployment: Deployment,
) -> None:
    request = await deployment.ask("alice")
    await arrives_twice(deployment, await a_reply(request, "grace", "Hm, let me see.", "<unclear@example.test>"))
    assert request.lines("inquired", "answer_refused") == ["inquired grace", "answer_refused grace"]
    told = ["noticed alice", "noticed grace", "noticed grace"]
    await until(lambda: sorted(request.lines("noticed")) == told)
    assert not unsent(deployment.store, request.id, 0)


async def test_an_approval_that_arrives_again_after_it_settled_the_request_is_not_called_refused(
    deployment: Deployment,
) -> None:
    request = await deployment.ask("alice")
    reply = await a_reply(request, "grace", "Approved\n\nBe quick.", "<yes@example.test>")
    await arrives_twice(deployment, reply)
    assert (await request.outcome()).status is Status.APPROVED
    await arrives_twice(deployment, reply)
    assert request.lines("answered", "answer_refused") == ["answered grace"]
    await request.until_mailed(grace=["asked", "settled"])
