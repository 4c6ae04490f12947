"""The sandbox's mail server, over real SMTP and IMAP connections."""

import asyncio
import os
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from threading import Event

import pytest
from imapclient import IMAPClient

from sandbox.authentication_results import without_results_of
from sandbox.mail_server import MailServer
from sandbox.smtp import Stage

PLAIN = "From: Grace <grace@example.test>\r\nSubject: hello\r\n\r\nhello\r\n"


def submit(
    mail: MailServer, text: str, to: str = "approvals@example.test", login: str = "", timeout: float = 10
) -> None:
    with smtplib.SMTP(mail.host, mail.smtp_port, timeout=timeout) as smtp:
        if login:
            smtp.login(login, mail.password)
        smtp.sendmail("grace@example.test", [to], text)


@contextmanager
def inbox_of(mail: MailServer, account: str) -> Iterator[IMAPClient]:
    with IMAPClient(mail.host, mail.imap_port, ssl=False, timeout=120) as imap:
        imap.login(account, mail.password)
        imap.select_folder("INBOX")
        yield imap


def read(mail: MailServer, account: str) -> list[EmailMessage]:
    with inbox_of(mail, account) as imap:
        found = imap.fetch(imap.search(), ["BODY.PEEK[]"])
    return [message_from_bytes(each[b"BODY[]"], policy=policy.default) for each in found.values()]


async def exchange(text: str, login: str = "", to: str = "approvals@example.test") -> EmailMessage:
    async with MailServer() as mail:
        await asyncio.to_thread(submit, mail, text, to, login)
        (received,) = await asyncio.to_thread(read, mail, "countersign")
    return received


async def test_mail_to_any_local_part_and_its_tags_lands_in_its_mailbox() -> None:
    async with MailServer() as mail:
        await asyncio.to_thread(submit, mail, PLAIN, "Grace+Some.Tag@Example.test")
        (received,) = await asyncio.to_thread(read, mail, "grace")
    assert received["Delivered-To"] == "Grace+Some.Tag@Example.test"
    assert received["Return-Path"] == "<grace@example.test>"
    assert "by mail.example.test" in received["Received"]
    assert received.get_content() == "hello\r\n"


@pytest.mark.parametrize(
    ("text", "login", "verdict", "domain"),
    [
        (PLAIN, "grace", "pass", "example.test"),
        (PLAIN, "", "fail", "example.test"),
        (PLAIN, "mallory", "fail", "example.test"),
        (PLAIN.replace("grace@", "grace+x@"), "grace", "fail", "example.test"),
        ("From: grace@example.test, mallory@example.test\r\n\r\nx", "grace", "fail", "unknown"),
        ("From: grace@example.test\r\n" + PLAIN, "grace", "fail", "unknown"),
        ("From: ada@elsewhere.test\r\n\r\nx", "", "fail", "elsewhere.test"),
        ("From: approvals@example.test\r\n\r\nx", "countersign", "pass", "example.test"),
        ("Subject: nobody\r\n\r\nx", "grace", "fail", "unknown"),
    ],
)
async def test_says_whether_the_sender_is_the_person_in_from(text: str, login: str, verdict: str, domain: str) -> None:
    received = await exchange(text, login)
    results = f"spf={verdict} smtp.mailfrom={domain}; dmarc={verdict} header.from={domain}"
    assert received.get_all("Authentication-Results") == [f"mail.example.test; {results}"]


@pytest.mark.parametrize(
    "claim",
    [
        b"Authentication-Results: mail.example.test; dmarc=pass\r\n",
        b"authentication-results:\r\n\t(so it is) MAIL.example.test 1;\r\n dmarc=pass\r\n",
        b'Authentication-Results : "mail.example.test"; dmarc=pass\r\n',
        b"X-Note: a\rAuthentication-Results: mail.example.test; dmarc=pass\r\n",
    ],
)
def test_a_result_in_its_own_name_is_never_the_senders(claim: bytes) -> None:
    cleaned = without_results_of("mail.example.test", claim + b"Subject: x\r\n\r\nAuthentication-Results: said in text")
    assert b"dmarc=pass" not in cleaned
    assert cleaned.endswith(b"Subject: x\r\n\r\nAuthentication-Results: said in text")


def test_results_of_other_servers_stay() -> None:
    text = b"Authentication-Results: mx.elsewhere.test; dmarc=pass\r\n\r\nx"
    assert without_results_of("mail.example.test", text) == text


