"""The table of checks: a plain answer decides, and each fault is explained to those who may know it."""

from functools import partial

import pytest

from countersign.models import Status
from notifiers.email import token
from notifiers.email.authenticity import Authentic
from notifiers.email.checks import RULES, CheckedReply, Facts, check_reply, whose_token
from notifiers.email.reply import REASONS, Reply

RING = token.KeyRing([("k1", b"a secret of the tests' own")])
TOKEN = token.make(RING, 1042, 1, "grace")
SUBJECT = "Re: Acme - Connection Approval Notification - #1042"
OUR_MAIL = f"<1042.1.{TOKEN}.asked.{'a' * 16}@example.com>"
REPLY = Reply(
    verdict="approve",
    code="answer",
    comment="Be quick.",
    line="Fine",
    sender="grace@example.com",
    approval_id=1042,
    level=1,
    token=TOKEN,
    subject=SUBJECT,
    recipients=[token.reply_address("approvals@example.com", 1042, 1, TOKEN)],
)
FACTS = Facts(
    authentic=Authentic(True, "dmarc=pass"),
    addresses=["Approvals@example.com", "countersign@example.com"],
    person="grace",
    token_of="grace",
    status=Status.WAITING,
)


def checked(reply: dict[str, object] | None = None, **facts: object) -> CheckedReply:
    return check_reply(REPLY.model_copy(update=reply or {}), FACTS.model_copy(update=facts))


def test_a_plain_answer_decides() -> None:
    found = checked()
    assert found.decides
    assert (found.person, found.verdict, found.approval_id, found.level) == ("grace", "approve", 1042, 1)
    assert (found.comment, found.answer_back) == ("Be quick.", "none")
    assert [check.name for check in found.checks] == [rule.name for rule in RULES]
    assert all(check.passed and check.saw and not check.reason for check in found.checks)


