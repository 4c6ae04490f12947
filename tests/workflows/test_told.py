"""Rule 9 of approval: everyone asked, and the requester, hear of each outcome; and what a mail server's faults do."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from countersign.models import Status
from notifiers.email.inbound import Inbound
from notifiers.email.listener.handler import MailHandler
from notifiers.email.read_settings import key_ring
from tests.workflows.deployment import MAIL_KEYS, Deployment, until
from tests.workflows.people import policy
from tests.workflows.test_mailed_twice import RULE, a_reply

pytestmark = pytest.mark.asyncio(loop_scope="session")

DECIDED = [("approve", Status.APPROVED), ("reject", Status.REJECTED)]


@pytest.mark.parametrize(("verdict", "status"), DECIDED)
async def test_rule_9_every_approver_asked_and_the_requester_are_told(
    deployment: Deployment, verdict: str, status: Status
) -> None:
    request = await deployment.ask("alice", "databases")
    await request.says("grace")
    await until(lambda: request.asked_people(2))
    await request.says("heidi", level=2)
    await request.says("ivan", verdict, level=2)
    assert (await request.outcome()).status is status
    asked = ["asked", "settled"]
    await request.until_mailed(alice=["settled"], grace=asked, heidi=asked, ivan=asked, ada=asked, bob=[])
    told = sorted(line.removeprefix("noticed ") for line in request.lines("noticed"))
    assert told == sorted(["grace", "heidi", "ivan", "ada"] * 2 + ["alice"])


async def test_rule_9_who_decided_is_always_shown(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "vaults")
    await request.says("ivan", comment="only today")
    await request.until_mailed(alice=["settled"], grace=["asked", "settled"])
    for login in ("alice", "grace"):
        mail = await asyncio.to_thread(deployment.person(login).wait_for_mail, request.id, "only today")
        assert "Ivan I." in str(mail)


async def test_rule_9_level_2_learns_who_approved_level_1_and_who_has_answered_since(deployment: Deployment) -> None:
    deployment.apply(policy(reminder_minutes=30))
    request = await deployment.ask("alice", "databases", reason="replication lags")
    ivan = deployment.person("ivan")
    await request.says("grace", comment="only until Friday")
    asked = await asyncio.to_thread(ivan.wait_for_mail, request.id, "Level 2 of 2. 2 approvals are needed.")
    await request.says("heidi", level=2)
    await deployment.engine.report("ada", request.id, "away", "Out of office")
    so_far = "Level 2 of 2. Heidi H. has approved; 1 more is needed."
    reminded = await asyncio.to_thread(ivan.wait_for_mail, request.id, so_far)
    handler = MailHandler(Inbound(deployment.engine, key_ring(MAIL_KEYS), RULE, ["approvals@example.test"]))
    unclear = await a_reply(request, "ivan", "Hm, let me see.", "<hm@example.test>")
    await handler.take(unclear.as_bytes(), datetime.now(UTC))
    helped = await asyncio.to_thread(ivan.wait_for_mail, request.id, "could not be read as an answer")
    for mail in (asked, reminded, helped):
        text = read(mail)
        assert "  | replication lags\n" in text
        assert re.search(
            r"^Grace G\. approved at level 1 by test, .* UTC:\n  \| only until Friday$", text, re.MULTILINE
        )
    assert read(reminded).startswith("Still waiting for you")
    assert so_far in read(helped)


def read(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert isinstance(part, EmailMessage)
    return str(part.get_content()).replace("\r\n", "\n")


async def test_a_mail_server_that_defers_holds_nothing_up(deployment: Deployment) -> None:
    deployment.mail.faults.deferred.add("grace@example.test")
    request = await deployment.ask("alice", "vaults")
    assert request.asked.status is Status.WAITING
    await request.until_mailed(ivan=["asked"])
    assert "left_out grace" not in request.lines()
    assert (await request.says("grace", channel="page")).status is Status.APPROVED
    deployment.mail.faults.deferred.clear()
    # The sweeper sends later what could not be sent at once, but asks nobody about what is settled.
    await request.until_mailed(ivan=["asked", "settled"], alice=["settled"], grace=["settled"])


async def test_a_mail_server_that_is_down_holds_nothing_up(deployment: Deployment) -> None:
    await deployment.mail.stop()
    try:
        request = await deployment.ask("alice")
        assert request.asked.status is Status.WAITING
        judged = await request.says("grace", channel="page")
        assert judged.status is Status.APPROVED
        assert deployment.transactions.granting.ask(request.question, "alice") is not None
    finally:
        await deployment.mail.start()
    await request.until_mailed(alice=["settled"], grace=["settled"])