async def test_a_wrong_password_is_refused() -> None:
    async with MailServer() as mail:
        mail.password = "other"
        with pytest.raises(smtplib.SMTPAuthenticationError):
            await asyncio.to_thread(submit, MailServer(smtp_port=mail.smtp_port), PLAIN, login="grace")


async def test_refuses_defers_and_does_not_relay_as_told() -> None:
    async with MailServer() as mail:
        mail.faults.refused.add("grace@example.test")
        mail.faults.deferred.add("heidi@example.test")
        codes = [
            await asyncio.to_thread(refusal, mail, to)
            for to in ("grace+tag@example.test", "Heidi@example.test", "x@elsewhere.test")
        ]
        mail.faults.refused.clear()
        assert await asyncio.to_thread(read, mail, "grace") == []
        await asyncio.to_thread(submit, mail, PLAIN, "grace@example.test")
        assert mail.delivered == 1
    assert codes == [550, 451, 550]


def refusal(mail: MailServer, to: str) -> int:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        submit(mail, PLAIN, to)
    return next(iter(refused.value.recipients.values()))[0]


@pytest.mark.parametrize(("stage", "kept"), [("ehlo", 0), ("rcpt", 0), ("data", 0), ("delivered", 1)])
async def test_drops_the_connection_where_told(stage: Stage, kept: int) -> None:
    async with MailServer() as mail:
        mail.faults.drop_at = stage
        with pytest.raises(smtplib.SMTPServerDisconnected):
            await asyncio.to_thread(submit, mail, PLAIN)
        assert mail.delivered == kept


async def test_delivery_wakes_every_idler_even_just_before_it_idles() -> None:
    async with MailServer() as mail:
        selected, delivered = Event(), Event()

        def idle() -> bytes:
            with inbox_of(mail, "countersign") as imap:
                selected.set()
                delivered.wait(120)
                imap.idle()
                # Not idle_check: it waits on the socket, but the news may already have come along with "+ Idling".
                news: bytes = imap._imap.readline()
                imap.idle_done()
            return news

        idler = asyncio.create_task(asyncio.to_thread(idle))
        await asyncio.to_thread(selected.wait, 120)
        await asyncio.to_thread(submit, mail, PLAIN)
        delivered.set()
        assert await idler == b"* 1 EXISTS\r\n"


async def test_mail_and_ports_survive_a_restart_and_clients_are_hung_up_on() -> None:
    mail = MailServer()
    async with mail:
        ports = (mail.smtp_port, mail.imap_port)
        await asyncio.to_thread(submit, mail, PLAIN)
    async with mail:
        assert (mail.smtp_port, mail.imap_port) == ports
        assert len(await asyncio.to_thread(read, mail, "countersign")) == 1


async def test_a_slow_server_outlasts_its_client_and_stops_all_the_same() -> None:
    async with MailServer() as mail:
        mail.faults.delay = 600
        with pytest.raises(smtplib.SMTPServerDisconnected):
            await asyncio.to_thread(submit, mail, PLAIN, timeout=0.2)
        assert mail.delivered == 0


async def test_each_recipient_of_a_mail_gets_a_copy_of_their_own() -> None:
    async with MailServer() as mail:
        await asyncio.to_thread(submit_to, mail, ["grace@example.test", "heidi+tag@example.test"])
        live_messages = [await asyncio.to_thread(read, mail, each) for each in ("grace", "heidi")]
    assert [[copy["Delivered-To"] for copy in each] for each in live_messages] == [
        ["grace@example.test"],
        ["heidi+tag@example.test"],
    ]


def submit_to(mail: MailServer, recipients: list[str]) -> None:
    with smtplib.SMTP(mail.host, mail.smtp_port, timeout=120) as smtp:
        smtp.sendmail("approvals@example.test", recipients, PLAIN)


async def test_kept_mail_has_the_time_at_which_it_came_also_in_the_next_process(tmp_path: Path) -> None:
    async with MailServer(keep=tmp_path) as mail:
        await asyncio.to_thread(submit, mail, PLAIN)
    came = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    os.utime(tmp_path / "00000001-countersign.eml", (came.timestamp(), came.timestamp()))

    def times(mail: MailServer) -> list[datetime]:
        with inbox_of(mail, "countersign") as imap:
            imap.normalise_times = False
            return [each[b"INTERNALDATE"] for each in imap.fetch(imap.search(), ["INTERNALDATE"]).values()]

    async with MailServer(keep=tmp_path) as again:
        assert await asyncio.to_thread(times, again) == [came]
