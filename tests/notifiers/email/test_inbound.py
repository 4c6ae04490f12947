"""Incoming mail: an answer reaches the engine once; what decides nothing is recorded, and explained where allowed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import cast

import pytest

from countersign.errors import BadQuestion, NotAllowed, NotFound, Refused, Unavailable
from countersign.kinds.connection import ConnectionQuestion
from countersign.models import Answer, Event, Judgement, Status
from countersign.notifications import Person, RejectedInput, SubmittedAnswer, SubmittedComment
from countersign.views import ApproverView, RequestView
from notifiers import engine as base
from notifiers.email import token
from notifiers.email.authenticity import authenticate
from notifiers.email.config import AuthenticityRule
from notifiers.email.inbound import Inbound
from notifiers.email.listener import taken_on
from notifiers.email.listener.handler import MailHandler
from notifiers.email.reply import read_head, read_reply
from notifiers.email.token import KeyRing

RING = KeyRing([("k1", b"a secret of these tests only")])
RULE = AuthenticityRule(mode="authentication_results", authserv_id="mail.example.test")
OURS = ("countersign@example.test",)
NOW = datetime(2024, 5, 14, 12, 0, tzinfo=UTC)
PEOPLE = {name: Person(id=name, name=name.title(), email=f"{name}@example.test") for name in ("grace", "alice", "eve")}


BOUNCE = """\
Return-Path: <>
From: MAILER-DAEMON@example.test
To: countersign@example.test
Subject: Undelivered Mail Returned to Sender
Message-ID: <b1@example.test>
In-Reply-To: {ours}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

No such user.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.test

{status}

