"""What the demo prints of mails and rows."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from email.message import EmailMessage

from rich.console import Console

from countersign.views import AuditEventView
from sandbox import clients
from sandbox.clients import POLICY, Client
from sandbox.demo.screen import Screen
from sandbox.mail_server import DOMAIN
from sandbox.people import Person

TOKEN = "k1abcdefghijklmnopqrstuvwxyz"
BODY = """Alice [bold]asks[/bold] to connect to web-1 by SSH for 2 hours.

Reply with APPROVE or REJECT as the first line; a comment may follow.

Who:         Alice (alice), alice@example.test
"""


def screen() -> tuple[Screen, io.StringIO]:
    written = io.StringIO()
    return Screen(Console(file=written, width=80, markup=False, emoji=False, highlight=False)), written


def question() -> EmailMessage:
    mail = EmailMessage(POLICY)
    mail["From"] = f"Countersign <countersign@{DOMAIN}>"
    mail["To"] = f"Grace Hopper <grace@{DOMAIN}>"
    mail["Reply-To"] = f"countersign+1042-1-{TOKEN}@{DOMAIN}"
    mail["Subject"] = "Countersign - Connection Approval Notification - #1042"
    mail["Date"] = "Sat, 21 Nov 2026 10:00:00 +0000"
    mail["Message-ID"] = f"<1042.1.{TOKEN}.asked.abc@{DOMAIN}>"
    mail.set_content(BODY)
    mail.add_alternative(f"<html><body><pre>{BODY}</pre></body></html>", subtype="html")
    return mail


def row(kind: str, who: str, message: str = "", channel: str = "") -> AuditEventView:
    at = datetime(2026, 11, 21, 10, 0, 7, tzinfo=UTC)
    return AuditEventView(version=1, approval_id=1042, kind=kind, at=at, who=who, channel=channel, detail=message)


def test_a_mail_is_shown_as_it_was_sent_without_its_token() -> None:
    shown, written = screen()
    shown.letter(question())
    output = written.getvalue()
    for line in BODY.splitlines():
        assert line in output
    assert f"Reply-To: countersign+1042-1-k1…@{DOMAIN}" in output
    assert TOKEN not in output


def test_later_mails_are_shown_in_brief() -> None:
    shown, written = screen()
    shown.excerpt(question())
    shown.brief(question())
    output = written.getvalue()
    assert "Who:" not in output
    assert "to Grace Hopper: Alice [bold]asks[/bold] to connect to web-1 by SSH for 2 hours." in " ".join(
        output.split()
    )


def test_a_reply_is_shown_as_it_was_written_with_the_beginning_of_the_quote() -> None:
    shown, written = screen()
    grace = Person("grace", 0, 0).address
    sent = clients.reply(question(), grace, "Approved\nwith pleasure", Client.OUTLOOK)
    shown.whole_reply(sent, "Approved\nwith pleasure", Client.OUTLOOK)
    output = written.getvalue()
    assert "reply by Grace, from Outlook" in output
    assert "│ Approved" in output
    assert "│ with pleasure" in output
    assert "Alice [bold]asks" not in output
    assert "more lines of the question, and all of it once more as HTML" in " ".join(output.replace("│", "").split())
    assert TOKEN not in output


def test_a_forged_reply_says_who_wrote_it() -> None:
    shown, written = screen()
    sent = clients.reply(question(), Person("grace", 0, 0).address, "Approved", Client.GMAIL)
    shown.reply(sent, "Approved", Client.GMAIL, forged_by="mallory")
    assert "Mallory as Grace, from Gmail: “Approved”" in written.getvalue()


def test_rows_of_the_record_say_when_what_and_who() -> None:
    shown, written = screen()
    shown.row(row("level_started", "countersign", "level 1 of 2"))
    shown.row(row("noticed", "heidi", "asked", "email"), ["heidi", "ivan"])
    first, second = written.getvalue().splitlines()
    assert first.split() == ["record", "10:00:07", "level", "started", "countersign:", "level", "1", "of", "2"]
    assert second.split() == ["record", "10:00:07", "noticed", "heidi,", "ivan", "by", "email:", "asked"]
