"""What `read_reply` reads in whole mails; the corpus in tests/mails has the many clients and traps."""

import pytest

from notifiers.email.reply import KnownNames, Reply, read_reply

TOKEN = "k1abcdefghijklmnopqrstuvwxyz"
HEAD = (
    "From: Grace Hopper <Grace@Example.com>\r\n"
    f"To: Countersign <countersign+1042-2-{TOKEN}@example.test>\r\n"
    "Subject: Re: Countersign - Connection Approval Notification - #1042\r\n"
    "Message-ID: <answer-1@example.com>\r\n"
    f"In-Reply-To: <1042.2.{TOKEN}.asked.abcdefghijklmnop@example.test>\r\n"
)


KNOWN = KnownNames("Grace Hopper", ["Alice Arundel", "Bob Babbage"])


def reply(body: str, head: str = HEAD) -> Reply:
    return read_reply(f"{head}\r\n{body}".encode())


def test_a_plain_answer_with_its_comment_sender_and_token() -> None:
    read = reply(
        "Approved.\r\n\r\nUntil the batch is through.\r\n\r\nOn Sat, 21 Nov 2026, Countersign wrote:\r\n> asks\r\n"
    )
    assert (read.verdict, read.comment, read.code, read.kind) == (
        "approve",
        "Until the batch is through.",
        "answer",
        "reply",
    )
    assert (read.sender, read.message_id) == ("grace@example.com", "<answer-1@example.com>")
    assert (read.approval_id, read.level, read.token) == (1042, 2, TOKEN)


def test_the_token_is_found_in_the_thread_where_the_address_has_none() -> None:
    read = reply("no\r\n", HEAD.replace(f"+1042-2-{TOKEN}", ""))
    assert read.verdict == "reject"
    assert read.ids == (1042, 2, TOKEN)


def test_two_tokens_are_no_token() -> None:
    read = reply("yes\r\n", HEAD + f"Cc: <countersign+1043-1-{TOKEN}@example.test>\r\n")
    assert (read.ids, read.tokens_found) == (None, 2)


QUOTE = "\r\n\r\nOn Sat, 21 Nov 2026, Countersign wrote:\r\n> Reply with APPROVE or REJECT?\r\n"


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("What is this about?", True),
        ("Why?", True),
        ("何ですか？", True),
        ("Hi Alice,\r\n\r\nplease explain this.", True),
        ("Approved if Bob agrees", True),
        ("Should I approve or reject this?", True),
        ("Hm.", False),
        ("let me see", True),
        ("ok?!", True),
        ("Well, well", False),
        ("CAUTION: This mail comes from outside.\r\n\r\nApproved", False),
        ("Approved\r\n\r\nhold off until I know", False),
        ("Grace Hopper", False),
        ("Approved", False),
        ("Rejected: what is this about?", False),
        ("", False),
    ],
)
def test_what_is_no_answer_may_ask_something(text: str, asks: bool) -> None:
    read = reply(text + QUOTE)
    assert read.asks == asks
    assert read.text.split() == ([] if text == "Grace Hopper" else text.split())


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("Auto-Submitted: auto-replied", "auto_reply"),
        ("Precedence: list", "list"),
        ("Return-Path: <>", "bounce"),
        ("Resent-From: bob@example.com", "resent"),
        ("From: bob@example.com", "unreadable"),
        ("Sender: bob@example.com", "reply"),
        ("Subject: again", "unreadable"),
    ],
)
def test_mail_of_machines_and_mail_by_two_people_decides_nothing(header: str, kind: str) -> None:
    read = reply("Approved\r\n", f"{HEAD}{header}\r\n")
    assert (read.verdict, read.kind) == ("none", kind)
    assert read.reason


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        ("Grace Hopper <grace@example.com>", "approve"),
        ("grace@ws12.example.com", "approve"),
        ("Grace+work@example.com", "approve"),
        ("", "approve"),
        ("bob@example.com", "none"),
        ("grace@example.org", "none"),
        ("grace@com", "none"),
        ("grace@badexample.com", "none"),
        ("gracehopper@example.com", "none"),
        ("+grace@example.com", "none"),
        ("grace@example.com, bob@example.com", "none"),
    ],
)
def test_sender_may_name_the_same_person_at_a_host_or_with_a_tag(value: str, verdict: str) -> None:
    read = reply("Approved\r\n", f"{HEAD}Sender: {value}\r\n")
    assert (read.verdict, read.code) == (verdict, "answer" if verdict == "approve" else "sent_by_another")


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"\0", b"garbage", b"From: a@b\n" * 10_000, b"A:" + b"x" * 400_000, b"\xff" * 99]
)
def test_rubbish_is_an_unreadable_reply(raw: bytes) -> None:
    assert read_reply(raw).kind == "unreadable"


