"""Replies that undo: an approver revokes, the requester cancels or gives back, and nobody else can."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from countersign.models import GrantStatus, Status
from countersign.views import AuditEventView
from notifiers.email.config import AuthenticityRule
from notifiers.email.inbound import Inbound
from notifiers.email.listener.handler import MailHandler
from notifiers.email.read_settings import key_ring
from tests.workflows.deployment import MAIL_KEYS, Deployment, Request, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

RULE = AuthenticityRule(mode="authentication_results", authserv_id="mail.example.test")


async def reply_to(request: Request, login: str, saying: str, text: str, sender: str = "") -> EmailMessage:
    """A reply of somebody to the mail to `login` that contains `saying`."""
    told = await asyncio.to_thread(request.deployment.person(login).wait_for_mail, request.id, saying)
    reply = EmailMessage()
    reply["Authentication-Results"] = (
        "mail.example.test; spf=pass smtp.mailfrom=example.test; dmarc=pass header.from=example.test"
    )
    reply["From"] = f"{sender or login}@example.test"
    reply["To"] = str(told["Reply-To"])
    reply["Subject"] = f"Re: {told['Subject']}"
    reply["Message-ID"] = f"<{uuid.uuid4().hex}@example.test>"
    reply.set_content(text)
    return reply


async def take(request: Request, mail: EmailMessage) -> None:
    engine = request.deployment.engine
    handler = MailHandler(Inbound(engine, key_ring(MAIL_KEYS), RULE, ["approvals@example.test"]))
    await handler.take(mail.as_bytes(), datetime.now(UTC))


def grant_of(request: Request) -> GrantStatus | None:
    grant = request.deployment.store.reading.request(request.id).grant
    return grant.status if grant else None


def rows(request: Request, kind: str) -> list[AuditEventView]:
    return [row for row in request.deployment.store.events.of(request.id) if row.kind == kind]


def checks(row: AuditEventView) -> set[str]:
    """Which checks a mail passed, according to the record."""
    return {name.partition(": ")[2] for name, saw in row.proof.items() if saw.startswith("passed")}


async def approved(deployment: Deployment) -> Request:
    request = await deployment.ask("alice")
    assert (await request.says("grace")).status is Status.APPROVED
    await request.outcome()
    return request


async def test_an_approver_revokes_by_a_reply_to_the_mail_that_says_it_was_approved(deployment: Deployment) -> None:
    request = await approved(deployment)
    mail = await reply_to(request, "grace", "may connect", "REVOKE\n\nHer laptop was stolen.\n\nGrace\n")
    await take(request, mail)
    await until(lambda: grant_of(request) is GrantStatus.REVOKED)
    await take(request, mail)  # it arrives once more
    assert request.lines("grant_revoked", "answer_refused") == ["grant_revoked grace"]
    (row,) = rows(request, "grant_revoked")
    assert row.detail == "Revoked by Grace G.: Her laptop was stolen."
    assert checks(row) >= {"authentic", "own copy", "written to us", "asks to undo"}
    await request.until_mailed(grace=["asked", "settled", "grant_ended"], alice=["settled", "grant_ended"])

    await take(request, await reply_to(request, "grace", "may connect", "Revoke it"))
    assert request.lines("grant_revoked", "answer_refused") == ["grant_revoked grace", "answer_refused grace"]
    assert rows(request, "answer_refused")[0].detail == f"The grant of #{request.id} is over already."


async def test_the_requester_gives_back_by_a_reply(deployment: Deployment) -> None:
    request = await approved(deployment)
    await take(request, await reply_to(request, "alice", "you may connect", "Cancel, please"))
    await until(lambda: grant_of(request) is not GrantStatus.ACTIVE)
    assert request.lines("grant_ended") == ["grant_ended alice"]
    assert "authentic" in checks(*rows(request, "grant_ended"))


async def test_who_was_asked_for_cancels_by_a_reply(deployment: Deployment) -> None:
    question = deployment.question("alice", "web", reason="deploy")
    request = Request(deployment, question, await deployment.ask_as("ada", question))
    await take(request, await reply_to(request, "alice", "in your name", "CANCEL\n\nNot me."))
    assert (await request.outcome()).status is Status.CANCELLED
    assert request.lines("cancelled") == ["cancelled alice"]
    (row,) = rows(request, "cancelled")
    assert row.detail.startswith("Cancelled by Alice")
    assert row.detail.endswith(": Not me.")
    assert "authentic" in checks(row)


@pytest.mark.parametrize(
    ("text", "sender"),
    [("Revoke", "heidi"), ("Thanks!", ""), ("OK", ""), ("Do not revoke it", ""), ("Revoke?", ""), ("Approve", "")],
)
async def test_nothing_else_undoes(deployment: Deployment, text: str, sender: str) -> None:
    request = await approved(deployment)
    await take(request, await reply_to(request, "grace", "may connect", text, sender))
    assert grant_of(request) is GrantStatus.ACTIVE
    assert len(request.lines("answer_refused")) == 1


async def test_the_mail_that_asked_revokes_nothing(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    mail = await reply_to(request, "grace", "asks to connect", "Revoke")
    await request.says("grace")
    await request.outcome()
    await take(request, mail)
    assert grant_of(request) is GrantStatus.ACTIVE
