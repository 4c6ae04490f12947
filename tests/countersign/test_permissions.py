"""Who may do what to a request, on any channel."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from countersign.error_codes import ErrorCode
from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
from countersign.models import SERVICE, Decision, Scope, Status, Verdict
from countersign.notifications import ProposedAnswer
from countersign.permissions import (
    Action,
    Principal,
    as_of,
    may_ask_for,
    may_end,
    principal,
    visible_to,
    why_never,
    why_not,
    why_not_answer,
    why_not_ask,
    why_not_connect,
    why_not_explain,
)
from countersign.policy.file import load
from countersign.views import ApproverView, Explained, RequestView
from countersign.visibility import Visibility

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
POLICY = """
users:
  alice: {name: Alice, email: alice@example.test}
  ada: {name: Ada, email: ada@example.test, roles: [admin]}
  gone: {name: Gone, email: gone@example.test, roles: [admin], disabled: true}
"""
LAPSED = [
    Decision(answer_id="a", level=1, person="grace", verdict=Verdict.APPROVE, channel="email", at=NOW, lapsed=True)
]
ALICE, GRACE, BOB = Principal("alice"), Principal("grace"), Principal("bob")
ADA, VPN = (
    Principal("ada", admin=True),
    Principal("gateway:vpn", scope=Scope(targets=frozenset({"web-1"}), variants=frozenset({"ssh"}))),
)
OTHER = Principal("gateway:other")


def request(**changes: object) -> RequestView:
    fields: dict[str, object] = {
        "approval_id": 1042,
        "question": ConnectionQuestion(requester="alice", device="web-1", protocol=ConnectionProtocol.SSH),
        "requester_name": "Alice",
        "asked_by": "gateway:vpn",
        "because": "",
        "status": Status.WAITING,
        "message": "",
        "level": 2,
        "levels": 2,
        "quorum": 1,
        "opened_at": NOW,
        "deadline": NOW + timedelta(hours=1),
        "settled_at": None,
        "grant_minutes": 60,
        "channels": {"email": "decide", "slack": "link_only"},
        "approvers": [
            ApproverView(level=1, person="grace", name="Grace", because=""),
            ApproverView(level=2, person="heidi", name="Heidi", because=""),
        ],
        "decisions": [
            Decision(answer_id="a", level=1, person="grace", verdict=Verdict.APPROVE, channel="email", at=NOW),
        ],
    }
    return RequestView.model_validate(fields | changes)


def answer(**changes: object) -> ProposedAnswer:
    return ProposedAnswer.model_validate({"level": 2, "verdict": Verdict.APPROVE, "channel": "email"} | changes)


@pytest.mark.parametrize(
    ("action", "may"),
    [
        (Action.CANCEL, {"alice", "ada"}),
        (Action.REVOKE, {"grace", "ada"}),
        (Action.GIVE_BACK, {"alice", "gateway:vpn"}),
        (Action.INQUIRE, {"grace"}),
        (Action.COMMENT, {"alice"}),
    ],
)
def test_who_may(action: Action, may: set[str]) -> None:
    everybody = [ALICE, GRACE, BOB, ADA, VPN, OTHER]
    assert {one.name for one in everybody if why_not(one, action, request()) is None} == may


def test_a_gateway_that_joined_the_request_asked_for_its_grant_too() -> None:
    joined = replace(OTHER, joined=frozenset({1042}))
    assert why_not(joined, Action.GIVE_BACK, request()) is None
    assert why_not(joined, Action.GIVE_BACK, request(approval_id=1043))
    assert why_not(joined, Action.REVOKE, request())
    assert why_not(replace(BOB, joined=frozenset({1042})), Action.GIVE_BACK, request())


def test_a_gateway_cancels_what_it_alone_asked_for() -> None:
    alone = replace(VPN, asked_alone=frozenset({1042}))
    assert why_not(alone, Action.CANCEL, request()) is None
    assert why_not(alone, Action.CANCEL, request(approval_id=1043))
    assert why_not(replace(BOB, asked_alone=frozenset({1042})), Action.CANCEL, request())
    assert str(why_not(VPN, Action.CANCEL, request())) == (
        "Only Alice or an admin may cancel #1042. A gateway may cancel only what it opened itself, if nobody else "
        "asked for it."
    )


@pytest.mark.parametrize("action", list(Action))
def test_who_is_disabled_may_do_nothing(action: Action) -> None:
    who = Principal("alice", enabled=False, admin=True)
    refusal = why_not(who, action, request())
    assert refusal is not None
    assert refusal.code == ErrorCode.DISABLED_PERSON


def test_a_refusal_says_who_may() -> None:
    assert str(why_not(BOB, Action.CANCEL, request())) == "Only Alice or an admin may cancel #1042."
    assert str(why_not(BOB, Action.INQUIRE, request())) == "Only an approver of #1042 may ask Alice about it."
    assert str(why_not(BOB, Action.COMMENT, request())) == "Only Alice may comment on #1042."
    assert str(why_not(ALICE, Action.REVOKE, request())).endswith("You may give it back.")


def test_an_admin_is_one_by_the_directory_or_by_their_token_unless_disabled() -> None:
    policy = load(POLICY)
    assert principal(policy, "ada").admin
    assert not principal(policy, "alice").admin
    assert principal(policy, "alice", appointed=True).admin
    assert principal(policy, "gone", appointed=True) == Principal("gone", enabled=False, appointed=True)
    assert principal(policy, "nobody", appointed=True) == Principal("nobody", enabled=False, appointed=True)
    assert principal(policy, "gateway:vpn") == Principal("gateway:vpn")


def test_who_was_disabled_since_it_was_known_who_calls_is_so_now() -> None:
    policy = load(POLICY)
    assert as_of(policy, Principal("gone", admin=True)) == Principal("gone", enabled=False)
    assert not as_of(policy, Principal("alice", admin=True)).admin
    assert as_of(policy, VPN) is VPN


def test_who_may_ask_for_whom() -> None:
    question = request().question
    assert why_not_ask(ALICE, question) is None
    assert why_not_ask(ADA, question) is None
    assert why_not_ask(VPN, question) is None
    codes = {one.name: why_not_ask(one, question) for one in (BOB, OTHER)}
    assert {name: error and error.code for name, error in codes.items()} == {
        "bob": ErrorCode.OTHER_REQUESTER,
        "gateway:other": ErrorCode.OTHER_DEVICE,
    }
    rdp = question.model_copy(update={"protocol": ConnectionProtocol.RDP})
    refusal = why_not_ask(VPN, rdp)
    assert refusal is not None
    assert refusal.code == ErrorCode.OTHER_PROTOCOL
    assert why_not_ask(replace(ALICE, enabled=False), question) is None  # the rules refuse it, which is put on record
    refusal = why_not_ask(replace(ADA, enabled=False), question)
    assert refusal is not None
    assert refusal.code == ErrorCode.DISABLED_PERSON


@pytest.mark.parametrize(
    ("who", "level", "verdict", "changes", "code"),
    [
        ("heidi", 2, Verdict.APPROVE, {}, None),
        ("alice", 2, Verdict.APPROVE, {}, ErrorCode.OWN_REQUEST),
        ("gateway:vpn", 2, Verdict.APPROVE, {}, ErrorCode.DISABLED_PERSON),
        ("heidi", 2, Verdict.APPROVE, {"status": Status.EXPIRED}, ErrorCode.ALREADY_SETTLED),
        ("bob", 2, Verdict.APPROVE, {}, ErrorCode.NOT_ASKED),
        ("heidi", 2, Verdict.APPROVE, {"channels": {"email": "link_only"}}, ErrorCode.CHANNEL_NOT_ALLOWED),
        ("heidi", 2, Verdict.APPROVE, {"channels": {}}, ErrorCode.CHANNEL_NOT_ALLOWED),
        ("heidi", 2, Verdict.APPROVE, {"confirm": "sign_in_again"}, ErrorCode.CONFIRMATION_NEEDED),
        ("heidi", 2, Verdict.REJECT, {"confirm": "sign_in_again"}, None),
        ("heidi", 2, Verdict.REJECT, {"rejection_needs_reason": True}, None),  # it has not been written yet
        ("heidi", 1, Verdict.APPROVE, {}, ErrorCode.NOT_ASKED),
        ("grace", 1, Verdict.APPROVE, {}, ErrorCode.COUNTED_ALREADY),
        ("grace", 1, Verdict.REJECT, {}, None),  # rule 2: who approved may still reject
        ("grace", 1, Verdict.REJECT, {"decisions": []}, ErrorCode.OTHER_LEVEL),
        ("grace", 1, Verdict.REJECT, {"decisions": LAPSED}, None),
        ("grace", 1, Verdict.APPROVE, {"decisions": LAPSED}, ErrorCode.OTHER_LEVEL),
    ],
)
def test_what_can_be_seen_of_an_answer_before_it_is_judged(
    who: str, level: int, verdict: Verdict, changes: dict[str, object], code: str | None
) -> None:
    refusal = why_not_answer(Principal(who), request(**changes), answer(level=level, verdict=verdict))
    assert (refusal and refusal.code) == code


@pytest.mark.parametrize(
    ("enabled", "terms", "proposed", "code"),
    [
        (True, {}, {}, None),
        (False, {}, {}, ErrorCode.DISABLED_PERSON),
        (True, {"channels": {}}, {}, ErrorCode.CHANNEL_NOT_ALLOWED),
        (True, {"channels": {}}, {"channel": "portal"}, ErrorCode.CHANNEL_NOT_ALLOWED),
        (True, {"channels": {}}, {"channel": "portal", "signed_in": True}, None),
        (True, {"confirm": "sign_in_again"}, {}, ErrorCode.CONFIRMATION_NEEDED),
        (True, {"confirm": "sign_in_again"}, {"signed_in": True}, ErrorCode.CONFIRMATION_NEEDED),
        (True, {"confirm": "sign_in_again"}, {"signed_in": True, "confirmed": True}, None),
        (True, {"confirm": "sign_in_again"}, {"verdict": Verdict.REJECT}, None),
        (True, {"rejection_needs_reason": True}, {"comment": " "}, None),
        (True, {"rejection_needs_reason": True}, {"verdict": Verdict.REJECT, "comment": " "}, ErrorCode.REASON_NEEDED),
        (True, {"rejection_needs_reason": True}, {"verdict": Verdict.REJECT, "comment": "no"}, None),
    ],
)
def test_what_an_answer_can_never_do(
    enabled: bool, terms: dict[str, object], proposed: dict[str, object], code: str | None
) -> None:
    view = request(**terms)
    who, given = Principal("heidi", enabled=enabled), answer(**{"comment": "", **proposed})
    never = why_never(who, 1042, view, given)
    assert (never and never.code) == code
    now = why_not_answer(who, view, given)
    assert (now and now.details) == (never and never.details)


@pytest.mark.parametrize(
    ("who", "visibility"),
    [
        (ALICE, Visibility(person="alice")),
        (ADA, Visibility(everything=True, person="ada")),
        (VPN, Visibility(scope=VPN.scope)),
        (Principal(f"{SERVICE}1", admin=True), Visibility()),
        (Principal("ada", enabled=False, admin=True), Visibility()),
    ],
)
def test_who_sees_what(who: Principal, visibility: Visibility) -> None:
    assert visible_to(who) == visibility


def test_people_end_their_own_sessions_and_tokens_and_admins_those_of_everybody() -> None:
    callers = (ALICE, replace(ADA, enabled=False), ADA, VPN)
    assert [one.name for one in callers if may_end(one, "alice")] == ["alice", "ada"]
    assert [may_end(one, VPN.name) for one in callers] == [False, False, True, False]


def test_a_gateway_asks_for_what_is_in_its_scope_and_people_for_everything() -> None:
    everybody = [ALICE, ADA, VPN, OTHER, Principal(f"{SERVICE}1"), Principal("gone", enabled=False)]
    assert [one for one in everybody if may_ask_for(one, "web-1", "ssh")] == [ALICE, ADA, VPN]
    assert [one for one in everybody if may_ask_for(one, "web-1", "rdp")] == [ALICE, ADA]


def test_who_asked_alone_connects_by_the_grant() -> None:
    everybody = [ALICE, ADA, VPN, replace(ALICE, enabled=False)]
    assert [one for one in everybody if not why_not_connect(one, 1042, "alice")] == [ALICE]


@pytest.mark.parametrize(
    ("sender", "token_of", "may"),
    [
        ("alice", "alice", [ALICE, ADA]),
        ("alice", "", [ALICE, ADA]),
        ("alice", "bob", [ADA]),
        (None, "alice", [ALICE, ADA]),
        (None, "", [ALICE, BOB, ADA]),
        ("", "alice", [ADA]),  # from an address that nobody has
    ],
)
def test_people_have_their_own_mails_explained(sender: str | None, token_of: str, may: list[Principal]) -> None:
    mail = Explained(report={}, has_sender=sender is not None, sender=sender or "", token_of=token_of)
    everybody = [ALICE, BOB, ADA, VPN, replace(ADA, enabled=False)]
    assert [one for one in everybody if not why_not_explain(one, mail)] == may
