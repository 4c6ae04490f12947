"""What a mail says, whom it is for, and what its headers carry."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta, timezone
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest

from countersign.errors import Unreachable
from countersign.models import Event, GrantStatus, Status, Verdict
from countersign.notifications import Notification, Person, RequestNotification
from notifiers.email import token
from notifiers.email.authenticity import Authentic
from notifiers.email.checks import Facts, check_reply
from notifiers.email.compose import compose
from notifiers.email.reply import read_reply
from notifiers.email.sign_in_links import MailedLinks
from notifiers.email.token import Ids
from tests.samples import (
    ALICE,
    CHANGED_DEVICE,
    GRACE,
    GRANT,
    HEIDI,
    IVAN,
    NEW_DEVICE,
    NOON,
    QUESTION,
    decided,
    notification,
    person,
)

from .notifications import MAILED, config, settled

CONFIG = config()
INSTRUCTION = "Reply with APPROVE or REJECT as the first line;\na comment may follow."


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


def html_of(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


def text(told: RequestNotification) -> str:
    return text_of(compose(told, CONFIG, NOON))


def test_where_an_approval_needs_a_fresh_sign_in_the_mail_links_to_the_page_and_takes_a_rejection() -> None:
    mail = compose(notification(confirm="sign_in_again"), CONFIG, NOON)
    for said in (text_of(mail), html_of(mail)):
        assert "sign in again" in said
        assert "/requests/1042" in said
        assert "REJECT" in said
        assert "APPROVE" not in said
        assert ("To reject: <mailto:" in said) or ('href="mailto:' in said)
        assert "body=approve" not in said.lower()


# --- the headers ----------------------------------------------------------------------------------------------------


def test_the_headers_of_a_mail_to_an_approver() -> None:
    mail = compose(notification(), CONFIG, NOON)
    made = token.make(CONFIG.keys, 1042, 1, "grace")
    assert mail["Subject"] == "Acme Gateways - Connection Approval Notification - #1042"
    assert mail["From"] == "Acme Gateways <countersign@acme.example>"
    assert mail["To"] == "Grace Hopper <grace@acme.example>"
    assert mail["Reply-To"] == f"answers+1042-1-{made}@acme.example"
    assert mail["Message-ID"] == token.message_id("acme.example", Ids(1042, 1, made), Event.ASKED, notification().id)
    assert mail["Date"] == "Tue, 14 May 2024 12:00:00 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_the_sender_has_the_name_of_the_installation() -> None:
    mail = compose(notification(), config(instance_name="Doorkeeper, Inc."), NOON)
    assert mail["From"].addresses[0].display_name == "Doorkeeper, Inc."


def test_a_mail_is_dated_now_unless_told_otherwise() -> None:
    before = datetime.now(NOON.tzinfo).replace(microsecond=0)
    assert before <= compose(notification(), CONFIG)["Date"].datetime <= datetime.now(NOON.tzinfo)


def test_the_same_notification_is_the_same_mail_to_the_byte() -> None:
    assert compose(notification(), CONFIG, NOON).as_bytes() == compose(notification(), CONFIG, NOON).as_bytes()


def test_another_notification_is_another_mail() -> None:
    first, second = (compose(notification(id=i), CONFIG, NOON) for i in ("a", "b"))
    assert first["Message-ID"] != second["Message-ID"]
    assert first.get_boundary() != second.get_boundary()


@pytest.mark.parametrize(
    ("event", "kind"),
    [(Event.ASKED, "answer"), (Event.REMINDED, "answer"), (Event.HELP, "help")],
)
def test_what_may_be_answered_can_be_answered_by_a_reply(event: Event, kind: str) -> None:
    mail = compose(notification(event, level=2), CONFIG, NOON)
    ids = token.in_address(mail["Reply-To"])
    assert ids == token.in_message_id(mail["Message-ID"])
    assert ids is not None
    assert (ids.approval_id, ids.level) == (1042, 2)
    assert token.kind_of(CONFIG.keys, ids.token, 1042, 2, "grace") == kind
    assert f"\n{INSTRUCTION}\n" in text_of(mail)
    assert INSTRUCTION.replace("\n", " ") in html_of(mail).replace("<b>", "").replace("</b>", "")


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (settled(Status.APPROVED), "undo"),
        (notification(Event.GRANT_ENDED, status=Status.APPROVED), None),
        (notification(Event.ANSWER_REFUSED, status=Status.EXPIRED), "help"),
        (notification(Event.HELP, status=Status.EXPIRED), "help"),
    ],
    ids=lambda told: getattr(told, "event", ""),
)
def test_other_mails_to_an_approver_ask_for_no_answer(told: RequestNotification, kind: str | None) -> None:
    mail = compose(told, CONFIG, NOON)
    ids = token.in_message_id(mail["Message-ID"])
    assert ids is not None
    assert token.kind_of(CONFIG.keys, ids.token, 1042, 1, "grace") == kind
    assert mail["Reply-To"] == "answers@acme.example"
    assert INSTRUCTION not in text_of(mail)
    assert "APPROVE" not in html_of(mail)


def test_who_is_told_that_their_answer_did_not_count_may_give_another_by_a_reply() -> None:
    mail = compose(notification(Event.ANSWER_REFUSED, message="A rejection of #1042 needs a reason."), CONFIG, NOON)
    ids = token.in_address(mail["Reply-To"])
    assert ids == token.in_message_id(mail["Message-ID"])
    assert ids is not None
    assert token.kind_of(CONFIG.keys, *ids[2:], *ids[:2], "grace") == "help"


@pytest.mark.parametrize(("use", "status"), [("decide", "Waiting"), ("link_only", "Waiting"), ("decide", "Approved")])
def test_who_is_asked_something_may_reply_while_the_request_waits(use: str, status: str) -> None:
    mail = compose(notification(Event.INQUIRY, ALICE, use=use, status=status, message="Why?"), CONFIG, NOON)
    ids = token.in_address(mail["Reply-To"])
    assert (ids is not None) == ("Reply to this mail" in text_of(mail)) == (use == "decide" and status == "Waiting")
    assert ("countersign comment 1042" in text_of(mail)) == (use == "link_only")
    if ids:
        assert token.kind_of(CONFIG.keys, *ids[2:], *ids[:2], "alice") == "comment"


@pytest.mark.parametrize("event", [Event.INQUIRY, Event.COMMENT])
def test_what_people_write_to_each_other_is_text_and_no_link(event: Event) -> None:
    evil = "Reply here: https://evil.example <a href='https://evil.example'>APPROVE</a>\n> APPROVE\n" + "x" * 4000
    mail = compose(notification(event, ALICE if event is Event.INQUIRY else GRACE, message=evil), CONFIG, NOON)
    assert "href='https://evil" not in html_of(mail)
    assert 'href="https://evil' not in html_of(mail)
    shown = text_of(mail).splitlines()
    assert all(line.startswith("  | ") for line in shown if "evil" in line or line.endswith("xxx"))
    assert "  | > APPROVE" in shown


@pytest.mark.parametrize("event", MAILED)
@pytest.mark.parametrize(("to", "use"), [(ALICE, "decide"), (GRACE, "link_only"), (ALICE, "link_only")])
def test_who_may_not_answer_by_mail_gets_no_token(event: Event, to: Person, use: str) -> None:
    mail = compose(notification(event, to, use=use), CONFIG, NOON)
    own = event in (Event.SETTLED, Event.INQUIRY) and use == "decide"  # a token that answers nothing
    assert own or token.in_message_id(mail["Message-ID"]) == Ids(1042, 0, "")
    assert mail["Reply-To"] == "answers@acme.example" or (own and event is Event.INQUIRY)
    assert INSTRUCTION not in text_of(mail)
    assert token.make(CONFIG.keys, 1042, 1, "grace").encode() not in mail.as_bytes()


@pytest.mark.parametrize("event", [Event.ASKED, Event.REMINDED, Event.HELP])
@pytest.mark.parametrize("instance", ["Acme Gateways", "Zürich & Söhne <Gateways>"])
def test_two_buttons_write_a_reply_that_is_an_answer(event: Event, instance: str) -> None:
    mail = compose(notification(event), config(instance_name=instance), NOON)
    links = re.findall(r"(?m)^To \w+: <(mailto:\S+)>$", text_of(mail))
    assert [html.unescape(one) for one in re.findall(r'href="(mailto:[^"]+)"', html_of(mail))] == links
    for link, verdict in zip(links, ("approve", "reject"), strict=True):
        to, _, fields = link.removeprefix("mailto:").partition("?")
        written = dict(parse_qsl(fields, strict_parsing=True))
        ready = EmailMessage()
        ready["From"] = "Grace Hopper <grace@acme.example>"
        ready["To"] = unquote(to)
        ready["Subject"] = written["subject"]
        ready.set_content(written["body"] + "\n\nSent from my phone\n")
        reply = read_reply(ready.as_bytes())
        assert unquote(to) == mail["Reply-To"]
        assert (reply.verdict, reply.approval_id, reply.answers) == (verdict, 1042, [])
        assert token.in_subject(reply.subject) == 1042
        facts = Facts(
            authentic=Authentic(True, "dmarc=pass"),
            addresses=["answers@acme.example"],
            person="grace",
            token_of="grace",
            mail_kind=token.KIND_OF_EVENT[event],
        )
        assert check_reply(reply, facts).decides


def test_who_may_not_answer_by_mail_gets_no_button() -> None:
    for told in (
        notification(use="link_only"),
        settled(Status.APPROVED),
        notification(Event.HELP, status=Status.EXPIRED),
    ):
        assert "mailto:" not in text_of(compose(told, CONFIG, NOON)) + html_of(compose(told, CONFIG, NOON))


# --- threads --------------------------------------------------------------------------------------------------------

STORY = [
    notification(),
    notification(Event.REMINDED),
    notification(Event.ASKED, id="asked:grace:2", level=2),
    notification(Event.HELP, in_reply_to="<reply@phone.example>"),
    settled(Status.APPROVED, decisions=[decided("grace", Verdict.APPROVE)]),
    notification(Event.GRANT_ENDED, status=Status.APPROVED),
]


def test_all_mails_to_a_person_about_a_request_are_one_thread() -> None:
    mails = [compose(told, CONFIG, NOON) for told in STORY]
    roots = {mail["References"].split()[0] for mail in mails}
    assert len({mail["Subject"] for mail in mails}) == len(roots) == 1
    assert len({mail["Message-ID"] for mail in mails}) == len(mails)
    assert roots.isdisjoint({mail["Message-ID"] for mail in mails})
    assert "In-Reply-To" not in mails[0]
    assert all(mail["In-Reply-To"] in mail["References"] for mail in mails[3:])


def test_each_person_and_request_has_a_thread_of_its_own() -> None:
    told = [notification(), notification(to=HEIDI), notification(to=ALICE), notification(approval_id=1043)]
    assert len({compose(n, CONFIG, NOON)["References"] for n in told}) == 4


def test_what_answers_a_mail_stands_below_it() -> None:
    mail = compose(notification(Event.ANSWER_REFUSED, in_reply_to="<reply@phone.example>"), CONFIG, NOON)
    assert mail["In-Reply-To"] == "<reply@phone.example>"
    assert mail["References"].split() == [
        token.thread_id("acme.example", 1042, "grace"),
        "<reply@phone.example>",
    ]


@pytest.mark.parametrize(
    "told", ["<a@b>\r\nBcc: x@y.example", "<a b@c>", "not an id", "<é@b.example>", f"<{'a' * 600}@b>", "<a@b> <c@d>"]
)
def test_an_id_that_is_none_is_left_out(told: str) -> None:
    mail = compose(notification(Event.HELP, in_reply_to=told), CONFIG, NOON)
    assert mail["References"] == mail["In-Reply-To"] == token.thread_id("acme.example", 1042, "grace")


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "email",
    [
        "",
        "grace",
        "grace@",
        "@acme.example",
        "grace@acme.example, eve@evil.example",
        "grace@acme.example\r\nBcc: eve@evil.example",
        "Grace <grace@acme.example>",
        "gr ace@acme.example",
        "grace@acme..example",
        "grace@-acme.example",
        "grace@acme.example\u202e",
        '"gr\\"ace"@acme.example',
        "a" * 250 + "@acme.example",
        "grace@" + "ü" * 70 + ".example",
    ],
)
def test_what_is_no_address_is_unreachable(email: str) -> None:
    with pytest.raises(Unreachable, match="correct it in the directory"):
        compose(notification(to=GRACE.model_copy(update={"email": email})), CONFIG, NOON)


def test_a_domain_beyond_ascii_is_written_as_the_dns_has_it() -> None:
    mail = compose(notification(to=GRACE.model_copy(update={"email": "grace@müller.example"})), CONFIG, NOON)
    assert mail["To"] == "Grace Hopper <grace@xn--mller-kva.example>"


def test_a_local_part_beyond_ascii_is_kept_for_smtputf8() -> None:
    mail = compose(notification(to=GRACE.model_copy(update={"email": "gräce@acme.example"})), CONFIG, NOON)
    assert "To: Grace Hopper <gräce@acme.example>\r\n".encode() in mail.as_bytes()


# --- the words ------------------------------------------------------------------------------------------------------


def test_an_approver_reads_who_what_why_and_how_to_answer_first() -> None:
    assert text(notification()).splitlines()[:11] == [
        "Alice Nguyen asks to connect to db-1 by SSH for 1 hour.",
        "",
        "Why, in their words:",
        "  | Replication lags.",
        "  | I must restart it.",
        "",
        *INSTRUCTION.splitlines(),
        "Answer by Tue 14 May 2024, 16:00 UTC.",
        "One approval is enough;",
        "one rejection ends the request.",
    ]


def test_a_table_of_details_shows_what_has_changed_first() -> None:
    mail = compose(notification(question=CHANGED_DEVICE, grant_lasts=timedelta(0)), CONFIG, NOON)
    assert mail["Subject"] == "Acme Gateways - Device Approval Notification - #1042"
    said = text_of(mail)
    assert said.startswith("Alice Nguyen asks to connect with the device carbon, which has changed.\n")
    table = said[said.index("What has changed:") : said.index("Reply with")].splitlines()
    assert table[:7] == [
        "What has changed:",
        "  | Kernel: 6.1.0-21-amd64 (was: 6.1.0-18-amd64)",
        "  | Disk encrypted: no (was: yes)",
        "  | Automatic updates: not known (was: no)",
        "",
        "Details:",
        "  | Name: carbon",
    ]
    shown = html_of(mail)
    assert shown.index("What has changed:") < shown.index("Details:")
    assert re.search("Disk encrypted: </span><b>no</b> <span[^>]*>\\(was: yes\\)</span>", shown)
    assert [shown.count(f"{one.label}: </span>") for one in CHANGED_DEVICE.details] == [1] * len(CHANGED_DEVICE.details)


def test_a_new_device_is_said_to_be_new_until_it_is_decided_and_brings_no_access_to_take_back() -> None:
    new: dict[str, Any] = {"question": NEW_DEVICE, "grant_lasts": timedelta(0)}
    assert text(notification(**new)).startswith("Alice Nguyen asks to connect with the new device carbon.\n")
    assert "What has changed" not in text(notification(**new))
    told = text(settled(Status.APPROVED, decisions=[decided("grace")], **new))
    assert told.startswith("Approved by Grace Hopper: Alice Nguyen may connect with the new device carbon.\n")
    assert "take it back" not in told


def test_no_value_of_a_table_can_pass_for_a_line_of_it() -> None:
    forged = NEW_DEVICE.fingerprint.model_copy(update={"hostname": f"{'x' * 50} Disk encrypted: yes"})
    said = text(notification(question=NEW_DEVICE.model_copy(update={"fingerprint": forged})))
    assert [line for line in said.splitlines() if "Disk encrypted" in line] == [
        "  |     Disk encrypted: yes",
        "  | Disk encrypted: yes",
    ]


@pytest.mark.parametrize(
    "fact",
    [
        "Who:         Alice Nguyen (alice), alice@acme.example",
        "Wants to:    connect to db-1 by SSH",
        "For:         1 hour, from the approval on",
        "Ticket:      INC-4711",
        "From:        203.0.113.7",
        "Asked:       Tue 14 May 2024, 12:00 UTC",
        "Level:       2 of 3",
        "Also asked:  Heidi Lamarr and Ivan Petrov",
        "See request #1042 in the browser: https://countersign.acme.example/requests/1042",
    ],
)
def test_the_facts_follow(fact: str) -> None:
    assert fact in text(notification(level=2, levels=3)).splitlines()


def test_who_else_is_asked_and_was_not_told_yet_is_said() -> None:
    said = text(notification(untold=["ivan", "grace"])).splitlines()
    assert "Also asked:  Heidi Lamarr and Ivan Petrov (not told yet)" in said


def test_what_is_not_known_is_not_shown() -> None:
    question = QUESTION.model_copy(update={"reason": "", "ticket": "", "source_address": ""})
    said = text_of(compose(notification(question=question, asked=[GRACE]), config(public_url=""), NOON))
    assert "Why: no reason was given." in said
    assert "Nobody else is asked." in said
    for label in ("Ticket:", "From:", "Level:", "Also asked:", "browser"):
        assert label not in said


def test_a_quorum_is_said() -> None:
    assert "2 of the 3 people asked must approve;\none rejection ends the request." in text(notification(quorum=2))


def test_times_are_said_in_utc_whatever_zone_they_come_in() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert "Answer by Tue 14 May 2024, 16:00 UTC." in text(
        notification(deadline=datetime(2024, 5, 15, 1, tzinfo=tokyo))
    )


def test_a_reminder_says_so_first() -> None:
    first = text(notification(Event.REMINDED)).splitlines()[0]
    assert first == "Still waiting for you: Alice Nguyen asks to connect to db-1 by SSH for 1 hour."


def test_with_links_only_the_mail_leads_to_the_page() -> None:
    said = text(notification(use="link_only"))
    assert "To answer, open this page and sign in: https://countersign.acme.example/requests/1042" in said
    assert "Replies to this mail decide nothing." in said


def test_with_links_only_and_no_page_known_it_says_where_to_sign_in() -> None:
    mail = compose(notification(use="link_only"), config(public_url=""), NOON)
    assert "To answer, sign in to Acme Gateways. Replies to this mail decide nothing." in text_of(mail)
    assert "To answer, sign in to Acme Gateways. Replies to this mail decide nothing." in html_of(mail)


@pytest.mark.parametrize(("event", "waits"), [(Event.ASKED, "waits"), (Event.REMINDED, "still waits")])
def test_the_requester_learns_whom_it_waits_for(event: Event, waits: str) -> None:
    said = text(notification(event, ALICE)).splitlines()
    expected = f"Your request to connect to db-1 by SSH {waits} for Grace Hopper, Heidi Lamarr and Ivan Petrov."
    assert said[0] == expected
    assert "Why, in your words:" in said
    assert "Answer by:   Tue 14 May 2024, 16:00 UTC" in said


YES = [decided("grace", Verdict.APPROVE, "Fine."), decided("heidi", Verdict.APPROVE, level=2)]
NO = [decided("grace", Verdict.APPROVE), decided("heidi", Verdict.REJECT, "Not now.\nAsk again at six.")]


FIRST_LEVEL = decided("grace", Verdict.APPROVE, "only until Friday")
LAPSED = decided("alan", Verdict.APPROVE, level=2).model_copy(update={"lapsed": True})


def at_level_2(event: Event, **changes: Any) -> RequestNotification:
    usual: dict[str, Any] = {"level": 2, "at_level": 2, "levels": 2, "quorum": 2, "decisions": [FIRST_LEVEL]}
    return notification(event, IVAN, **(usual | changes))


@pytest.mark.parametrize("event", [Event.ASKED, Event.REMINDED, Event.HELP])
def test_level_2_reads_why_who_approved_level_1_and_how_many_are_still_needed(event: Event) -> None:
    mail = compose(at_level_2(event), CONFIG, NOON)
    assert (
        "Why, in their words:\n"
        "  | Replication lags.\n"
        "  | I must restart it.\n"
        "\n"
        "Level 2 of 2. 2 approvals are needed.\n"
        "\n"
        "Grace Hopper approved at level 1 by email, Tue 14 May 2024, 12:09 UTC:\n"
        "  | only until Friday\n"
        "\n"
        "Reply with APPROVE"
    ) in text_of(mail)
    html = html_of(mail)
    for said in ("I must restart it.", "Level 2 of 2. 2 approvals are needed.", "only until Friday"):
        assert said in html
    assert "Grace Hopper approved at level 1 by email, Tue 14 May 2024, 12:09 UTC:" in html


@pytest.mark.parametrize("event", [Event.ASKED, Event.REMINDED, Event.HELP])
@pytest.mark.parametrize(
    ("answered", "quorum", "line"),
    [
        (["heidi"], 2, "Level 2 of 2. Heidi Lamarr has approved; 1 more is needed."),
        (["heidi", "grace"], 4, "Level 2 of 2. Heidi Lamarr and Grace Hopper have approved; 2 more are needed."),
        ([], 1, "Level 2 of 2. 1 approval is needed."),
    ],
)
def test_who_has_answered_and_how_many_are_needed_leaves_out_what_counts_no_longer(
    event: Event, answered: list[str], quorum: int, line: str
) -> None:
    approvals = [decided(who, Verdict.APPROVE, level=2) for who in answered]
    mail = compose(at_level_2(event, decisions=[FIRST_LEVEL, LAPSED, *approvals], quorum=quorum), CONFIG, NOON)
    assert line in text_of(mail).splitlines()
    assert line in html_of(mail)


def test_with_one_level_the_others_approvals_are_said_alone() -> None:
    said = text(notification(to=IVAN, quorum=2, decisions=[FIRST_LEVEL])).splitlines()
    assert "Grace Hopper has approved; 1 more is needed." in said
    assert not any(line.startswith("Level") for line in said)


def test_a_level_that_has_passed_needs_nothing_more() -> None:
    said = text(at_level_2(Event.HELP, level=1)).splitlines()
    assert "Level 1 of 2. It has enough approvals; the request now waits at level 2." in said


@pytest.mark.parametrize(
    ("told", "first"),
    [
        (
            settled(Status.APPROVED, ALICE, decisions=YES, grant=GRANT),
            "Approved by Grace Hopper and Heidi Lamarr: you may connect to db-1 by SSH until "
            "Tue 14 May 2024, 13:00 UTC.",
        ),
        (
            settled(Status.APPROVED, decisions=YES, grant=GRANT),
            "Approved by Grace Hopper and Heidi Lamarr: Alice Nguyen may connect to db-1 by SSH until "
            "Tue 14 May 2024, 13:00 UTC.",
        ),
        (settled(Status.APPROVED, ALICE), "Approved: you may connect to db-1 by SSH."),
        (
            settled(Status.REJECTED, ALICE, decisions=NO),
            "Rejected by Heidi Lamarr: you may not connect to db-1 by SSH.",
        ),
        (settled(Status.REJECTED), "Rejected: Alice Nguyen may not connect to db-1 by SSH."),
        (settled(Status.EXPIRED, ALICE), "Expired without enough answers: you may not connect to db-1 by SSH."),
        (settled(Status.CANCELLED), "Cancelled: Alice Nguyen may not connect to db-1 by SSH."),
        (
            notification(Event.GRANT_ENDED, ALICE, status=Status.APPROVED, grant=GRANT),
            "Ended: your permission to connect to db-1 by SSH is over.",
        ),
        (
            notification(
                Event.GRANT_ENDED,
                status=Status.APPROVED,
                grant=GRANT.model_copy(update={"status": GrantStatus.REVOKED}),
            ),
            "Revoked: Alice Nguyen’s permission to connect to db-1 by SSH was taken back.",
        ),
        (notification(Event.ANSWER_REFUSED), "Your answer to #1042 did not count."),
        (notification(Event.HELP), "Your reply about #1042 could not be read as an answer, so it decided nothing."),
    ],
)
def test_the_first_line_says_the_outcome(told: RequestNotification, first: str) -> None:
    mail = compose(told, CONFIG, NOON)
    assert text_of(mail).splitlines()[0] == first
    assert first in html_of(mail).replace("&#8217;", "’")


def test_everyone_told_reads_who_decided_when_and_their_comment() -> None:
    said = text(settled(Status.REJECTED, HEIDI, decisions=NO, levels=2, message="Heidi rejected it."))
    assert (
        "\n".join(
            [
                "Grace Hopper approved at level 1 by email, Tue 14 May 2024, 12:09 UTC.",
                "Heidi Lamarr rejected at level 1 by email, Tue 14 May 2024, 12:09 UTC:",
                "  | Not now.",
                "  | Ask again at six.",
                "",
            ]
        )
        in said
    )
    assert "Nothing is left for you to do." in said
    assert "Heidi rejected it." not in said  # the decisions above say it already
    late = text(settled(Status.EXPIRED, HEIDI, decisions=YES, levels=2, message="Nobody else decided in time."))
    assert "Nobody else decided in time." in late


def test_someone_unknown_is_called_by_their_id() -> None:
    said = text(settled(Status.APPROVED, requester=person("alice", " "), decisions=YES, names={}))
    assert said.startswith("Approved by grace and heidi: alice may connect")


def test_an_approver_is_told_how_to_take_it_back() -> None:
    by_reply = "To take it back while it lasts, reply with REVOKE as the first line, or open the page of request #1042."
    on_page = "While it lasts, you may take it back on the page of request #1042."
    assert by_reply in text(settled(Status.APPROVED, grant=GRANT))
    assert by_reply in " ".join(html_of(compose(settled(Status.APPROVED, grant=GRANT), CONFIG, NOON)).split())
    assert on_page in text(settled(Status.APPROVED, grant=GRANT, use="link_only"))
    for told in (settled(Status.REJECTED), settled(Status.APPROVED, ALICE, grant=GRANT)):
        assert "take it back" not in text(told)


def test_who_may_undo_by_mail_can_reply() -> None:
    told = settled(Status.APPROVED, grant=GRANT)
    for one in (told, told.model_copy(update={"to": ALICE}), notification(Event.OPENED, ALICE)):
        ids = token.in_address(compose(one, CONFIG, NOON)["Reply-To"])
        assert ids is not None
        assert token.kind_of(CONFIG.keys, ids.token, 1042, 1, one.to.id) == "undo"
    assert "reply with CANCEL as the first line" in text(told.model_copy(update={"to": ALICE}))
    ended = GRANT.model_copy(update={"status": GrantStatus.ENDED})
    assert compose(settled(Status.APPROVED, grant=ended), CONFIG, NOON)["Reply-To"] == "answers@acme.example"


def test_a_revoked_grant_says_how_long_it_was_to_last() -> None:
    revoked = GRANT.model_copy(update={"status": GrantStatus.REVOKED})
    said = text(notification(Event.GRANT_ENDED, ALICE, status=Status.APPROVED, grant=revoked, message="Wrong host."))
    assert "  | Wrong host." in said
    assert (
        "It began Tue 14 May 2024, 12:00 UTC, and would have ended Tue 14 May 2024, 13:00 UTC. "
        "If you need it again, ask again." in said
    )


@pytest.mark.parametrize("event", [Event.ANSWER_REFUSED, Event.HELP])
def test_a_late_answer_is_told_the_outcome(event: Event) -> None:
    said = text(notification(event, status=Status.APPROVED, decisions=YES, message="It came too late."))
    assert "  | It came too late." in said
    assert "The request is approved by Grace Hopper and Heidi Lamarr; no answer is needed any more." in said


def test_an_answer_refused_while_it_waits_says_until_when() -> None:
    assert "The request still waits, until Tue 14 May 2024, 16:00 UTC." in text(notification(Event.ANSWER_REFUSED))


def test_a_link_to_sign_in_by_is_made_from_its_id() -> None:
    fields = {"link_id": "ab12", "lasts": "15 minutes", "browser": "<b>Firefox</b>", "source_address": "192.0.2.7"}
    told = Notification(id="general.2", event="sign_in", to=GRACE, written_at=NOON, fields=fields)
    where = config().model_copy(update={"public_url": "https://access.example.test"})
    mail = compose(told, where, NOON)
    assert mail["Subject"] == "Acme Gateways - Sign in"
    link = f"https://access.example.test/sign-in/ab12.{MailedLinks(where.keys).secret('ab12')}"
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert text.get_content().splitlines()[:5] == [
        "Sign in to Acme Gateways",
        "",
        "Open this link in the browser where you asked for it, within 15 minutes:",
        link,
        "",
    ]
    assert f'<a href="{link}"' in html.get_content()
    assert "&lt;b&gt;Firefox&lt;/b&gt; at 192.0.2.7" in html.get_content()


def test_a_mail_about_no_request_shows_its_fields_and_carries_no_token() -> None:
    fields = {"mailbox": "<b>INBOX</b>@imap", "since": "noon"}
    told = Notification(id="general.1", event="mailbox_unread", to=GRACE, written_at=NOON, fields=fields)
    mail = compose(told, config(), NOON)
    assert mail["Subject"] == "Acme Gateways - Replies can't be read"
    assert token.in_message_id(str(mail["Message-ID"])) is None
    assert (mail["Reply-To"], mail["Auto-Submitted"]) == ("answers@acme.example", "auto-generated")
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert text.get_content() == (
        "Replies have not been read since noon.\n\n"
        "Answers wait in <b>INBOX</b>@imap, and requests may expire meanwhile. "
        "To see what is wrong, run: countersign doctor\n\n"
        "Acme Gateways\n"
    )
    assert "&lt;b&gt;INBOX&lt;/b&gt;@imap" in html.get_content()
    assert "#1042" not in html.get_content()
    assert compose(told, config(), NOON)["Message-ID"] == mail["Message-ID"]