@pytest.mark.parametrize(
    ("reply", "facts", "failed", "back"),
    [
        ({"code": "malformed", "reason": "Malformed."}, {}, "well formed", "help"),
        ({"code": "malformed", "reason": "Malformed.", "sender": ""}, {"person": ""}, "well formed", "none"),
        ({"code": "auto_reply", "reason": "Machine."}, {}, "by a person", "none"),
        ({"code": "auto_reply", "reason": "Guess.", "guessed": True}, {}, "by a person", "help"),
        ({"code": "auto_reply", "reason": "Guess.", "guessed": True}, {"person": ""}, "by a person", "none"),
        (
            {"code": "auto_reply", "reason": "Guess.", "guessed": True},
            {"authentic": Authentic(False, "dmarc=fail")},
            "by a person",
            "none",
        ),
        ({"code": "bounce", "reason": "Machine."}, {}, "by a person", "none"),
        ({"code": "list", "reason": "Machine."}, {}, "by a person", "none"),
        ({"sender": ""}, {"person": ""}, "one sender", "none"),
        ({}, {"authentic": Authentic(False, "dmarc=fail")}, "authentic", "refusal"),
        ({}, {"authentic": Authentic(False, "dmarc=fail"), "person": ""}, "known sender", "none"),
        ({}, {"authentic": Authentic(False, "dmarc=fail"), "token_of": ""}, "authentic", "none"),
        ({}, {"authentic": Authentic(False, "dmarc=fail"), "token_of": "bob"}, "authentic", "none"),
        ({}, {"person": ""}, "known sender", "none"),
        ({"token": None}, {"token_of": ""}, "names one request", "help"),
        ({}, {"token_of": "bob"}, "own copy", "refusal"),
        ({}, {"token_of": ""}, "own copy", "refusal"),
        ({"recipients": []}, {}, "written to us", "help"),
        ({"recipients": ["mal@example.com"]}, {}, "written to us", "help"),
        ({"recipients": ["approvals@example.com.evil.com"]}, {}, "written to us", "help"),
        ({"recipients": ["notapprovals@example.com"]}, {}, "written to us", "help"),
        ({"recipients": ["approvals-old@example.com"]}, {}, "written to us", "help"),
        ({}, {"addresses": []}, "written to us", "help"),
        ({"subject": "Re: lunch?"}, {}, "subject names it", "help"),
        ({"subject": ""}, {}, "subject names it", "help"),
        ({"subject": "Re: Acme - Connection Approval Notification - #1041"}, {}, "subject names it", "help"),
        ({"subject": "Re: Acme - Connection Approval Notification - #10421"}, {}, "subject names it", "help"),
        ({"subject": "Re: Lunch, table #1042?"}, {}, "subject names it", "help"),
        ({"subject": "Re: Connection Approval Notification #1042"}, {}, "subject names it", "help"),
        ({"subject": f"{SUBJECT} and Acme - Device Approval Notification - #1043"}, {}, "subject names it", "help"),
        ({"answers": ["<lunch@example.com>"]}, {}, "replies to ours", "help"),
        ({"answers": ["<lunch@example.com>", OUR_MAIL]}, {}, "replies to ours", "help"),
        ({"answers": [OUR_MAIL.replace("1042", "1043")]}, {}, "replies to ours", "help"),
        ({}, {"mail_kind": "help"}, "says it in full", "help"),
        ({"verdict": "reject"}, {"mail_kind": "help"}, "says it in full", "help"),
        ({"explicit": True}, {"mail_kind": "undo"}, "asked for", "help"),
        ({"code": "forwarded", "reason": "Forwarded."}, {}, "not forwarded", "help"),
        ({"code": "resent", "reason": "Resent."}, {}, "sent by themselves", "help"),
        ({"code": "encrypted", "reason": "Encrypted."}, {}, "has text", "help"),
        ({"code": "disguised", "reason": "Disguised."}, {}, "nothing disguised", "help"),
        ({"code": "bodies_differ", "reason": "Differ."}, {}, "one answer only", "help"),
        ({"verdict": "none", "code": "question", "reason": "A question."}, {}, "answers plainly", "help"),
        ({}, {"status": Status.EXPIRED, "undo": "It expired."}, "still waiting", "refusal"),
    ],
)
def test_what_is_wrong_decides_nothing(
    reply: dict[str, object], facts: dict[str, object], failed: str, back: str
) -> None:
    found = checked(reply, **facts)
    assert not found.decides
    assert (found.verdict, found.comment) == ("none", "")
    assert next(check.name for check in found.checks if not check.passed) == failed
    assert found.answer_back == back
    assert found.message == next(check.reason for check in found.checks if not check.passed) != ""


@pytest.mark.parametrize(
    ("reply", "saw"),
    [
        ({"recipients": ["mal@example.com", "approvals@example.com"]}, "approvals@example.com"),
        ({"recipients": ["countersign@example.com"]}, "countersign@example.com"),
        ({}, f"approvals+1042-1-{TOKEN[:2]}…@example.com"),
        ({"subject": "SV: [EXTERN] Acme - Connection Approval Notification - #1042 [secure]"}, None),
    ],
)
def test_a_reply_is_known_by_its_address_and_number(reply: dict[str, object], saw: str | None) -> None:
    found = checked(reply)
    assert found.decides
    assert saw in (None, next(check.saw for check in found.checks if check.name == "written to us"))
    assert TOKEN not in found.model_dump_json()


QUESTION: dict[str, object] = {
    "verdict": "none",
    "code": "question",
    "reason": "A question.",
    "text": "Why?",
    "asks": True,
}


@pytest.mark.parametrize(
    ("reply", "facts", "inquires"),
    [
        ({}, {}, True),
        ({}, {"mail_kind": "help"}, True),
        ({"code": "both"}, {}, True),
        ({"asks": False}, {}, False),
        ({"kind": "auto_reply", "code": "auto_reply"}, {}, False),
        ({"code": "disguised"}, {}, False),
        ({"code": "forwarded"}, {}, False),
        ({"subject": "Re: lunch"}, {}, False),
        ({"recipients": ["grace@example.com"]}, {}, False),
        ({}, {"authentic": Authentic(False, "dmarc=fail")}, False),
        ({}, {"token_of": "bob"}, False),
        ({}, {"person": ""}, False),
    ],
)
def test_only_a_good_reply_that_is_no_answer_is_passed_on(
    reply: dict[str, object], facts: dict[str, object], inquires: bool
) -> None:
    found = checked(QUESTION | reply, **facts)
    assert (found.decides, found.inquires) == (False, inquires)


