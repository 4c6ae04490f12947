"""Sending mails to a real server: what arrives, whose fault a failure is, and what happens to kept connections."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from countersign.errors import Unavailable, Unconfirmed, Unreachable
from notifiers.email.config import SmtpConfig
from notifiers.email.connections import (
    IDLE_BEFORE_ASKING,
    LONGEST_IDLE,
    LONGEST_LIFE,
    MOST_MAILS,
    Connections,
)
from notifiers.email.send import EmailSender
from notifiers.email.token import masked
from notifiers.email.transaction import Envelope
from tests.samples import GRACE, HEIDI, notification, person

from .notifications import config
from .smtp_server import ACCESS_TOKEN, PASSWORD, USER, MailServer, certificate, serving


def notifier(server: MailServer, **smtp: Any) -> EmailSender:
    usual = {"host": "127.0.0.1", "port": server.port, "security": "none", "timeout_seconds": 5}
    return EmailSender(config(SmtpConfig(**(usual | smtp))))


# --- what arrives ---------------------------------------------------------------------------------------------------


async def test_a_notification_arrives_as_the_mail_it_was_composed_to() -> None:
    async with serving() as server:
        out = notifier(server)
        reference = await out.send(notification())
        await out.close()
    (mail,) = server.mails
    assert masked(mail["Message-ID"]) == reference != mail["Message-ID"]
    assert mail["Subject"] == "Acme Gateways - Connection Approval Notification - #1042"
    assert server.senders == ["countersign@acme.example"]
    assert server.recipients == ["grace@acme.example"]
    assert not mail.defects


async def test_sent_again_it_is_the_same_mail() -> None:
    async with serving() as server:
        out = notifier(server)
        assert await out.send(notification()) == await out.send(notification())
        await out.close()
    assert server.mails[0]["Message-ID"] == server.mails[1]["Message-ID"]


async def test_a_line_that_is_a_dot_arrives_and_ends_nothing() -> None:
    question = notification().question.model_copy(update={"reason": "one\n.\ntwo"})
    async with serving() as server:
        out = notifier(server)
        await out.send(notification(question=question))
        await out.close()
    body = server.mails[0].get_body(("plain",))
    assert body is not None
    assert "  | one\n  | .\n  | two\n" in body.as_string().replace("\r\n", "\n")


async def test_an_address_beyond_ascii_goes_by_smtputf8() -> None:
    async with serving(enable_SMTPUTF8=True) as server:
        out = notifier(server)
        await out.send(notification(to=GRACE.model_copy(update={"email": "gräce@acme.example"})))
        await out.close()
    assert server.recipients == ["gräce@acme.example"]


async def test_an_address_beyond_ascii_is_unreachable_without_smtputf8() -> None:
    async with serving() as server:
        out = notifier(server)
        with pytest.raises(Unreachable, match="SMTPUTF8"):
            await out.send(notification(to=GRACE.model_copy(update={"email": "gräce@acme.example"})))
        await out.send(notification())
        await out.close()
    assert server.recipients == ["grace@acme.example"]


async def test_what_is_no_address_is_unreachable_without_asking_the_server() -> None:
    async with serving() as server:
        with pytest.raises(Unreachable):
            await notifier(server).send(notification(to=GRACE.model_copy(update={"email": "nobody"})))
    assert server.connections == []


# --- whose failure it is --------------------------------------------------------------------------------------------

FOR_GOOD = [
    ("RCPT", "550 5.1.1 No such user", "550 5.1.1 No such user"),
    ("RCPT", "551 5.1.6 Moved", "551"),
    ("RCPT", "552 5.2.2 Mailbox full", "552"),
    ("RCPT", "553 5.1.3 Bad address", "553"),
    ("RCPT", "550 5.7.1 Not accepted from you", "550"),
    ("DATA", "554 5.6.0 Content refused", "refuses this mail to grace@acme.example"),
    ("DATA", "552 5.3.4 Too big", "552"),
]
FOR_NOW = [
    ("MAIL", "451 4.3.0 Try again", "can't take mail now: 451"),
    ("MAIL", "550 5.7.60 You are not this sender", "check the sender address"),
    ("MAIL", "530 5.7.0 Authentication required", "check the sender address"),
    ("RCPT", "451 4.7.1 Greylisted", "now: 451 4.7.1 Greylisted"),
    ("RCPT", "452 4.2.2 Mailbox full for now", "452"),
    ("RCPT", "530 5.7.0 Authentication required", "check the login it wants"),
    ("RCPT", "554 5.7.1 Relay access denied", "check the login it wants"),
    ("RCPT", "550 5.7.1 Unable to relay", "check the login it wants"),
    ("DATA", "451 4.3.0 Disk full", "451"),
]


@pytest.mark.parametrize(("command", "reply", "message"), FOR_GOOD)
async def test_what_is_refused_for_good_is_unreachable(command: str, reply: str, message: str) -> None:
    async with serving(MailServer(replies={command: reply})) as server:
        out = notifier(server)
        with pytest.raises(Unreachable, match=message):
            await out.send(notification())
        await out.close()
    assert server.mails == []


@pytest.mark.parametrize(("command", "reply", "message"), FOR_NOW)
async def test_what_may_work_later_or_is_our_fault_is_unavailable(command: str, reply: str, message: str) -> None:
    async with serving(MailServer(replies={command: reply})) as server:
        out = notifier(server)
        with pytest.raises(Unavailable, match=message):
            await out.send(notification())
        await out.close()
    assert server.mails == []


async def test_a_reply_full_of_rubbish_is_told_on_one_short_line() -> None:
    async with serving(MailServer(replies={"RCPT": "550-5.1.1 \x1b[31m\r\n550 " + "x" * 2000})) as server:
        out = notifier(server)
        with pytest.raises(Unreachable) as refused:
            await out.send(notification())
        await out.close()
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500


async def test_one_refused_recipient_leaves_the_connection_to_the_others() -> None:
    async with serving(MailServer(replies={"RCPT grace@acme.example": "550 5.1.1 Unknown"})) as server:
        out = notifier(server)
        with pytest.raises(Unreachable):
            await out.send(notification())
        await out.send(notification(to=HEIDI))
        await out.close()
    assert server.recipients == ["heidi@acme.example"]
    assert len(server.connections) == 1


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable, match="check host, port and security"):
            await notifier(MailServer(port=taken.getsockname()[1])).send(notification())


@pytest.mark.parametrize("command", ["MAIL", "RCPT"])
async def test_a_server_that_hangs_is_unavailable(command: str) -> None:
    async with serving(MailServer(hang_at=command)) as server:
        with pytest.raises(Unavailable, match="does not answer in time"):
            await notifier(server, timeout_seconds=0.2).send(notification())


async def test_a_server_that_never_greets_is_unavailable() -> None:
    hung_up = asyncio.Event()

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        hung_up.set()

    async with await asyncio.start_server(silence, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        with pytest.raises(Unavailable, match="does not answer in time"):
            await notifier(MailServer(port=port), timeout_seconds=0.2).send(notification())
        await hung_up.wait()


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_a_server_that_hangs_up_on_a_new_connection_is_unavailable(command: str) -> None:
    async with serving(MailServer(cut_at=command)) as server:
        with pytest.raises(Unavailable):
            await notifier(server).send(notification())
    assert len(server.connections) == 1


# --- after the whole mail was sent ----------------------------------------------------------------------------------


async def test_a_mail_that_is_not_confirmed_in_time_is_neither_sent_nor_lost() -> None:
    async with serving(MailServer(hang_at="DATA")) as server:
        with pytest.raises(Unconfirmed, match=r"has the whole mail to grace@acme.example, but said nothing for"):
            await notifier(server, last_reply_seconds=0.2).send(notification())


async def test_a_connection_lost_after_the_whole_mail_is_not_tried_again() -> None:
    async with serving() as server:
        out = notifier(server)
        await out.send(notification())
        server.cut_at = "DATA"
        with pytest.raises(Unconfirmed, match="connection was lost before it answered"):
            await out.send(notification(to=HEIDI))
    assert len(server.connections) == 1
    assert server.commands.count("DATA") == 2


async def test_a_refusal_of_the_whole_mail_is_no_doubt() -> None:
    async with serving(MailServer(replies={"DATA": "421 4.3.2 Shutting down"})) as server:
        with pytest.raises(Unavailable, match="421") as refused:
            await notifier(server).send(notification())
    assert not isinstance(refused.value, Unconfirmed)


async def test_the_reply_to_the_whole_mail_has_a_time_limit_of_its_own() -> None:
    async with serving() as server:
        out = notifier(server, timeout_seconds=0.5)
        server.answer_after = 1.5
        await out.send(notification())
        await out.close()
    assert len(server.mails) == len(server.connections) == 1


async def test_a_mail_that_is_confirmed_late_lets_others_begin() -> None:
    async with serving() as server:
        out = notifier(server, connections=1)
        server.keep_back = asyncio.Event()
        late = asyncio.create_task(out.send(notification()))
        await asyncio.wait_for(server.kept_back.wait(), 120)
        keep_back, server.keep_back = server.keep_back, None
        await asyncio.wait_for(out.send(notification(to=HEIDI)), 120)
        assert not late.done()
        keep_back.set()
        await asyncio.wait_for(late, 120)
        await out.close()
    assert sorted(server.recipients) == ["grace@acme.example", "heidi@acme.example"]
    assert server.commands[-1] == "QUIT"


# aiosmtpd warns of a login without TLS; the notifier's side of that is in test_config.py.
IN_CLEAR = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


# --- TLS and login --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command, which makes the certificate, is not installed")
    return certificate(tmp_path_factory.mktemp("tls"))


async def test_starttls_and_login(tls: tuple[Path, ssl.SSLContext]) -> None:
    ca, context = tls
    server = MailServer()
    async with serving(
        server, tls_context=context, require_starttls=True, authenticator=server.checks, auth_required=True
    ):
        out = notifier(server, host="localhost", security="starttls", ca_file=str(ca), username=USER, password=PASSWORD)
        await out.send(notification())
        await out.send(notification(to=HEIDI))
        await out.close()
    assert len(server.mails) == 2
    assert len(server.logins) == 1


async def test_tls_from_the_start(tls: tuple[Path, ssl.SSLContext]) -> None:
    ca, context = tls
    async with serving(tls=context) as server:
        out = notifier(server, host="localhost", security="tls", ca_file=str(ca))
        await out.send(notification())
        await out.close()
    assert len(server.mails) == 1


async def test_a_server_without_starttls_gets_nothing() -> None:
    async with serving() as server:
        with pytest.raises(Unavailable, match=r"STARTTLS.*check host, port and security"):
            await notifier(server, host="localhost", security="starttls", username=USER, password=PASSWORD).send(
                notification()
            )
    assert server.commands == server.logins == []


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_certificate_nobody_vouches_for_gets_nothing(security: str, tls: tuple[Path, ssl.SSLContext]) -> None:
    _, context = tls
    options: dict[str, Any] = {"tls": context} if security == "tls" else {"tls_context": context}
    async with serving(**options) as server:
        with pytest.raises(Unavailable, match="check host, port and security"):
            await notifier(server, host="localhost", security=security).send(notification())
    assert server.commands == []


async def test_a_certificate_for_another_name_gets_nothing(tls: tuple[Path, ssl.SSLContext]) -> None:
    ca, context = tls
    async with serving(tls=context) as server:
        with pytest.raises(Unavailable):
            await notifier(server, host="127.0.0.1", security="tls", ca_file=str(ca)).send(notification())
    assert server.commands == []


@IN_CLEAR
async def test_a_wrong_password_is_ours_to_mend_and_is_not_told() -> None:
    server = MailServer()
    async with serving(server, authenticator=server.checks, auth_required=True, auth_require_tls=False):
        out = notifier(server, username=USER, password="wr0ng-one")
        with pytest.raises(Unavailable, match=r"refuses our login \(535.*check username and password") as refused:
            await out.send(notification())
    assert "wr0ng-one" not in f"{refused.value} {refused.value.__cause__} {out!r} {vars(out)}"
    assert server.mails == []


@IN_CLEAR
async def test_a_login_by_access_token_asks_for_a_fresh_one_each_time() -> None:
    given: list[str] = []

    async def fresh() -> str:
        given.append(ACCESS_TOKEN)
        return ACCESS_TOKEN

    server = MailServer()
    async with serving(server, auth_required=True, auth_require_tls=False):
        out = notifier(server, username=USER, access_token=fresh)
        await out.send(notification())
        server.cut_all()
        await out.send(notification(to=HEIDI))
        await out.close()
    assert server.logins == ["XOAUTH2", "XOAUTH2"]
    assert len(given) == len(server.mails) == 2


@IN_CLEAR
async def test_a_refused_access_token_is_unavailable() -> None:
    async def stale() -> str:
        return "stale-token"

    server = MailServer()
    async with serving(server, auth_required=True, auth_require_tls=False):
        with pytest.raises(Unavailable, match="refuses our login") as refused:
            await notifier(server, username=USER, access_token=stale).send(notification())
    assert "stale-token" not in str(refused.value)


@IN_CLEAR
async def test_words_of_whoever_gives_access_tokens_are_kept() -> None:
    async def broken() -> str:
        raise Unavailable("sign in to the identity provider again")

    server = MailServer()
    async with serving(server, auth_required=True, auth_require_tls=False):
        with pytest.raises(Unavailable, match=r"^sign in to the identity provider again$"):
            await notifier(server, username=USER, access_token=broken).send(notification())


@IN_CLEAR
async def test_no_access_token_to_be_had_is_unavailable() -> None:
    async def broken() -> str:
        raise RuntimeError("the identity provider said no, client_secret=hush")

    server = MailServer()
    async with serving(server, auth_required=True, auth_require_tls=False):
        with pytest.raises(Unavailable, match="no access token") as refused:
            await notifier(server, username=USER, access_token=broken).send(notification())
    assert "hush" not in str(refused.value)


# --- kept connections -----------------------------------------------------------------------------------------------


async def test_mails_one_after_another_share_a_connection() -> None:
    async with serving() as server:
        out = notifier(server)
        for number in range(20):
            await out.send(notification(id=f"n{number}"))
        await out.close()
    assert len(server.mails) == 20
    assert len(server.connections) == 1
    assert server.commands[-1] == "QUIT"


async def test_mails_at_once_share_a_few_connections() -> None:
    async with serving() as server:
        out = notifier(server, connections=3)
        people = [person(f"p{number}", f"Person {number}") for number in range(60)]
        await asyncio.gather(*(out.send(notification(to=someone)) for someone in people))
        await out.close()
    assert sorted(server.recipients) == sorted(someone.email for someone in people)
    assert len(server.connections) == server.most_at_once == 3


async def test_a_kept_connection_that_died_is_replaced_without_a_word() -> None:
    async with serving() as server:
        out = notifier(server)
        await out.send(notification())
        server.cut_all()
        await out.send(notification(to=HEIDI))
        await out.close()
    assert server.recipients == ["grace@acme.example", "heidi@acme.example"]
    assert len(server.connections) == 2


@pytest.mark.parametrize("command", ["MAIL", "RCPT"])
async def test_a_kept_connection_that_dies_in_the_middle_is_tried_once_more(command: str) -> None:
    async with serving() as server:
        out = notifier(server)
        await out.send(notification())
        server.cut_at = command
        with pytest.raises(Unavailable):
            await out.send(notification(to=HEIDI))
    assert len(server.connections) == 2
    assert server.recipients == ["grace@acme.example"]


@pytest.mark.parametrize("command", ["MAIL", "RCPT"])
async def test_a_kept_connection_the_server_closes_politely_is_replaced(command: str) -> None:
    async with serving() as server:
        out = notifier(server)
        await out.send(notification())
        server.replies[f"{command} heidi@acme.example" if command == "RCPT" else command] = "421 4.4.2 Bye"
        with pytest.raises(Unavailable, match="421"):
            await out.send(notification(to=HEIDI))
        assert len(server.connections) == 2
        server.replies.clear()
        await out.send(notification(to=HEIDI))
        await out.close()
    assert server.recipients == ["grace@acme.example", "heidi@acme.example"]


async def test_a_temporary_refusal_on_a_kept_connection_is_not_tried_again_at_once() -> None:
    async with serving() as server:
        out = notifier(server)
        await out.send(notification())
        server.replies["MAIL"] = "451 4.3.0 Try again"
        with pytest.raises(Unavailable, match="451"):
            await out.send(notification(to=HEIDI))
        assert server.commands.count("MAIL countersign@acme.example") == 2
        server.replies.clear()
        await out.send(notification(to=HEIDI))
        await out.close()
    assert server.recipients == ["grace@acme.example", "heidi@acme.example"]


async def test_a_cancelled_send_leaves_nothing_half_done_behind() -> None:
    async with serving(MailServer(hang_at="RCPT")) as server:
        out = notifier(server, connections=1)
        sending = asyncio.create_task(out.send(notification()))
        await server.hung.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        server.hang_at = ""
        await out.send(notification(to=HEIDI))
        await out.close()
    assert server.recipients == ["heidi@acme.example"]
    assert len(server.connections) == 2


async def test_a_connection_closed_while_in_use_finishes_its_mail_first() -> None:
    async with serving() as server:
        out = notifier(server)
        sending = asyncio.create_task(out.send(notification()))
        await asyncio.sleep(0)
        await out.close()
        await sending
    assert server.recipients == ["grace@acme.example"]


ENVELOPE = Envelope("countersign@acme.example", "grace@acme.example", b"Subject: x\r\n\r\nx\r\n")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def kept(server: MailServer, clock: Clock) -> Connections:
    smtp = SmtpConfig(host="127.0.0.1", port=server.port, security="none", timeout_seconds=120)
    return Connections(smtp, "acme.example", clock)


@pytest.mark.parametrize(
    ("after", "connections", "asks"),
    [
        (IDLE_BEFORE_ASKING - 1, 1, False),
        (IDLE_BEFORE_ASKING + 1, 1, True),
        (LONGEST_IDLE + 1, 2, False),
        (LONGEST_LIFE + 1, 2, False),
    ],
)
async def test_a_connection_is_asked_after_a_while_and_replaced_when_old(
    after: float, connections: int, asks: bool
) -> None:
    clock = Clock()
    async with serving() as server:
        lines = kept(server, clock)
        await lines.deliver(ENVELOPE)
        clock.now += after
        await lines.deliver(ENVELOPE)
        await lines.close()
    assert len(server.mails) == 2
    assert len(server.connections) == connections
    assert ("NOOP" in server.commands) is asks


async def test_a_connection_in_steady_use_is_replaced_in_the_end() -> None:
    clock = Clock()
    async with serving() as server:
        lines = kept(server, clock)
        while clock.now <= LONGEST_LIFE + LONGEST_IDLE:
            await lines.deliver(ENVELOPE)
            clock.now += LONGEST_IDLE - 1
        await lines.close()
    assert len(server.connections) == 2


async def test_a_connection_carries_only_so_many_mails() -> None:
    async with serving() as server:
        lines = kept(server, Clock())
        for _ in range(MOST_MAILS + 1):
            await lines.deliver(ENVELOPE)
        await lines.close()
    assert len(server.mails) == MOST_MAILS + 1
    assert len(server.connections) == 2


async def test_an_idle_connection_that_answers_badly_is_replaced() -> None:
    clock = Clock()
    async with serving(MailServer(replies={"NOOP": "500 What?"})) as server:
        lines = kept(server, clock)
        await lines.deliver(ENVELOPE)
        clock.now += IDLE_BEFORE_ASKING + 1
        await lines.deliver(ENVELOPE)
        await lines.close()
    assert len(server.connections) == len(server.mails) == 2
