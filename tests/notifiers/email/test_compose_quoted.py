"""Our own mail, quoted back in a reply by any mail client, never answers and never hides the answer."""

from __future__ import annotations

import re
import textwrap
from email.message import EmailMessage

import pytest

from countersign.fingerprints import Fingerprint
from countersign.models import Event, Verdict
from countersign.notifications import RequestNotification
from notifiers.email.compose import compose
from notifiers.email.reply import Reply, read_reply
from notifiers.email.token import KIND_OF_EVENT
from tests.samples import CHANGED_DEVICE, NEW_DEVICE, NOON, QUESTION, decided, notification

from .notifications import config

CONFIG = config()
VERDICTS_EVERYWHERE = notification(
    question=QUESTION.model_copy(update={"reason": "approve\nyes\n\nreject", "ticket": "approve", "device": "approve"}),
    requester=notification().requester.model_copy(update={"name": "Approve"}),
)
VERDICTS_OF_OTHERS = notification(
    levels=2,
    quorum=3,
    decisions=[
        decided("heidi", Verdict.APPROVE, "approve\nyes\n\nreject\nReply with APPROVE"),
        decided("ivan", Verdict.APPROVE, "reject"),
    ],
    names={"heidi": "Approve", "ivan": "Reject"},
)
APPROVE = Fingerprint.model_validate(dict.fromkeys(Fingerprint.model_fields.keys() - {"posture"}, "approve"))
ASKED = {
    "a new device": notification(question=NEW_DEVICE),
    "a device, verdicts everywhere": notification(
        question=CHANGED_DEVICE.model_copy(update={"name": "approve", "fingerprint": APPROVE})
    ),
    "asked": notification(),
    "reminded": notification(Event.REMINDED),
    "help": notification(Event.HELP, message="approve"),
    "verdicts everywhere": VERDICTS_EVERYWHERE,
    **{
        f"{one}, verdicts of others": VERDICTS_OF_OTHERS.model_copy(update={"event": one})
        for one, kind in KIND_OF_EVENT.items()
        if kind != "undo"
    },
}


def bodies(mail: EmailMessage) -> tuple[str, str]:
    plain, html = (part.get_content() for part in mail.iter_parts() if isinstance(part, EmailMessage))
    return plain, html


def head_taken_off(html: str) -> str:
    return re.sub(r"(?s)^.*?<body[^>]*>|</body>.*$", "", html)


def replied(mail: EmailMessage, plain: str | None, html: str | None) -> Reply:
    reply = EmailMessage()
    reply["From"] = "Grace Hopper <grace@acme.example>"
    reply["To"] = mail["Reply-To"]
    reply["Subject"] = f"Re: {mail['Subject']}"
    reply["Message-ID"] = "<reply@phone.example>"
    reply["In-Reply-To"] = mail["Message-ID"]
    reply["References"] = f"{mail['References']} {mail['Message-ID']}"
    if plain is not None:
        reply.set_content(plain)
    if html is not None:
        (reply.set_content if plain is None else reply.add_alternative)(html, subtype="html")
    return read_reply(reply.as_bytes())


def quoting(own: str, mail: EmailMessage) -> dict[str, tuple[str | None, str | None]]:
    """A reply's two bodies as different mail clients write them."""
    plain, html = bodies(mail)
    said_by = "On Tue, 14 May 2024 at 12:00, Acme Gateways <countersign@acme.example> wrote:"
    marked = "\n".join(f"> {line}" for line in plain.splitlines())
    in_text = f"{own}\n\n{said_by}\n{marked}\n"
    gmail = (
        f'<div dir="ltr">{own}</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">{said_by}<br></div>'
        f'<blockquote class="gmail_quote" style="margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex">'
        f"{head_taken_off(html)}</blockquote></div>"
    )
    thunderbird = (
        f'<html><body><p>{own}</p><div class="moz-cite-prefix">{said_by}<br></div>'
        f'<blockquote type="cite">{html}</blockquote></body></html>'
    )
    return {
        "text": (in_text, None),
        "gmail": (in_text, gmail),
        "gmail, html only": (None, gmail),
        "thunderbird, head and styles kept": (in_text, thunderbird),
        "thunderbird, html only": (None, thunderbird),
    }


