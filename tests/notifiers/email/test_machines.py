"""What shows that a machine sent a mail, what doesn't, and which automatic replies mean that somebody is away."""

import base64
import time

import pytest

from notifiers.email.reply import Reply, read_reply

TOKEN = "k1abcdefghijklmnopqrstuvwxyz"
SUBJECT = "Acme - Connection Approval Notification - #1042"
HEAD = (
    "From: Grace Hopper <grace@example.com>\r\n"
    f"To: Countersign <countersign+1042-2-{TOKEN}@example.test>\r\n"
    f"In-Reply-To: <1042.2.{TOKEN}.asked.abcdefghijklmnop@example.test>\r\n"
)


def reply(headers: str, body: str = "Approve", subject: str = f"Re: {SUBJECT}") -> Reply:
    return read_reply(f"{HEAD}Subject: {subject}\r\n{headers}\r\n\r\n{body}\r\n".encode())


@pytest.mark.parametrize(
    "header",
    [
        "X-Auto-Response-Suppress: DR, OOF, AutoReply",
        "X-Auto-Response-Suppress: All",
        "X-Auto-Response-Suppress: None",
        "Auto-Submitted: no",
        "Auto-Submitted: No (a (human) did)",
        "Auto-Submitted: (yes) no",
        'Auto-Submitted: "no"',
        "Auto-Submitted: no; a=b",
        "Auto-Submitted:",
        "Mailing-List:",
        "X-Failed-Recipients:",
        "X-Autoreply: no",
        "X-MS-Exchange-Inbox-Rules-Loop: approvals@example.test",
        "Content-Class: urn:content-classes:message",
        "Precedence: first-class",
        "X-MS-Exchange-Organization-AutoForwarded: false",
    ],
)
def test_headers_that_say_nothing_of_who_wrote(header: str) -> None:
    assert (reply(header).kind, reply(header).verdict) == ("reply", "approve")


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("List-Unsubscribe: <mailto:u@example.com>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click", "list"),
        ("X-Loop: corp-av-scanner", "loop"),
        ("X-Loop: relay@elsewhere.example", "loop"),
    ],
)
def test_what_a_persons_mail_may_bear_decides_nothing_but_is_answered(header: str, kind: str) -> None:
    read = reply(header)
    assert (read.verdict, read.kind, read.guessed) == ("none", kind, True)
    assert not reply(f"{header}\r\nPrecedence: bulk").guessed


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("Auto-Submitted: (no)", "auto_reply"),
        ("Auto-Submitted: no way", "auto_reply"),
        ("Auto-Submitted: (no", "auto_reply"),
        ("Auto-Submitted: no\r\nAuto-Submitted: auto-replied", "auto_reply"),
        ("Auto-Submitted: (vacation) auto-replied", "auto_reply"),
        ("Precedence: (by a robot) bulk", "auto_reply"),
        ("X-Vacation: yes", "auto_reply"),
        ("X-Autoreply: (by a robot)", "auto_reply"),
        ("X-ServiceNow-Generated: true", "auto_reply"),
        ("X-POST-MessageClass: 9; Autoresponder", "auto_reply"),
        ("X-Loop: Grace@example.com", "auto_reply"),
        ("X-MS-Exchange-Inbox-Rules-Loop: Grace@example.com", "auto_reply"),
        ("X-MS-Exchange-Organization-AutoForwarded: true", "auto_reply"),
        ("X-Auto-Response: 1", "auto_reply"),
        ("Content-Type: message/feedback-report", "auto_reply"),
        ("X-Loop: countersign@example.test", "loop"),
        (f"Message-ID: <1042.2.{TOKEN}.asked.abcdefghijklmnop@example.test>", "loop"),
        ("Message-ID: <1042.settled.abcdefghijklmnop@example.test>", "loop"),
        ("List-Id: <ops.example.com>\r\nPrecedence: bulk", "list"),
        ("List-Post: NO", "list"),
        ("List-Subscribe: <mailto:x@example.com>", "list"),
        ("List-Owner: <mailto:x@example.com>", "list"),
        ("List-Archive: <https://example.com>", "list"),
        ("X-ML-Name: ops", "list"),
        ("X-List: ops", "list"),
        ("X-Loop: ops@example.com\r\nX-Sequence: 12", "list"),
        ("Content-Class: urn:content-classes:calendarmessage", "calendar"),
        ("Content-Class: urn:content-classes:mdn", "receipt"),
        ("Content-Type: message/global-disposition-notification", "receipt"),
    ],
)
def test_headers_of_machines(header: str, kind: str) -> None:
    assert (reply(header).kind, reply(header).verdict) == (kind, "none")


@pytest.mark.parametrize("user", ["Postmaster", "double-bounce", "MAILER-DAEMON"])
def test_a_mail_servers_own_addresses_write_no_answers(user: str) -> None:
    mail = f"From: {user}@example.com\r\nTo: a@example.test\r\nSubject: Re: {SUBJECT}\r\n\r\nApprove\r\n"
    assert read_reply(mail.encode()).kind == "bounce"


def test_an_automatic_reply_of_any_language_decides_nothing() -> None:
    read = reply("X-Mailer: x", "OK\r\n\r\nEkki við fyrr en 30.", f"Sjálfvirkt svar: {SUBJECT}")
    assert (read.kind, read.verdict, read.away) == ("auto_reply", "none", False)


