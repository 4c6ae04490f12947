"""The sandbox's people and the manners of their mail clients, over real SMTP and IMAP."""

import asyncio
import os
import re
import smtplib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sandbox.__main__ import app
from sandbox.clients import POLICY, Client
from sandbox.mail_server import MailServer
from sandbox.people import NoSuchMail, Person

TOKEN_ADDRESS = "approvals+1042-1-k1abcdefghijklmnop@example.test"
MESSAGE_ID = f"<1042.1.{'t' * 90}@example.test>"
ROOT = "<thread.1042.grace@example.test>"


def person(mail: MailServer, login: str) -> Person:
    return Person(login, mail.smtp_port, mail.imap_port)


def question(approval_id: int = 1042, to: str = "grace", tagged: bool = True) -> EmailMessage:
    message = EmailMessage(POLICY)
    message["From"] = "Countersign <approvals@example.test>"
    message["To"] = f"Grace <{to}@example.test>"
    message["Reply-To"] = TOKEN_ADDRESS if tagged else "approvals@example.test"
    message["Subject"] = f"Test - Connection Approval Notification - #{approval_id}"
    message["Date"] = "Sat, 21 Nov 2026 10:00:00 +0000"
    message["Message-ID"] = MESSAGE_ID
    message["References"] = ROOT
    message.set_content("Ada wants to connect to db-1.\nReply with APPROVE or REJECT.\n")
    message.add_alternative("<html><body><p>Ada wants to connect to <b>db-1</b>.</p></body></html>", subtype="html")
    return message


async def ask(mail: MailServer, message: EmailMessage) -> None:
    await asyncio.to_thread(person(mail, "countersign").send, message)


async def answers(mail: MailServer) -> list[EmailMessage]:
    return await asyncio.to_thread(person(mail, "countersign").inbox)