def bounce(action: str, returned: bool = True) -> Reply:
    asked = f"<1042.2.{TOKEN}.asked.abcdefghijklmnop@example.test>"
    original = f"Content-Type: message/rfc822\r\n\r\nMessage-ID: {asked}\r\n\r\nx\r\n"
    status = (
        "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n"
        "Final-Recipient: rfc822; grace.h@example.com\r\nOriginal-Recipient: rfc822;Grace@Example.com\r\n"
        f"Action: {action}\r\n"
    )
    parts = ["Content-Type: text/plain\r\n\r\nSorry.\r\n", status, *([original] if returned else [])]
    body = "".join(f"--b\r\n{part}\r\n" for part in parts) + "--b--\r\n"
    head = (
        "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example.com\r\nTo: countersign@example.test\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n'
    )
    return reply(body, head)


def test_a_bounce_names_who_cannot_be_reached_and_which_mail_came_back() -> None:
    read = bounce("failed")
    assert (read.kind, read.verdict, read.failed_recipient) == ("bounce", "none", "grace@example.com")
    assert read.ids == (1042, 2, TOKEN)


def test_a_delay_is_no_failure_and_a_bounce_may_return_nothing() -> None:
    assert bounce("delayed").failed_recipient == ""
    assert bounce("failed", returned=False).ids is None


def test_exims_bounces_name_the_recipient_in_a_header() -> None:
    read = reply("Sorry.\r\n", "From: MAILER-DAEMON@mx.example.com\r\nX-Failed-Recipients: Grace@example.com\r\n")
    assert (read.kind, read.failed_recipient) == ("bounce", "grace@example.com")


@pytest.mark.parametrize(
    ("header", "body", "away"),
    [
        ("Subject: Automatic reply: Acme - Device Approval Notification - #1042", "I am travelling.", True),
        ("Subject: Abwesenheitsnotiz: #1042", "Ja", True),
        ("Auto-Submitted: auto-replied", "I am out of office until Monday.", True),
        ("Auto-Submitted: auto-replied", "Bin bis Montag im Urlaub.", True),
        ("Auto-Submitted: auto-replied", "We have received your ticket.", False),
        ("Auto-Submitted: auto-generated", "", False),
        ("X-Loop: me", "I am out of office.", False),
    ],
)
def test_an_out_of_office_reply_is_told_from_other_automatic_ones(header: str, body: str, away: bool) -> None:
    head = HEAD.replace("Subject: Re: Countersign - Connection Approval Notification - #1042\r\n", "")
    read = reply(f"{body}\r\n", f"{head}{header}\r\n")
    assert (read.verdict, read.away) == ("none", away)


@pytest.mark.parametrize(
    ("value", "sender"),
    [
        ("grace@example.com", "grace@example.com"),
        ("<Grace@EXAMPLE.com>", "grace@example.com"),
        ('"Hopper, Grace" <grace@example.com>', "grace@example.com"),
        ('"bob@example.com" <grace@example.com>', "grace@example.com"),
        ("bob@example.com <grace@example.com>", "grace@example.com"),
        ("grace@example.com (Grace Hopper)", "grace@example.com"),
        ("Grace (Data, EU) <grace@example.com>", "grace@example.com"),
        ("=?utf-8?q?Gr=C3=A4ce?= <grace@example.com>", "grace@example.com"),
        ("grace@example.com, bob@example.com", ""),
        ("Grace <grace@example.com>, Bob <bob@example.com>", ""),
        ("<grace@example.com> <bob@example.com>", ""),
        ("Team: grace@example.com;", ""),
        ("Team: Grace <grace@example.com>", ""),
        ("<@relay.example.com:grace@example.com>", ""),
        ('"grace"@example.com', ""),
        ("grace", ""),
        ("<>", ""),
        ("", ""),
        ("(" * 3_000, ""),
        ('"' * 3_999, ""),
    ],
)
def test_there_is_one_sender_or_none(value: str, sender: str) -> None:
    assert reply("Approved\r\n", f"From: {value}\r\n").sender == sender


def test_a_token_in_the_address_must_agree_with_the_mail_that_is_answered() -> None:
    assert reply("yes\r\n", HEAD.replace("<1042.2.", "<1043.2.")).ids is None


@pytest.mark.parametrize("value", ["=?utf-8?q?=C3", "=?utf-8?b?!!!?=", "=?nope?q?a?=", "=?" * 900])
def test_a_broken_subject_harms_nothing(value: str) -> None:
    assert reply("yes\r\n", HEAD.replace("Subject: Re: ", f"Subject: {value} ")).verdict == "approve"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("CAUTION: This mail came from outside.\n\nApprove", "CAUTION: This mail came from outside."),
        ("Hi Bob,\n\nwhat\u202e   for?\n", "what for?"),
        ("x" * 500, "x" * 100),
    ],
)
def test_who_gave_no_answer_is_told_which_line_was_read(text: str, line: str) -> None:
    raw = f"From: grace@example.com\nTo: c@example.test\nSubject: Re: x\n\n{text}".encode()
    assert read_reply(raw, KNOWN).reason.endswith(f' It reads "{line}".')


