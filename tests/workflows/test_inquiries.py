"""An approver's question reaches the requester, and the reply comes back: with real mail, both ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
import pytest_asyncio
from sqlalchemy import delete, update

from countersign.errors import NotAllowed, Refused, TooMany, Unavailable
from countersign.models import Status
from countersign.notifications import RejectedInput, SubmittedComment
from engine.comments import MOST_PASSED_ON
from engine.engine import Engine
from notifiers.email.inbound import Inbound
from notifiers.email.listener.handler import MailHandler
from notifiers.email.read_settings import key_ring
from sandbox.clients import Client
from store.tables import notifications, repeats
from tests.databases import new_sqlite
from tests.workflows.deployment import MAIL_KEYS, Deployment, Request, new_namespace, until
from tests.workflows.test_undone_by_mail import RULE, reply_to

pytestmark = pytest.mark.asyncio(loop_scope="session")

SAID = ("inquired", "commented", "answered", "answer_refused", "cancelled")
ASKS = "asks about your request"
PASSED_ON = "Your question was passed on to Alice A."


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mailed(temporal_address: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    """An engine whose worker reads its mailbox."""
    url = new_sqlite(tmp_path_factory.mktemp("mailed") / "c.db")
    async with Deployment(temporal_address, await new_namespace(temporal_address), url, awake=False) as deployment:
        deployment.read_mailbox()
        deployment.start_worker()
        yield deployment


@pytest.fixture
def deployment(mailed: Deployment) -> Iterator[Deployment]:
    """The same for each test, hours later: earlier help mails and refusals no longer count towards limits."""
    with mailed.store.database.transaction() as connection:
        connection.execute(delete(repeats))
        connection.execute(update(notifications).values(written_at=datetime.now(UTC) - timedelta(hours=2)))
    yield mailed
    mailed.mail.faults.refused.clear()


async def gets(request: Request, login: str, *containing: str) -> EmailMessage:
    """The mail to somebody about a request that contains these texts."""
    mail = await asyncio.to_thread(request.deployment.person(login).wait_for_mail, request.id, containing[0])
    assert all(one in text_of(mail) for one in containing)
    return mail


async def replies(request: Request, login: str, mail: EmailMessage, text: str, client: Client = Client.PLAIN) -> None:
    await asyncio.to_thread(request.deployment.person(login).reply, mail, text, client)


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def inquiry(request: Request, person: str, text: str = "What is this about?", source: str = "1") -> SubmittedComment:
    return SubmittedComment(channel="portal", source_id=source, approval_id=request.id, person=person, text=text)


async def takes(deployment: Deployment, *mails: EmailMessage) -> None:
    """Handle these mails as they are when the watcher hands them over."""
    handler = MailHandler(Inbound(deployment.engine, key_ring(MAIL_KEYS), RULE, ["approvals@example.test"]))
    for mail in mails:
        await handler.take(mail.as_bytes(), datetime.now(UTC))


def said(request: Request, kind: str) -> list[str]:
    return [row.detail for row in request.deployment.store.events.of(request.id) if row.kind == kind]


@pytest.mark.parametrize("client", [Client.GMAIL, Client.OUTLOOK, Client.APPLE])
async def test_a_question_is_answered_by_a_comment_and_that_by_an_approval(
    deployment: Deployment, client: Client
) -> None:
    request = await deployment.ask("alice", "vaults", reason="backup")
    asked = await gets(request, "grace", "Reply with APPROVE or REJECT")
    await replies(request, "grace", asked, "What is this about?", client)
    question = await gets(
        request, "alice", f"Grace G. {ASKS} to connect to", "  | What is this about?", "Reply to this"
    )
    helped = await gets(request, "grace", f"  | {PASSED_ON}", "so it decided nothing.")
    assert "backup" not in text_of(question).partition("Who:")[0]  # nothing but their own text
    assert question["Subject"] == helped["Subject"] == asked["Subject"]

    await replies(request, "alice", question, "Hi Grace,\n\nYes: the nightly backup failed.", client)
    for login in ("grace", "ivan"):
        comment = await gets(request, login, "Alice A. commented on the request", "  | Yes: the nightly backup failed.")
        assert comment["References"] == comment["In-Reply-To"] == (await gets(request, login, "asks to"))["References"]
    assert request.status is Status.WAITING
    await replies(request, "grace", await gets(request, "grace", "Alice A. commented"), "APPROVE", client)
    assert (await request.outcome()).status is Status.APPROVED
    told = await gets(request, "alice", "you may connect")
    assert told["References"] == question["References"]
    assert request.lines(*SAID) == ["inquired grace", "answer_refused grace", "commented alice", "answered grace"]
    assert said(request, "inquired") == ["What is this about?"]
    assert said(request, "commented") == ["Hi Grace,\n\nYes: the nightly backup failed."]


async def test_two_who_are_asked_may_both_ask_and_who_has_answered_hears_no_more(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "databases")
    await request.says("grace")
    await until(lambda: request.asked_people(2) == ["ada", "heidi", "ivan"])
    for login, text in (("heidi", "Which replica do you mean?"), ("ivan", "For how long?")):
        await replies(request, login, await gets(request, login, "asks to connect"), text)
        await gets(request, "alice", f"  | {text}")
    await request.says("heidi", level=2)
    await replies(request, "alice", await gets(request, "alice", "Which replica"), "The second one.")
    await gets(request, "ivan", "The second one.")
    await gets(request, "ada", "The second one.")
    await request.until_mailed(heidi=["asked"], grace=["asked"], ivan=["asked", "comment"], ada=["asked", "comment"])
    assert request.lines("inquired", "commented") == ["inquired heidi", "inquired ivan", "commented alice"]


@pytest.mark.parametrize("text", ["Approved", "REJECT", "Revoke my access, if need be", "Yes, go on"])
async def test_what_the_requester_replies_is_a_comment_whatever_it_says(deployment: Deployment, text: str) -> None:
    request = await deployment.ask("alice")
    await deployment.engine.inquire(inquiry(request, "grace"))
    await replies(request, "alice", await gets(request, "alice", ASKS), text)
    await until(lambda: request.lines("commented"))
    assert (request.status, request.decided()) == (Status.WAITING, [])
    assert said(request, "commented") == [text]


async def test_the_requester_may_still_cancel_by_a_reply(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await deployment.engine.inquire(inquiry(request, "grace"))
    await replies(request, "alice", await gets(request, "alice", ASKS), "CANCEL")
    assert (await request.outcome()).status is Status.CANCELLED
    assert request.lines("cancelled", "commented") == ["cancelled alice"]


async def test_an_autoresponder_s_mail_is_never_passed_on(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "vaults")
    asked = await gets(request, "grace", "asks to connect")
    await deployment.engine.inquire(inquiry(request, "ivan"))
    question = await gets(request, "alice", ASKS)
    away = "I am away. Are you sure that it can't wait?"
    await asyncio.to_thread(deployment.person("alice").be_away, question, away)
    await asyncio.to_thread(deployment.person("grace").be_away, asked, away)
    await until(lambda: len(request.lines("away")) == 2)
    await until(lambda: len(request.lines("answer_refused")) == 2)
    assert request.lines("inquired", "commented") == ["inquired ivan"]


@pytest.mark.parametrize(
    "text", ["Is it so?\nApproved", "Hm, well", "Approved\n\nhold off until I have looked", "Grace", "", "Hello Alice,"]
)
async def test_an_answer_gone_wrong_and_a_mere_word_get_the_help_mail_alone(deployment: Deployment, text: str) -> None:
    request = await deployment.ask("alice")
    await takes(deployment, await reply_to(request, "grace", "asks to connect", text))
    assert request.lines(*SAID) == ["answer_refused grace"]
    assert "passed on" not in said(request, "answer_refused")[0]
    assert await request.mails("alice") == []


async def test_ok_in_reply_to_a_help_mail_is_no_question(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "vaults")
    await takes(deployment, await reply_to(request, "ivan", "asks to connect", "Hm."))
    await takes(deployment, await reply_to(request, "ivan", "could not be read", "ok."))
    assert request.lines(*SAID) == ["answer_refused ivan"] * 2


async def test_ok_in_reply_to_a_comment_means_i_see_and_approves_nothing(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "vaults")
    await deployment.engine.comment(inquiry(request, "alice", "The nightly backup failed."))
    await takes(deployment, await reply_to(request, "grace", "Alice A. commented", "OK"))
    assert (request.status, request.lines(*SAID)) == (Status.WAITING, ["commented alice", "answer_refused grace"])


@pytest.mark.parametrize("sender", ["heidi", "alice", "stranger"])
async def test_only_who_is_asked_has_a_question_passed_on(deployment: Deployment, sender: str) -> None:
    request = await deployment.ask("alice")
    mail = await reply_to(request, "grace", "asks to connect", "What is this about?", sender)
    unproven = await reply_to(request, "grace", "asks to connect", "What is this about?")
    unproven.replace_header("Authentication-Results", "mail.example.test; dmarc=fail header.from=example.test")
    await takes(deployment, mail, unproven)
    assert request.lines("inquired") == []
    assert len(request.lines("answer_refused")) == 2
    for person in (sender, "ada"):
        with pytest.raises(NotAllowed):
            await deployment.engine.inquire(inquiry(request, person))
    with pytest.raises(NotAllowed):
        await deployment.engine.comment(inquiry(request, "grace"))


async def test_a_question_after_the_end_gets_the_help_mail_that_says_how_it_ended(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "vaults")
    asked = await reply_to(request, "ivan", "asks to connect", "What is this about?")
    await request.says("grace")
    await request.outcome()
    await takes(deployment, asked)
    helped = await gets(request, "ivan", "could not be read", "The request is approved by Grace G.")
    assert "passed on" not in text_of(helped)
    with pytest.raises(Refused, match="already Approved"):
        await deployment.engine.comment(inquiry(request, "alice"))
    assert request.lines("inquired", "commented") == []


async def test_a_requester_who_is_an_approver_is_asked_by_the_others_and_hears_nothing_from_themselves(
    deployment: Deployment,
) -> None:
    request = await deployment.ask("dave", "routers")
    assert request.decided() == ["dave approve 1"]
    await deployment.engine.inquire(inquiry(request, "erin"))
    await takes(deployment, await reply_to(request, "dave", ASKS, "It is for the new switch."))
    for login in ("erin", "heidi"):
        await gets(request, login, "It is for the new switch.")
    assert request.lines("inquired", "commented") == ["inquired erin", "commented dave"]
    with pytest.raises(NotAllowed):
        await deployment.engine.inquire(inquiry(request, "dave"))


async def test_so_many_questions_an_hour_are_passed_on_and_each_once(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "vaults")
    for n in range(MOST_PASSED_ON):
        for _ in range(2):
            await deployment.engine.inquire(inquiry(request, "ivan", f"What about {n}?", str(n)))
    with pytest.raises(TooMany):
        await deployment.engine.inquire(inquiry(request, "ivan", source="another"))
    await takes(deployment, await reply_to(request, "ivan", "asks to connect", "And what else is there?"))
    assert "5 messages of yours" in text_of(await gets(request, "ivan", "could not be read"))
    await request.until_mailed(alice=["inquiry"] * MOST_PASSED_ON)
    assert said(request, "inquired") == [f"What about {n}?" for n in range(MOST_PASSED_ON)]
    other = await deployment.ask("alice", "vaults")
    await deployment.engine.inquire(inquiry(other, "ivan"))


async def test_a_mail_that_is_taken_again_after_a_kill_in_between_is_passed_on_once(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = await deployment.ask("alice", "vaults")
    mail = await reply_to(request, "ivan", "asks to connect", "What is this about?")

    async def killed(refused: RejectedInput) -> None:
        raise Unavailable("the worker was killed")

    with monkeypatch.context() as between:
        between.setattr(deployment.engine, "record_rejected", killed)
        with pytest.raises(Unavailable):
            await takes(deployment, mail)
    await takes(deployment, mail, mail)
    await request.says("ivan")
    await takes(deployment, mail)
    await request.until_mailed(alice=["inquiry", "settled"], ivan=["asked", "settled"])
    assert request.lines("inquired", "answer_refused") == ["inquired ivan", "answer_refused ivan"]
    assert PASSED_ON in said(request, "answer_refused")[0]


async def test_a_worker_sends_what_a_process_without_an_outbox_has_passed_on(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await Engine(deployment.client, deployment.store).inquire(inquiry(request, "grace"))
    await gets(request, "alice", ASKS)


async def test_a_requester_whose_address_is_refused_is_on_record(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    deployment.mail.faults.refused.add("alice@example.test")
    await deployment.engine.inquire(inquiry(request, "grace"))
    await until(lambda: "inquiry" in said(request, "unreachable"))
    assert request.status is Status.WAITING