@pytest.mark.parametrize("prefix", ["Sjálfvirkt svar", "Restricted", "Accepted", "Automatic reply"])
@pytest.mark.parametrize(
    ("header", "guessed"),
    [
        ("X-Mailer: x", True),
        ("Auto-Submitted: auto-replied", False),
        ("Precedence: bulk", False),
        ("Return-Path: <>", False),
    ],
)
def test_what_only_a_subject_says_is_a_guess(prefix: str, header: str, guessed: bool) -> None:
    read = reply(header, subject=f"{prefix}: {SUBJECT}")
    assert (read.kind, read.code, read.guessed) == ("auto_reply", "auto_reply", guessed)


ROBOT = "Auto-Submitted: auto-generated"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Auto-Submitted: auto-replied (vacation)", "11월"),
        ("Auto-Submitted: auto-replied (zimbra; vacation)", "x"),
        ("X-Vacation: yes", "x"),
        (f"{ROBOT}\r\nX-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent", "x"),
        (f"{ROBOT}\r\nX-MS-Exchange-Inbox-Rules-Loop: grace@example.com", "x"),
        (ROBOT, "I’ll be back on Monday."),
        (ROBOT, "Ich bin AUSSER HAUS."),
        (ROBOT, "Ich bin bis zum 30.11. leider nicht erreichbar."),
        (ROBOT, "İzindeyim"),
        (ROBOT, "YILLIK İZİN"),
        (ROBOT, "OFİS DIŞINDA"),
        (ROBOT, "Je suis absente jusqu'au 30."),
        (ROBOT, "Estoy de baja hasta el lunes."),
        (ROBOT, "Буду отсутствовать до 30 ноября."),
        (f"{ROBOT}\r\nContent-Type: text/html", f"<style>{'p{margin:0}' * 300}</style><p>I am on annual&#32;leave"),
    ],
)
def test_signs_and_words_of_absence(headers: str, body: str) -> None:
    read = reply(headers, body)
    assert (read.kind, read.away) == ("auto_reply", True)


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        (f"Re: {SUBJECT}", "We will be back to you within 24 hours."),
        (f"AutoReply: {SUBJECT}", "In response to the creation of a trouble ticket."),
        (f"Re: {SUBJECT}", "Wir sind Mo-Fr 9-17 Uhr für Sie da, außerhalb nicht erreichbar."),
        (f"Re: {SUBJECT}", "Merci. En l'absence de réponse sous 48 h, relancez-nous."),
        (f"Re: {SUBJECT}", "Hemos recibido su solicitud; se ha dado de baja la anterior."),
        (f"Re: {SUBJECT}", "Ticket 12.\r\n\r\nOn Mon, 1 Nov 2026, Acme wrote:\r\n> Bob is on vacation"),
        (f"Read: {SUBJECT}", "Your message was read"),
        (f"Incident opened: {SUBJECT}", "x"),
        ("Re: Out of Office Ltd - Connection Approval Notification - #1042", "Ticket 12."),
    ],
)
def test_what_other_machines_say_is_no_absence(subject: str, body: str) -> None:
    read = reply(ROBOT, body, subject)
    assert (read.kind, read.away) == ("auto_reply", False)


def calendar(kind: str, params: str, body: str, encoding: str = "7bit") -> Reply:
    part = f"Content-Type: text/calendar{params}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}\r\n"
    text = "--b\r\nContent-Type: text/plain\r\n\r\nYes\r\n"
    return reply(f"Content-Type: multipart/{kind}; boundary=b", f"{text}--b\r\n{part}--b--")


CALENDAR = "BEGIN:VCALENDAR\r\nMETHOD:{}\r\nEND:VCALENDAR"


def test_an_answer_to_an_invitation_is_none_wherever_it_stands() -> None:
    assert calendar("mixed", "; method=REPLY", CALENDAR.format("x")).kind == "calendar"
    assert calendar("mixed", "; name=a.ics", CALENDAR.format("counter")).kind == "calendar"
    assert calendar("mixed", "", CALENDAR.format("RE\r\n PLY")).kind == "calendar"
    packed = base64.encodebytes(CALENDAR.format("REPLY").encode()).decode()
    assert calendar("alternative", "", packed, "base64").kind == "calendar"
    assert (
        reply("Content-Type: multipart/mixed; method=REPLY; boundary=b", "--b\r\n\r\nYes\r\n--b--").kind == "calendar"
    )


def test_an_invitation_beside_an_answer_harms_nothing() -> None:
    read = calendar("mixed", "; method=PUBLISH; name=a.ics", CALENDAR.format("PUBLISH"))
    assert (read.kind, read.verdict) == ("reply", "approve")


@pytest.mark.parametrize("name", ["X-Loop", "To", "Auto-Submitted", "Precedence", "X-Autoreply", "List-Id", "X-Cron"])
@pytest.mark.parametrize("unit", ["a", "(", '"', "a@", "\\", "<a@b>,"])
def test_hostile_headers_take_no_time(name: str, unit: str) -> None:
    headers = "\r\n".join([f"{name}: {unit * 400}"] * 450)
    start = time.perf_counter()
    read_reply(f"From: a@b.example\r\n{headers}\r\n\r\nYes\r\n".encode())
    assert time.perf_counter() - start < 10  # many times what it takes on an idle machine
