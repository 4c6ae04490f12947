"""What `read_reply` reads in whole mails; the corpus in tests/mails has the many clients and traps."""

import pytest

from notifiers.email.reply import Reply, read_reply

TOKEN = "k1abcdefghijklmnopqrstuvwxyz"
HEAD = (
    "From: Grace Hopper <Grace@Example.com>\r\n"
    f"To: Countersign <countersign+1042-2-{TOKEN}@example.test>\r\n"
    "Subject: Re: Countersign - Connection Approval Notification - #1042\r\n"
    "Message-ID: <answer-1@example.com>\r\n"
    f"In-Reply-To: <1042.2.{TOKEN}.asked.abcdefghijklmnop@example.test>\r\n"
)


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
    "raw", [b"", b"\n", b"\0", b"garbage", b"From: a@b\n" * 10_000, b"A:" + b"x" * 400_000, b"\xff" * 99]
)
def test_rubbish_is_an_unreadable_reply(raw: bytes) -> None:
    assert read_reply(raw).kind == "unreadable"