def test_an_approval_below_which_stands_more_than_is_read_decides_nothing() -> None:
    assert reply("Approved\n" + "fine\n" * 250 + "only if Bob agrees\n").code == "doubted"
    assert reply("Rejected\n" + "fine\n" * 250).verdict == "reject"


def test_what_may_be_quoted_is_no_comment() -> None:
    quoted = "> " + "Reason " * 9 + "and so on"
    text = f"Approved\n\nOnly today.\n\n{quoted}\nwith words of the requester"
    raw = f"From: grace@example.com\nTo: c@example.test\nSubject: Re: x\n\n{text}".encode()
    read = read_reply(raw)
    assert (read.verdict, read.comment) == ("approve", "Only today.")


@pytest.mark.parametrize(
    ("text", "verdict", "comment"),
    [
        ("Thanks,\nGrant", "none", ""),
        ("Approved\n/Anna", "approve", "/Anna"),
        ("Approved\n***\nOnly today.", "approve", "***\nOnly today."),
        ("Theoretically,\nyes", "none", ""),
        ("Hypothetically,\n\nyes", "none", ""),
        ("Carol,\n\nApprove this request", "none", ""),
        ("Approved\n\nRegards,\nBob\n\nPS: no wait, reject.", "none", ""),
        ("Approved\n\nRegards,\nBob\n\nPS: no root, please.", "none", ""),
        ("Approved\n\nRegards,\nBob\n\nPS: root is fine.", "approve", "PS: root is fine."),
        ("Approved\n> but only until 18:00", "none", ""),
        ("Reject\n\nnot this week", "reject", "not this week"),
        ("Rejected - use the replica", "reject", "use the replica"),
        ("Hi Bob, rejected because of the freeze.\nAsk on Monday", "reject", "because of the freeze.\nAsk on Monday"),
        ("Not approved, sorry", "reject", ""),
        ("却下します。明日もう一度", "reject", "明日もう一度"),
        ("Rejected\nbut ask again on Monday", "reject", "but ask again on Monday"),
        ("Rejected\n\nApproved", "reject", "Approved"),
        ("Approved\n\nhold off until Monday", "none", ""),
        ("Approved\n\nThanks,\nGrace\nGet BlueMail for Android", "approve", "Thanks,"),
        ("Approved\n\nEnviado desde mi iPhone", "approve", ""),
        (
            "Approved\n\n_______________________________________________\nops mailing list -- ops@example.com\n"
            "To unsubscribe send an email to ops-leave@example.com",
            "approve",
            "",
        ),
        (
            "Approved\n\nThis email is confidential. If you are not the intended recipient, please delete it.",
            "approve",
            "",
        ),
        ("Approved\n\nSent from my iPhone\n\nActually no.", "none", ""),
        ("Approved\n\nOnly if Bob agrees.", "none", ""),
        ("Approved\n\nIf he needs more, ask again.", "none", ""),
        ("Approved\n👎", "none", ""),
        ("尊敬的Alice：\n批准", "approve", ""),
    ],
)
def test_what_stands_around_the_answer(text: str, verdict: str, comment: str) -> None:
    raw = f"From: grace@example.com\nTo: c@example.test\nSubject: Re: x\n\n{text}".encode()
    read = read_reply(raw, KNOWN)
    assert (read.verdict, read.comment) == (verdict, comment)


@pytest.mark.parametrize(
    "line",
    [
        "REJECT", "Rejected - use the replica", "approved, thanks", "Genehmigt", "Abgelehnt", "Refusé", "Apruebo",
        "Aprovado", "Rifiutato", "Akkoord", "Odrzucam", "Onaylıyorum", "Godkänt", "却下します", "同意",
    ],
)  # fmt: skip
def test_an_answer_that_can_mean_nothing_else_is_explicit(line: str) -> None:
    assert reply(f"{line}\r\n").explicit


@pytest.mark.parametrize("line", ["OK", "Fine with me", "No", "yes, thanks", "Nein", "はい", "好的", "👎"])
def test_a_short_answer_is_not_explicit(line: str) -> None:
    read = reply(f"{line}\r\n")
    assert (read.verdict != "none", read.explicit) == (True, False)


@pytest.mark.parametrize(
    "line",
    [
        "REVOKE", "Please revoke it.", "cancel the request", "Revoke, thanks", "Hi,\r\n\r\nWiderrufen", "Annuler",
        "Revocar", "cancelado", "Annullato", "Intrekken", "Cofam", "iptal et", "Återkalla", "取消", "撤销。",
    ],
)  # fmt: skip
def test_a_line_may_ask_to_undo(line: str) -> None:
    read = reply(f"{line}\r\n")
    assert (read.verdict, read.code, read.asks_to_undo) == ("none", "unclear", True)


@pytest.mark.parametrize("line", ["Cancel?", "Cancel it when Bob is done", "Cancelled flights", "Do not revoke"])
def test_nothing_else_asks_to_undo(line: str) -> None:
    assert not reply(f"{line}\r\n").asks_to_undo