--b--
"""


class Engine:
    """An engine that remembers what it was given."""

    def __init__(self, status: Status = Status.WAITING) -> None:
        self.status = status
        self.given: list[SubmittedAnswer] = []
        self.submitted = asyncio.Event()
        self.rejected_input: list[RejectedInput] = []
        self.inquired: list[SubmittedComment] = []
        self.reported: list[tuple[str, int | None, str]] = []
        self.refuses: BaseException | None = None

    async def store_answer(self, given: SubmittedAnswer) -> Answer:
        if self.refuses is not None:
            raise self.refuses
        self.given.append(given)
        return Answer.model_validate(
            given.model_dump(exclude={"source_id", "proof", "signed_in", "confirmed"}) | {"id": "a1"}
        )

    async def submit(self, answer: Answer) -> Judgement:
        self.submitted.set()
        if self.status is Status.CANCELLED:
            raise Unavailable("Temporal is away")
        return Judgement(accepted=True, message="It counted.", status=Status.APPROVED)

    async def inquire(self, given: SubmittedComment) -> None:
        self.inquired.append(given)

    async def report(self, person: str, approval_id: int | None, signal: str, detail: str) -> None:
        self.reported.append((person, approval_id, signal))

    async def record_rejected(self, refused: RejectedInput) -> None:
        self.rejected_input.append(refused)

    async def person_at(self, address: str) -> Person | None:
        return next((one for one in PEOPLE.values() if one.email == address.casefold()), None)

    async def person(self, person: str) -> Person:
        return PEOPLE[person]

    async def request(self, approval_id: int) -> RequestView:
        if approval_id != 1042:
            raise NotFound("There is no such request.")
        return RequestView(
            approval_id=1042,
            question=ConnectionQuestion.model_validate({"requester": "alice", "device": "db-1", "protocol": "ssh"}),
            requester_name="Alice",
            because="a rule",
            status=self.status,
            message={Status.APPROVED: "Approved by grace.", Status.EXPIRED: "Nobody decided."}.get(self.status, ""),
            level=1,
            levels=1,
            quorum=1,
            opened_at=NOW,
            deadline=NOW + timedelta(hours=1),
            settled_at=None,
            grant_minutes=60,
            approvers=[ApproverView(level=1, person="grace", name="Grace", because="manager")],
        )


def mail(text: str, sender: str = "grace", tag: str | None = None, *, passed: bool = True, **headers: str) -> bytes:
    """A reply as the mail server hands it over."""
    message = EmailMessage()
    domain = "example.test"
    tag = f"+1042-1-{token.make(RING, 1042, 1, 'grace')}" if tag is None else tag
    result = "pass" if passed else "fail"
    results = f"spf={result} smtp.mailfrom={domain}; dmarc={result} header.from={domain}"
    message["Authentication-Results"] = f"mail.example.test; {results}"
    message["From"] = f"{sender}@{domain}"
    message["To"] = headers.pop("to", f"countersign{tag}@{domain}")
    message["Message-ID"] = "<m1@example.test>"
    message["Subject"] = headers.pop("subject", "Re: Countersign - Connection Approval Notification - #1042")
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


Take = Callable[[bytes], Awaitable[None]]


def taker(engine: Engine) -> Take:
    """Hand mails in from another thread, as the watcher does."""
    take = taken_on(asyncio.get_running_loop(), MailHandler(Inbound(cast(base.Engine, engine), RING, RULE, OURS)).take)
    return lambda raw: asyncio.to_thread(take, raw, NOW, True)


async def test_a_plain_answer_is_stored_with_its_proof_then_submitted() -> None:
    engine = Engine()
    await taker(engine)(mail("Approved\n\nBe quick."))
    await asyncio.wait_for(engine.submitted.wait(), 120)
    (given,) = engine.given
    assert (given.person, given.approval_id, given.level, given.verdict) == ("grace", 1042, 1, "approve")
    assert (given.comment, given.at, given.channel) == ("Be quick.", NOW, "email")
    checks = {name.partition(": ")[2]: saw for name, saw in given.proof.items()}
    assert checks["authentic"] == "passed: dmarc=pass header.from=example.test"
    assert not engine.rejected_input


HELP = token.make(RING, 1042, 1, "grace", kind="help")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("OK\nHe does not need it any more.", None),
        ("Yes, I see", None),
        ("Fine", None),
        ("REJECT\n\nwrong server", "reject"),
        ("Approve", "approve"),
        ("Genehmigt", "approve"),
    ],
)
async def test_below_a_mail_that_says_why_none_counted_only_a_plain_answer_decides(
    text: str, verdict: str | None
) -> None:
    ours = f"<1042.1.{HELP}.answer_refused.{'a' * 16}@example.test>"
    old = OUR_MAIL.replace("asked", "answer_refused")
    engine = Engine()
    # Written by hand, as the library would break ids this long.
    await taker(engine)(f"In-Reply-To: {ours}\n".encode() + mail(text, tag=f"+1042-1-{HELP}"))
    await taker(engine)(f"In-Reply-To: {old}\n".encode() + mail(text))
    assert [given.verdict for given in engine.given] == ([verdict] * 2 if verdict else [])
    assert [refused.event for refused in engine.rejected_input] == ([] if verdict else [Event.HELP] * 2)


async def test_what_arrived_in_time_and_was_read_too_late_is_told_so() -> None:
    engine = Engine(Status.EXPIRED)
    take = taker(engine)
    handler = MailHandler(Inbound(cast(base.Engine, engine), RING, RULE, OURS))
    await take(mail("Approved"))
    await handler.take(mail("Approved"), NOW + timedelta(hours=2))
    in_time, late = (refused.reason for refused in engine.rejected_input)
    assert in_time == (
        "Your answer arrived in time, Tue 14 May 2024, 12:00 UTC, but could not be read before #1042 expired, "
        "Tue 14 May 2024, 13:00 UTC; so it decided nothing. Whoever still needs it has to ask again."
    )
    assert late.startswith("#1042 is already Expired")
    assert {refused.event for refused in engine.rejected_input} == {Event.ANSWER_REFUSED}


async def test_a_proven_answer_from_an_unknown_address_is_told_to_whom_the_copy_was_sent() -> None:
    engine = Engine()
    await taker(engine)(mail("Approved", sender="g.hopper"))
    assert not engine.given
    (refused,) = engine.rejected_input
    assert (refused.who, refused.event) == ("g.hopper@example.test", Event.HELP)
    assert refused.person == PEOPLE["grace"]
    assert refused.reason.startswith(
        "A reply to your copy came from g.hopper@example.test, an address that nobody in the directory has, so it "
        "decided nothing. If it is yours, answer from grace@example.test, or have it added to your aliases"
    )


async def test_nobody_is_told_of_a_forged_answer_from_an_unknown_address_nor_of_an_absence() -> None:
    engine = Engine()
    take = taker(engine)
    await take(mail("Approved", sender="g.hopper", passed=False))
    await take(mail("Gone.", sender="g.hopper", subject="Automatic reply: #1042", Auto_Submitted="auto-replied"))
    assert [refused.event for refused in engine.rejected_input] == [None, None]


async def test_the_proof_of_a_strangers_mail_is_not_looked_at() -> None:
    engine = Engine()
    await taker(engine)(mail("Approved", sender="stranger", tag=""))
    (refused,) = engine.rejected_input
    assert refused.proof["code"] == "known_sender"
    assert "FAILED: not checked, as a stranger sent it" in refused.proof.values()


async def test_a_mail_that_replies_to_none_of_ours_is_no_answer() -> None:
    engine = Engine()
    await taker(engine)(mail("Yes", In_Reply_To="<lunch@example.test>", References=f"<lunch@example.test> {OUR_MAIL}"))
    assert not engine.given
    (refused,) = engine.rejected_input
    assert (refused.event, refused.proof["code"]) == (Event.HELP, "replies_to_ours")


async def test_the_same_mail_is_the_same_answer_and_another_answer_is_another() -> None:
    engine = Engine()
    take = taker(engine)
    for text in ("Approved", "Approved", "Rejected"):
        await take(mail(text))
    first, second, third = (given.source_id for given in engine.given)
    assert first == second != third


async def test_a_submission_that_fails_is_left_to_the_sweeper() -> None:
    engine = Engine(Status.WAITING)
    take = taker(engine)
    engine.status = Status.WAITING
    await take(mail("Approved"))
    engine.status = Status.CANCELLED
    await asyncio.wait_for(engine.submitted.wait(), 120)
    assert len(engine.given) == 1


async def test_what_cannot_be_stored_now_is_shown_again_later() -> None:
    engine = Engine()
    engine.refuses = Unavailable("the database is away")
    with pytest.raises(Unavailable):
        await taker(engine)(mail("Approved"))


async def test_a_mail_in_hand_when_the_worker_ends_is_shown_again_later() -> None:
    engine = Engine()
    engine.refuses = asyncio.CancelledError()
    with pytest.raises(Unavailable, match="ended before it stored the mail"):
        await taker(engine)(mail("Approved"))


@pytest.mark.parametrize(
    "fault",
    [
        KeyError("a bug"),
        RuntimeError("cannot schedule new futures after shutdown"),
        OSError("the network"),
        NotAllowed("not now"),
    ],
)
async def test_whatever_fails_in_the_engine_is_no_fault_of_the_mail(fault: Exception) -> None:
    engine = Engine()
    engine.refuses = fault
    with pytest.raises(Unavailable):
        await taker(engine)(mail("Approved"))


async def test_before_the_first_policy_mails_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()

    async def nobody_knows(address: str) -> Person | None:
        raise Refused("No policy has been applied yet.")

    monkeypatch.setattr(engine, "person_at", nobody_knows)
    with pytest.raises(Unavailable, match="No policy"):
        await taker(engine)(mail("Approved"))


async def test_what_can_never_be_stored_is_the_mail_s_fault() -> None:
    engine = Engine()
    engine.refuses = BadQuestion("Something in it can't be stored.")
    with pytest.raises(BadQuestion):
        await taker(engine)(mail("Approved"))


@pytest.mark.parametrize("step", [read_reply, authenticate, read_head])
async def test_a_mail_is_left_for_later_where_the_system_has_no_thread_left(
    step: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler, to_thread = MailHandler(Inbound(cast(base.Engine, Engine()), RING, RULE, OURS)), asyncio.to_thread

    async def refused(call: Callable[..., object], *given: object) -> object:
        if call is step:
            raise RuntimeError("can't start new thread")
        return await to_thread(call, *given)

    monkeypatch.setattr(asyncio, "to_thread", refused)
    with pytest.raises(Unavailable):
        await handler.take(mail("Approved"), NOW, step is not read_head)


async def test_the_sender_of_a_mail_that_is_too_large_is_told_so_by_its_header_alone() -> None:
    engine = Engine()
    handler = MailHandler(Inbound(cast(base.Engine, engine), RING, RULE, OURS))
    for raw in (
        mail("Approved"),
        mail("Approved", passed=False),
        mail("Approved", sender="eve", tag="", passed=False),
        mail("Approved", Auto_Submitted="auto-replied"),
        mail("Approved", Precedence="bulk"),
    ):
        await handler.take(raw.partition(b"\n\n")[0] + b"\n\n", NOW, False)
    assert not engine.given
    assert [one.event for one in engine.rejected_input] == [Event.HELP, Event.HELP, None, None, None]
    told = engine.rejected_input[0]
    assert (told.person, told.approval_id, told.proof["code"]) == (PEOPLE["grace"], 1042, "too_large")
    assert told.reason == "The mail is too large to be read. Answer with the text alone, without files."


@pytest.mark.parametrize(
    ("header", "event"),
    [("X-Mailer: x", Event.HELP), ("Auto-Submitted: auto-replied", None), ("Return-Path: <>", None), ("a\rb: c", None)],
)
async def test_the_sender_of_a_mail_that_is_broken_is_told_so_where_its_header_is_whole(
    header: str, event: Event | None
) -> None:
    engine = Engine()
    head, _, _ = mail("Approved").partition(b"Content-Type")
    broken = b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=b\n\nApprove\n"
    await taker(engine)(header.encode() + b"\n" + head + broken)
    (refused,) = engine.rejected_input
    assert (refused.event, refused.proof["code"] in ("malformed", "auto_reply", "bounce")) == (event, True)
    assert not engine.given


def test_a_mail_that_comes_after_the_worker_has_ended_is_shown_again_later() -> None:
    loop = asyncio.new_event_loop()
    take = taken_on(loop, MailHandler(Inbound(cast(base.Engine, Engine()), RING, RULE, OURS)).take)
    loop.close()
    with pytest.raises(Unavailable, match="ended"):
        take(mail("Approved"), NOW, True)


async def test_an_answer_of_somebody_disabled_ends_at_the_store() -> None:
    engine = Engine()
    engine.refuses = Refused("Your account is disabled.")
    await taker(engine)(mail("Approved"))
    assert not engine.submitted.is_set()


@pytest.mark.parametrize(
    ("raw", "who", "event", "code"),
    [
        (mail("Approved", passed=False), "grace@example.test (unproven)", Event.ANSWER_REFUSED, "authentic"),
        (mail("Approved", sender="eve"), "eve", Event.ANSWER_REFUSED, "own_copy"),
        (mail("Perhaps later"), "grace", Event.HELP, "unclear"),
        (mail("Approved", tag=""), "grace", Event.HELP, "names_one_request"),
        (
            mail("OK", subject="Restricted: Acme - Connection Approval Notification - #1042"),
            "grace",
            Event.HELP,
            "auto_reply",
        ),
    ],
)
async def test_what_decides_nothing_is_recorded_and_told(raw: bytes, who: str, event: Event, code: str) -> None:
    engine = Engine()
    await taker(engine)(raw)
    (refused,) = engine.rejected_input
    assert not engine.given
    assert (refused.who, refused.approval_id, refused.event) == (who, 1042, event)
    assert refused.proof["code"] == code


@pytest.mark.parametrize(
    "raw",
    [
        mail("Approved", sender="eve", tag=f"+1042-1-k1{'a' * 26}"),
        mail("Approved", sender="eve", tag=""),
        mail("Approved", sender="stranger", tag=""),
        mail("Approved", tag=f"+9999-1-k1{'a' * 26}"),
    ],
)
async def test_nobody_hears_of_a_request_they_have_no_part_in(raw: bytes) -> None:
    engine = Engine()
    await taker(engine)(raw)
    (refused,) = engine.rejected_input
    assert refused.event is None


async def test_a_late_answer_is_told_the_outcome() -> None:
    engine = Engine(Status.APPROVED)
    await taker(engine)(mail("Rejected"))
    (refused,) = engine.rejected_input
    assert refused.reason == "#1042 is already Approved: Approved by grace."
    assert refused.event is Event.ANSWER_REFUSED


@pytest.mark.parametrize(
    ("failed", "reported"), [("Grace@example.test", True), ("eve@example.test", False), ("", False)]
)
async def test_a_bounce_of_our_mail_reports_the_approver_unreachable(failed: str, reported: bool) -> None:
    engine = Engine()
    status = f"Final-Recipient: rfc822; {failed}\nAction: failed\nStatus: 5.1.1" if failed else "X-Queue: slow"
    ours = f"<1042.1.{token.make(RING, 1042, 1, 'grace')}.asked.{'a' * 16}@example.test>"
    raw = BOUNCE.format(ours=ours, status=status).encode()
    await taker(engine)(raw)
    assert engine.reported == ([("grace", 1042, "unreachable")] if reported else [])
    assert engine.rejected_input[0].event is None


async def test_an_out_of_office_reply_reports_the_approver_away() -> None:
    engine = Engine()
    text = "I am out of the office until Monday."
    await taker(engine)(mail(text, subject="Automatic reply: out of office", Auto_Submitted="auto-replied"))
    assert engine.reported == [("grace", 1042, "away")]
    assert not engine.given
    assert engine.rejected_input[0].event is None


TAGGED = f"countersign+1042-1-{token.make(RING, 1042, 1, 'grace')}@example.test"
OUR_MAIL = f"<1042.1.{token.make(RING, 1042, 1, 'grace')}.asked.{'a' * 16}@example.test>"


@pytest.mark.parametrize("subject", ["Re: lunch?", "Re: Lunch, table #1042?"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Delivered-To", TAGGED),
        ("X-Original-To", TAGGED),
        ("Envelope-To", TAGGED),
        ("Cc", TAGGED),
        ("In-Reply-To", OUR_MAIL),
        ("References", OUR_MAIL),
    ],
)
async def test_a_yes_to_somebody_else_that_is_sent_to_us_anew_is_no_answer(name: str, value: str, subject: str) -> None:
    engine = Engine()
    raw = mail("Yes", to="Mallory <eve@example.test>", subject=subject)
    await taker(engine)(f"{name}: {value}\n".encode() + raw)
    assert not engine.given
    (refused,) = engine.rejected_input
    assert (refused.who, refused.event, refused.proof["code"]) == ("grace", Event.HELP, "written_to_us")


@pytest.mark.parametrize(
    "to",
    [
        f'"{TAGGED}" <eve@example.test>',
        f'"a\\" <{TAGGED}>, \\"b" <eve@example.test>',
        f"eve@example.test (no, {TAGGED})",
        f'eve@example.test (") "), {TAGGED}, (" (")',
        f"<@example.test:{TAGGED}>, eve@example.test",
        f"{TAGGED} <eve@example.test>",
        f"<eve@example.test> <{TAGGED}>",
        f"=?utf-8?q?{TAGGED.replace('@', '=40')}=2C?= <eve@example.test>",
    ],
)
async def test_our_address_in_the_name_of_another_is_not_ours(to: str) -> None:
    engine = Engine()
    raw = mail("Yes", to="eve@example.test", In_Reply_To=OUR_MAIL)
    assert b"\nTo: eve@example.test\n" in raw
    await taker(engine)(raw.replace(b"\nTo: eve@example.test\n", f"\nTo: {to}\n".encode()))
    assert not engine.given
    assert engine.rejected_input[0].proof["code"] == "written_to_us"


@pytest.mark.parametrize(
    "to",
    [
        "countersign@example.test",
        f"eve@example.test, Countersign <{TAGGED.upper()}>",
        f'"Hopper, Eve (DBA)" <eve@example.test>; Countersign (the engine) <{TAGGED}>',
        f"{TAGGED} <{TAGGED}>",
        f'"Acme \\"One\\" (prod" <{TAGGED}>',
        f'"{TAGGED}"\n <{TAGGED}>',
        f"=?utf-8?Q?Acme_(x)?= <{TAGGED}>",
    ],
)
async def test_an_answer_may_be_written_to_others_too(to: str) -> None:
    engine = Engine()
    raw = mail("Yes", to="x@example.test", In_Reply_To=OUR_MAIL)
    await taker(engine)(raw.replace(b"\nTo: x@example.test\n", f"\nTo: {to}\n".encode()))
    assert len(engine.given) == 1


async def test_an_answer_names_its_request_in_its_subject() -> None:
    engine = Engine()
    await taker(engine)(mail("Yes", subject="Re: Countersign - Connection Approval Notification - #1043"))
    assert not engine.given
    (refused,) = engine.rejected_input
    assert (refused.event, refused.proof["code"]) == (Event.HELP, "subject_names_it")
    assert refused.reason == "The subject of the mail doesn't name #1042: reply with the subject left as it is."


@pytest.mark.parametrize("sender", ["grace", "eve"])
async def test_nobody_is_unreachable_because_a_colleague_says_so(sender: str) -> None:
    engine = Engine()
    status = "Final-Recipient: rfc822; grace@example.test\nAction: failed\nStatus: 5.1.1"
    raw = BOUNCE.format(ours=OUR_MAIL, status=status).replace("MAILER-DAEMON@", f"{sender}@")
    await taker(engine)(raw.encode())
    await taker(engine)(mail("gone", sender=sender, passed=False, X_Failed_Recipients="grace@example.test"))
    assert [refused.proof["code"] for refused in engine.rejected_input] == ["bounce", "bounce"]
    assert not engine.reported


@pytest.mark.parametrize(
    ("head", "reported"),
    [
        ("From: mail@isp.test\n", False),
        ("From: mailer-daemon@isp.test\n", True),
        ("Return-Path: <>\nFrom: mail@isp.test\n", True),
        ("Return-Path: <mal@isp.test>\nReturn-Path: <>\nFrom: mail@isp.test\n", False),
    ],
)
async def test_only_what_has_the_shape_of_a_bounce_is_believed_one(head: str, reported: bool) -> None:
    engine = Engine()
    raw = f"{head}To: {TAGGED}\nMessage-ID: <b@isp.test>\nX-Failed-Recipients: grace@example.test\n\nNo such user.\n"
    await taker(engine)(raw.encode())
    assert engine.rejected_input[0].proof["code"] == "bounce"
    assert engine.reported == ([("grace", 1042, "unreachable")] if reported else [])


@pytest.mark.parametrize(("sender", "reported"), [("grace", True), ("g.hopper", True), ("eve", False)])
async def test_an_absence_is_that_of_whom_it_comes_from(sender: str, reported: bool) -> None:
    """Eve reads Grace's mail while Grace is elsewhere, and is away herself."""
    engine = Engine()
    text, subject = "I am out of the office.", "Automatic reply: #1042"
    await taker(engine)(mail(text, sender=sender, subject=subject, Auto_Submitted="auto-replied"))
    assert engine.reported == ([("grace", 1042, "away")] if reported else [])