def text_of(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body
    return str(body.get_content())


@pytest.mark.parametrize("client", list(Client))
async def test_a_reply_finds_its_way_and_says_what_was_typed(client: Client) -> None:
    async with MailServer() as mail:
        await ask(mail, question())
        grace = person(mail, "grace")
        original = await asyncio.to_thread(grace.mail_about, 1042)
        await asyncio.to_thread(grace.reply, original, "Approved\n\nBut <only> today — Grüße", client)
        (answer,) = await answers(mail)
    assert answer["Delivered-To"] == TOKEN_ADDRESS
    assert answer["In-Reply-To"] == MESSAGE_ID
    assert answer["References"] == f"{ROOT} {MESSAGE_ID}"
    assert answer["From"] == "Grace <grace@example.test>"
    assert answer["Subject"].lower() == f"re: {original['Subject']}".lower()
    assert "dmarc=pass header.from=example.test" in answer["Authentication-Results"]
    plain = text_of(answer, "plain")
    assert "Approved\r\n\r\nBut <only> today — Grüße" in plain
    assert "Ada wants to connect to db-1." in plain


@pytest.mark.parametrize("client", [Client.GMAIL, Client.OUTLOOK, Client.APPLE])
async def test_html_clients_quote_the_whole_html_below(client: Client) -> None:
    async with MailServer() as mail:
        await ask(mail, question())
        grace = person(mail, "grace")
        original = await asyncio.to_thread(grace.mail_about, 1042)
        await asyncio.to_thread(grace.reply, original, "Approved\n<b>", client)
        (answer,) = await answers(mail)
    html = text_of(answer, "html")
    assert html.index("Approved") < html.index("&lt;b&gt;") < html.index("<p>Ada wants to connect to <b>db-1</b>.</p>")


async def test_the_bottom_quoter_writes_below() -> None:
    async with MailServer() as mail:
        await ask(mail, question())
        grace = person(mail, "grace")
        await asyncio.to_thread(
            lambda: grace.reply(grace.mail_about(1042), "Approved", Client.BOTTOM),
        )
        (answer,) = await answers(mail)
    text = answer.get_content()
    assert text.index("> Ada wants") < text.index("\r\nApproved\r\n")


async def test_a_forged_reply_looks_like_hers_but_fails_dmarc() -> None:
    async with MailServer() as mail:
        await ask(mail, question())
        grace = person(mail, "grace")
        await asyncio.to_thread(lambda: grace.reply(grace.mail_about(1042), "Approved", forged_by="mallory"))
        (answer,) = await answers(mail)
    assert answer["From"] == "Grace <grace@example.test>"
    assert answer["Return-Path"] == "<mallory@example.test>"
    assert "dmarc=fail" in answer["Authentication-Results"]


async def test_a_forwarded_mail_reaches_the_other_with_the_question_in_it() -> None:
    async with MailServer() as mail:
        await ask(mail, question())
        grace, mallory = person(mail, "grace"), person(mail, "mallory")
        await asyncio.to_thread(lambda: grace.forward(grace.mail_about(1042), "mallory", "Could you?"))
        received = await asyncio.to_thread(mallory.mail_about, 1042)
    assert received["From"] == "Grace <grace@example.test>"
    assert received["Reply-To"] is None
    text = text_of(received, "plain")
    assert text.startswith("Could you?")
    assert "Reply with APPROVE or REJECT." in text


async def test_an_autoresponder_says_that_it_is_one() -> None:
    async with MailServer() as mail:
        await ask(mail, question())
        grace = person(mail, "grace")
        await asyncio.to_thread(lambda: grace.be_away(grace.mail_about(1042)))
        (answer,) = await answers(mail)
    assert (answer["Auto-Submitted"], answer["Return-Path"]) == ("auto-replied", "<>")
    assert answer["Delivered-To"] == TOKEN_ADDRESS


async def test_the_mail_about_a_request_is_the_newest_that_asks() -> None:
    async with MailServer() as mail:
        grace = person(mail, "grace")
        for each in (question(), question(10421), question(tagged=False)):
            await ask(mail, each)
        assert "+1042-" in (await asyncio.to_thread(grace.mail_about, 1042))["Reply-To"]
        with pytest.raises(NoSuchMail, match="grace has no mail about #42"):
            await asyncio.to_thread(grace.mail_about, 42)


async def test_waits_for_the_mail_that_says_it() -> None:
    async with MailServer() as mail:
        grace = person(mail, "grace")
        waiting = asyncio.create_task(asyncio.to_thread(grace.wait_for_mail, 1042, "db-1"))
        await ask(mail, question(7))
        await ask(mail, question())
        assert (await waiting)["Subject"].endswith("#1042")
        with pytest.raises(NoSuchMail):
            await asyncio.to_thread(grace.wait_for_mail, 1042, "never said", 0.1)


async def run(mail: MailServer, *message: str) -> tuple[int, str]:
    ports = {
        "COUNTERSIGN_SANDBOX_SMTP_PORT": str(mail.smtp_port),
        "COUNTERSIGN_SANDBOX_IMAP_PORT": str(mail.imap_port),
    }
    result = await asyncio.to_thread(CliRunner().invoke, app, list(message), env=ports)
    return result.exit_code, result.output


async def test_one_person_plays_everybody_on_the_command_line() -> None:
    async with MailServer() as mail:
        await ask(mail, question())
        listed = await run(mail, "inbox", "grace")
        shown = await run(mail, "inbox", "grace", "1042")
        replied = await run(mail, "reply", "1042", "--as", "grace", "Approved", "--client", "outlook")
        copied = await run(mail, "reply", "1042", "--as", "mallory", "--mail-of", "grace", "Approved")
        forged = await run(mail, "reply", "1042", "--as", "grace", "Approved", "--forged-by", "mallory")
        await run(mail, "forward", "1042", "--as", "grace", "--to", "heidi")
        await run(mail, "away", "1042", "--as", "heidi")
        received = await answers(mail)
    assert (listed[0], "asks you" in listed[1], "#1042" in listed[1]) == (0, True, True)
    assert re.search(r"grace@example\.test: 1 mail\b", listed[1])
    assert "Ada wants to connect to db-1. Reply with APPROVE or REJECT." in listed[1]
    assert "Reply with APPROVE or REJECT." in shown[1]
    assert "Sent from Grace <grace@example.test> to approvals+…@example.test" in replied[1]
    assert "sent by mallory in their name" in forged[1]
    assert [code for code, _ in (replied, copied, forged)] == [0, 0, 0]
    assert [each["From"].addresses[0].username for each in received] == ["grace", "mallory", "grace"]
    assert TOKEN_ADDRESS not in listed[1] + shown[1] + replied[1]


async def test_the_command_line_says_what_is_wrong() -> None:
    async with MailServer() as mail:
        missing = await run(mail, "reply", "1042", "--as", "grace", "Approved")
        await ask(mail, question())
        mail.faults.refused.add(TOKEN_ADDRESS)
        refused = await run(mail, "reply", "1042", "--as", "grace", "Approved")
    down = await run(mail, "inbox", "grace")
    assert missing == (1, "grace has no mail about #1042.\n")
    assert (refused[0], "550 5.1.1 No such user here" in refused[1]) == (1, True)
    assert (down[0], "Start it: python -m sandbox serve" in down[1]) == (1, True)


async def test_serve_keeps_its_mail_for_the_next_start_and_says_when_a_port_is_taken(tmp_path: Path) -> None:
    kept = ["--keep", str(tmp_path), "--refuse", "gone@example.test"]
    async with serving(*kept) as mail:
        await ask(mail, question())
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await ask(mail, question(to="gone"))
        taken = await run(mail, "serve", "--smtp-port", str(mail.smtp_port), "--imap-port", "0")
    async with serving(*kept) as again:
        assert len(await asyncio.to_thread(person(again, "grace").inbox)) == 1
    assert (taken[0], "Choose other ports" in taken[1]) == (1, True)


@asynccontextmanager
async def serving(*options: str) -> AsyncIterator[MailServer]:
    """The command as people run it; gives the ports it printed."""
    command = [sys.executable, "-m", "sandbox", "serve", "--smtp-port", "0", "--imap-port", "0", *options]
    env = {**os.environ, "COLUMNS": "200"}
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=env)
    assert process.stdout
    line = (await asyncio.wait_for(process.stdout.readline(), 180)).decode()
    smtp, imap = re.findall(r"127\.0\.0\.1:(\d+)", line)
    yield MailServer(smtp_port=int(smtp), imap_port=int(imap))
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 180) == 0