@pytest.mark.parametrize("told", ASKED.values(), ids=ASKED.keys())
@pytest.mark.parametrize(("own", "verdict"), [("Approved", "approve"), ("Rejected", "reject"), ("", "none")])
def test_a_reply_that_quotes_the_whole_mail_says_what_stands_above(
    told: RequestNotification, own: str, verdict: str
) -> None:
    mail = compose(told, CONFIG, NOON)
    read = {client: replied(mail, *written) for client, written in quoting(own, mail).items()}
    assert {client: reply.verdict for client, reply in read.items()} == dict.fromkeys(read, verdict)
    assert {(reply.approval_id, reply.level) for reply in read.values()} == {(1042, 1)}


@pytest.mark.parametrize("told", ASKED.values(), ids=ASKED.keys())
def test_a_copy_without_any_mark_of_quoting_answers_nothing(told: RequestNotification) -> None:
    mail = compose(told, CONFIG, NOON)
    plain, html = bodies(mail)
    for written in ((plain, None), (f"\n\n{plain}", None), (None, html), (None, head_taken_off(html)), (plain, html)):
        assert replied(mail, *written).verdict == "none"


NARROWEST = 66  # columns, the least that RFC 3676 names


@pytest.mark.parametrize("word", ["approve", "承認"])
@pytest.mark.parametrize("length", range(20, 80))
def test_no_program_that_wraps_lines_parts_the_words_of_who_asks_from_their_quote_marks(length: int, word: str) -> None:
    reason = ("why it is so " * 9)[:length].strip() + f" {word}\n" + "承" * (length // 2) + f" {word}"
    plain, _ = bodies(compose(notification(question=QUESTION.model_copy(update={"reason": reason})), CONFIG, NOON))
    said = plain[plain.index("  | ") : plain.index("Reply with")].splitlines()
    columns = [len(f"> > > {line}") + sum(char >= "\u1100" for char in line) for line in said]
    assert max(columns) <= NARROWEST


@pytest.mark.parametrize("own", ["", "Please wait", "Hi Alice,"])
@pytest.mark.parametrize("width", [62, 66, 72, 76, 78])
def test_what_a_program_wraps_off_our_mail_answers_for_nobody(width: int, own: str) -> None:
    asked = compose(notification(), CONFIG, NOON)
    for length in range(width - 30, width):
        ticket = ("why it is so " * 9)[:length].strip() + " approve"
        plain, _ = bodies(compose(notification(question=QUESTION.model_copy(update={"ticket": ticket})), CONFIG, NOON))
        marked = [piece for line in plain.splitlines() for piece in textwrap.wrap(f"> {line}", width) or [""]]
        said_by = "On Tue, 14 May 2024 at 12:00, Acme Gateways <countersign@acme.example> wrote:"
        text = "\n".join([own, "", said_by, "", *marked]) + "\n"
        assert replied(asked, text, None).verdict == "none"


@pytest.mark.parametrize("width", [62, 66, 72, 76, 78])
def test_what_a_program_wraps_off_the_names_of_who_approved_answers_for_nobody(width: int) -> None:
    for length in range(1, 72):
        names = {"heidi": "x" * length + " approve", "ivan": "approve " + "x" * length}
        mail = compose(VERDICTS_OF_OTHERS.model_copy(update={"names": names}), CONFIG, NOON)
        plain, _ = bodies(mail)
        marked = [piece for line in plain.splitlines() for piece in textwrap.wrap(f"> {line}", width) or [""]]
        said_by = "On Tue, 14 May 2024 at 12:00, Acme Gateways <countersign@acme.example> wrote:"
        assert replied(mail, "\n".join(["", "", said_by, "", *marked]) + "\n", None).verdict == "none"