async def test_no_absence_is_believed_that_is_forged_or_of_nobody() -> None:
    engine = Engine()
    away = mail("I am out of the office.", subject="Automatic reply: #1042", Auto_Submitted="auto-replied")
    ours = b"From: grace@example.test\n"
    for raw in (
        mail("I am out of the office.", subject="Automatic reply: #1042", passed=False, Auto_Submitted="auto-replied"),
        away.replace(ours, b""),
        away.replace(ours, b"From: grace@example.test, eve@example.test\n"),
        away.replace(ours, ours + b"From: eve@example.test\n"),
    ):
        assert raw != away
        await taker(engine)(raw)
    assert [refused.proof["code"] for refused in engine.rejected_input] == ["auto_reply"] * 4
    assert not engine.reported
    unproven = away.replace(b"Authentication-Results", b"X-Was", 1)
    await taker(engine)(unproven)
    assert engine.reported == [("grace", 1042, "away")]
    assert engine.rejected_input[-1].who == "grace@example.test (unproven)"


async def test_who_is_only_said_to_have_sent_a_mail_hears_nothing_of_anothers_copy() -> None:
    engine = Engine()
    await taker(engine)(mail("Approved", sender="eve", passed=False))
    (refused,) = engine.rejected_input
    assert (refused.who, refused.event, refused.proof["code"]) == ("eve@example.test (unproven)", None, "authentic")


async def test_explaining_changes_nothing() -> None:
    engine = Engine()
    inbound = Inbound(cast(base.Engine, engine), RING, RULE, OURS)
    found = await inbound.explain(mail("Approved"))
    assert found.checked.decides
    assert not engine.given
    assert not engine.rejected_input


async def test_how_a_request_stands_is_not_explained_to_who_holds_no_mail_about_it() -> None:
    inbound = Inbound(cast(base.Engine, Engine(Status.APPROVED)), RING, RULE, OURS)
    found = await inbound.explain(mail("Approved", sender="eve", tag=f"+1042-1-k1{'a' * 26}"))
    assert not found.checked.decides
    assert not any("Approved by" in check.saw for check in found.checked.checks)


async def test_a_reply_to_a_mail_about_no_request_is_recorded_and_answered_by_nothing() -> None:
    engine = Engine()
    about = token.message_id("example.test", None, "mailbox_unread", "general.1.mailbox_unread.grace.email")
    await taker(engine)(mail("OK", tag="", subject="Re: Acme - Replies can't be read", In_Reply_To=about))
    assert not engine.given
    (refused,) = engine.rejected_input
    assert (refused.event, refused.approval_id, refused.proof["code"]) == (None, None, "names_one_request")