def test_a_reply_to_what_the_requester_is_asked_is_a_comment_unless_it_undoes() -> None:
    replies: list[dict[str, object]] = [{"text": "Approved"}, {"verdict": "reject", "text": "No."}]
    for reply in (QUESTION, QUESTION | {"code": "both"}, *replies):
        found = checked(reply, mail_kind="comment")
        assert (found.comments, found.undoes, found.verdict, found.comment) == (True, False, "none", reply["text"])
    cancel = checked(QUESTION | {"asks_to_undo": True}, mail_kind="comment")
    assert (cancel.comments, cancel.undoes) == (False, True)
    for nothing in (QUESTION | {"text": ""}, QUESTION | {"code": "auto_reply", "kind": "auto_reply"}):
        found = checked(nothing, mail_kind="comment")
        assert (found.comments, found.decides, found.inquires) == (False, False, False)


def test_what_is_not_known_is_left_to_the_request() -> None:
    assert checked(status=None).decides


def test_every_code_of_the_reader_has_its_check() -> None:
    for code in REASONS:
        assert not checked({"verdict": "none", "code": code, "reason": "So."}).decides


def test_the_outcome_is_told_to_who_comes_late() -> None:
    assert checked(status=Status.REJECTED, outcome="Bob rejected it.").message == "Bob rejected it."


def test_the_first_failure_speaks_and_all_are_shown() -> None:
    found = checked({"code": "auto_reply", "reason": "Machine.", "verdict": "none"}, status=Status.EXPIRED)
    assert found.message == "Machine."
    failed = [check.name for check in found.checks if not check.passed]
    assert failed == ["by a person", "answers plainly", "still waiting"]


def test_a_token_belongs_to_one_person() -> None:
    assert whose(REPLY, "bob", "grace") == ("grace", "answer")
    assert whose(REPLY, "bob") == ("", "answer")
    assert whose(REPLY.model_copy(update={"level": 2}), "grace") == ("", "answer")
    assert whose(REPLY.model_copy(update={"token": None}), "grace") == ("", "answer")


def whose(reply: Reply, *people: str) -> tuple[str, token.Kind]:
    return whose_token(reply, people, partial(token.kind_of, RING))


@pytest.mark.parametrize(("event", "kind"), [("asked", "answer"), ("answer_refused", "help"), ("settled", "undo")])
def test_mails_of_earlier_versions_are_of_the_kind_that_their_id_says(event: str, kind: str) -> None:
    """In earlier versions all kinds of mail had the same token."""
    ours = OUR_MAIL.replace("asked", event)
    assert whose(REPLY.model_copy(update={"answers": [ours, OUR_MAIL]}), "grace") == ("grace", kind)


@pytest.mark.parametrize("event", ["asked", "help", "thread"])
def test_no_id_makes_a_mail_that_asks_of_one_that_does_not(event: str) -> None:
    helped = token.make(RING, 1042, 1, "grace", kind="help")
    reply = REPLY.model_copy(update={"token": helped, "answers": [OUR_MAIL.replace("asked", event)]})
    assert whose(reply, "grace") == ("grace", "help")


@pytest.mark.parametrize("verdict", ["approve", "reject"])
def test_a_plain_answer_to_a_mail_that_says_why_none_counted_decides(verdict: str) -> None:
    found = checked({"explicit": True, "verdict": verdict}, mail_kind="help")
    assert (found.decides, found.verdict) == (True, verdict)


def test_what_asks_to_undo_undoes_where_the_mail_said_so() -> None:
    undo = {"verdict": "none", "code": "unclear", "reason": "No.", "asks_to_undo": True}
    assert checked(undo, mail_kind="undo").undoes
    assert not checked(undo).decides
    assert not checked({"verdict": "none", "code": "unclear", "reason": "No."}, mail_kind="undo").undoes
