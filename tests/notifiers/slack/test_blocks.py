"""What a message says, to whom, and which buttons it carries."""

from __future__ import annotations

from typing import Any

import pytest

from countersign.models import Event, GrantStatus, Status, Verdict
from countersign.notifications import RequestNotification
from notifiers.slack.inbound.payload_parts import short_run
from notifiers.slack.inbound.payloads import named
from notifiers.slack.outbound.blocks import general, live, short
from tests.samples import (
    ALICE,
    CHANGED_DEVICE,
    GRACE,
    GRANT,
    HEIDI,
    NEW_DEVICE,
    QUESTION,
    decided,
    in_room,
    notification,
)

from .limits import check_message
from .notifications import actions, config, texts
from .notifications import general as a_general_notification

CONFIG = config()
REVOKED = GRANT.model_copy(update={"status": GrantStatus.REVOKED})
ENDED = GRANT.model_copy(update={"status": GrantStatus.ENDED})
DEADLINE = "<!date^1715702400^{date_short_pretty} at {time}|Tue 14 May 2024, 16:00 UTC>"


def said(told: RequestNotification, **slack_ids: str) -> list[str]:
    content = live(told, CONFIG, slack_ids)
    check_message(*content)
    return list(texts(content.blocks))


def buttons(told: RequestNotification) -> list[str]:
    return actions(live(told, CONFIG).blocks)


def opened(**changes: Any) -> RequestNotification:
    return notification(Event.OPENED, ALICE, **changes)


# --- the prompt -----------------------------------------------------------------------------------------------------


def test_who_else_is_asked_and_was_not_told_yet_is_said() -> None:
    assert "*Also asked*\nHeidi Lamarr and Ivan Petrov (not told yet)" in said(notification(untold=["ivan", "grace"]))
    in_room = said(notification(untold=["ivan"], room="C1"), heidi="UHEIDI", ivan="UIVAN")
    assert any("<@UHEIDI>" in one and "<@UIVAN> (not told yet)" in one for one in in_room)


def test_of_a_renewal_it_is_said_after_what_it_goes_on() -> None:
    told = notification(Event.ASKED, GRACE, goes_on_after=notification(Event.ASKED, GRACE).deadline)
    assert any(f", to go on after {DEADLINE}." in line for line in said(told))


def test_an_approver_reads_who_what_and_why_and_answers_below() -> None:
    text, blocks = live(notification(), CONFIG)
    assert text == "#1042 · *Alice Nguyen* asks to connect to `db-1` by SSH for 1 hour."
    assert [block["type"] for block in blocks] == [
        *("header", "section", "section", "section", "section", "actions", "context", "context")
    ]
    assert list(texts(blocks[:5])) == [
        "Approval needed · #1042",
        "*Alice Nguyen* asks to connect to `db-1` by SSH for 1 hour.",
        "*Who*\nAlice Nguyen (`alice`)",
        "*From*\n`203.0.113.7`",
        "*Ticket*\n`INC-4711`",
        f"*Answer by*\n{DEADLINE}",
        "*Also asked*\nHeidi Lamarr and Ivan Petrov",
        "*Why*",
        "› Replication lags.\n› I must restart it.",
    ]
    assert list(texts(blocks[6:])) == [
        "One approval is enough; one rejection ends the request.",
        "Acme Gateways · <https://countersign.acme.example/requests/1042|request #1042>",
    ]


def test_of_a_table_of_details_only_what_has_changed_is_shown_else_all_of_it() -> None:
    changed = said(notification(question=CHANGED_DEVICE))
    assert "*Alice Nguyen* asks to connect with the device `carbon`, which has changed." in changed
    assert changed[changed.index("*Why*") - 1] == (
        "*Kernel*: 6.1.0-21-amd64 (was: 6.1.0-18-amd64)\n*Disk encrypted*: no (was: yes)\n"
        "*Automatic updates*: not known (was: no)\n14 more have not changed."
    )
    new = said(notification(question=NEW_DEVICE))
    assert "*Alice Nguyen* asks to connect with the new device `carbon`." in new
    table = new[new.index("*Why*") - 1].splitlines()
    assert table[0] == "*Name*: carbon"
    assert table[-4:-1] == [
        "*Disk encrypted, Firewall*: yes",
        "*Biometrics, TPM, Antivirus*: not known",
        "*Automatic updates*: no",
    ]
    assert len(table) == 14
    settled = said(notification(Event.SETTLED, status=Status.APPROVED, question=NEW_DEVICE))
    assert not any("*Kernel*" in one for one in settled)


def test_the_buttons_name_request_and_level_and_approve_asks_once_more() -> None:
    told = notification(level=2, at_level=2, levels=2, quorum=2)
    [row] = [block for block in live(told, CONFIG).blocks if block["type"] == "actions"]
    by_id = {button["action_id"]: button for button in row["elements"]}
    assert list(by_id) == ["approve", "approve_with_comment", "reject", "open"]
    assert [by_id[name]["value"] for name in ("approve", "approve_with_comment", "reject")] == ["1042:2"] * 3
    assert by_id["open"]["url"] == "https://countersign.acme.example/requests/1042"
    sure = by_id["approve"]["confirm"]
    assert sure["title"]["text"] == "Approve #1042?"
    assert sure["text"]["text"] == (
        "*Alice Nguyen* will be allowed to connect to `db-1` by SSH for 1 hour. It takes 2 approvals."
    )
    assert "confirm" not in by_id["reject"]


def test_the_buttons_name_the_run_of_a_request_too_where_it_has_one() -> None:
    told = notification(token_run="1b3c7f0e-8a5d-4c53-9d0e-2f6a7b8c9d0e")
    [row] = [block for block in live(told, CONFIG).blocks if block["type"] == "actions"]
    [value] = {button["value"] for button in row["elements"] if "value" in button}
    assert named(value) == (1042, 1, short_run(told.token_run))


def test_what_is_not_known_is_not_shown() -> None:
    bare = QUESTION.model_copy(update={"reason": "", "ticket": "", "source_address": ""})
    content = live(notification(question=bare, asked=[GRACE]), config(public_url=""))
    check_message(*content)
    shown = list(texts(content.blocks))
    assert "*Why*\nNo reason was given." in shown
    assert shown[-1] == "Acme Gateways · request #1042"
    assert not any(name in text for text in shown for name in ("*From*", "*Ticket*", "*Also asked*", "*Level*"))
    assert actions(content.blocks) == ["approve", "approve_with_comment", "reject"]


def test_an_outcome_of_which_nothing_else_is_known_has_no_empty_fact() -> None:
    bare = QUESTION.model_copy(update={"reason": "", "ticket": "", "source_address": ""})
    for event, to in ((Event.OPENED, ALICE), (Event.SETTLED, ALICE), (Event.SETTLED, GRACE)):
        status = Status.WAITING if event is Event.OPENED else Status.REJECTED
        check_message(
            *live(notification(event, to, question=bare, asked=[GRACE], status=status), config(public_url=""))
        )


def test_a_level_and_a_quorum_are_said() -> None:
    shown = said(notification(level=2, at_level=2, levels=3, quorum=2))
    assert "*Level*\n2 of 3" in shown
    assert "2 of the 3 people asked must approve; one rejection ends the request." in shown


@pytest.mark.parametrize(
    ("url", "expected", "message"),
    [
        ("https://countersign.acme.example", ["open"], "You can't decide this here: open the page and sign in."),
        ("", [], "You can't decide this here: sign in to Acme Gateways."),
    ],
)
def test_where_slack_may_only_link_nothing_can_be_decided(url: str, expected: list[str], message: str) -> None:
    blocks = live(notification(use="link_only"), config(public_url=url)).blocks
    assert actions(blocks) == expected
    assert message in texts(blocks)


@pytest.mark.parametrize(("url", "expected"), [("https://x.example", ["open", "reject"]), ("", ["reject"])])
def test_where_an_approval_needs_a_fresh_sign_in_slack_links_to_the_page_and_takes_a_rejection(
    url: str, expected: list[str]
) -> None:
    blocks = live(notification(confirm="sign_in_again"), config(public_url=url)).blocks
    assert actions(blocks) == expected
    assert "To approve, open the page and sign in again; a rejection counts here, too." in texts(blocks)


def test_who_approved_sees_so_and_may_take_it_back() -> None:
    told = notification(decisions=[decided("grace", comment="Fine with me.")], quorum=2)
    shown = said(told)
    assert shown[0] == "You approved · #1042"
    assert "› Fine with me." in shown
    assert any(text.startswith("*Grace Hopper* approved by email, <!date^1715688540^") for text in shown)
    assert buttons(told) == ["reject", "open"]
    assert buttons(notification(to=HEIDI, decisions=told.decisions))[0] == "approve"


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [([], ["open"]), ([decided("heidi")], ["open"]), ([decided("grace")], ["reject", "open"])],
)
def test_a_level_that_has_passed_asks_for_nothing_more(decisions: list[Any], expected: list[str]) -> None:
    told = notification(level=1, at_level=2, levels=2, decisions=decisions)
    assert "the request now waits at level 2 of 2" in said(told)[1]
    assert buttons(told) == expected


def test_a_room_is_asked_by_mentions_and_who_is_not_in_slack_by_name() -> None:
    told = in_room("C0123")
    shown = said(told, grace="U1", heidi="U2")
    assert shown[1].splitlines()[1] == "Asked: <@U1>, <@U2> and Ivan Petrov."
    assert "*Also asked*" not in "".join(shown)
    assert buttons(told) == ["approve", "approve_with_comment", "reject", "open"]
    answered = in_room("C0123", decisions=[decided("grace")], quorum=2)
    assert buttons(answered)[0] == "approve"
    assert buttons(in_room("C0123", decisions=[decided("grace")], at_level=2, levels=2)) == ["reject", "open"]
    assert buttons(in_room("C0123", at_level=2, levels=2)) == ["open"]


LEVEL_1 = decided("grace", comment="only until Friday")
LAPSED = decided("ivan", level=2).model_copy(update={"lapsed": True})


@pytest.mark.parametrize("event", [Event.ASKED, Event.REMINDED, Event.HELP])
@pytest.mark.parametrize(
    ("decisions", "line"),
    [
        ([LEVEL_1, LAPSED], "Level 2 of 2. 3 approvals are needed."),
        ([LEVEL_1, decided("ivan", level=2)], "Level 2 of 2. Ivan Petrov has approved; 2 more are needed."),
        (
            [LEVEL_1, decided("ivan", level=2), decided("grace", level=2)],
            "Level 2 of 2. Ivan Petrov and Grace Hopper have approved; 1 more is needed.",
        ),
    ],
)
def test_level_2_reads_why_who_approved_level_1_and_how_many_are_still_needed(
    event: Event, decisions: list[Any], line: str
) -> None:
    told = notification(event, HEIDI, level=2, at_level=2, levels=2, quorum=3, decisions=decisions)
    content = live(told, CONFIG) if event is Event.ASKED else short(told, CONFIG)
    check_message(*content)
    shown = list(texts(content.blocks))
    assert "› Replication lags.\n› I must restart it." in shown
    [sentence] = [text for text in shown if line in text]
    assert sentence == next(text for text in shown if " by SSH" in text or "could not be read" in text)
    at = next(n for n, text in enumerate(shown) if text.startswith("*Grace Hopper* approved at level 1 by email, "))
    assert shown[at + 1] == "› only until Friday"


def test_with_one_level_who_approved_is_said_alone() -> None:
    assert said(notification(to=HEIDI, quorum=2, decisions=[LEVEL_1]))[1].endswith(
        "\nGrace Hopper has approved; 1 more is needed."
    )


# --- the requester's status -----------------------------------------------------------------------------------------


def test_the_requester_sees_whom_it_waits_for_and_may_cancel() -> None:
    told = opened()
    shown = said(told)
    assert shown[:2] == [
        "Waiting · #1042",
        "You asked to connect to `db-1` by SSH for 1 hour.\nWaiting for Grace Hopper, Heidi Lamarr and Ivan Petrov.",
    ]
    assert f"*Answer by*\n{DEADLINE}" in shown
    assert "Cancel request #1042?" in shown
    assert buttons(told) == ["cancel"]


def test_the_status_follows_the_request_through_its_levels() -> None:
    shown = said(opened(levels=2, at_level=2, decisions=[decided("grace", comment="Go on.")]))
    assert shown[1].endswith("Waiting for the approvers of level 2.")
    assert "*Level*\n2 of 2" in shown
    assert "› Go on." in shown


# --- after the outcome ----------------------------------------------------------------------------------------------

OUTCOMES = [
    (
        {"status": Status.APPROVED, "decisions": [decided("grace"), decided("heidi")], "grant": GRANT},
        "✅ Approved · #1042",
        "Approved by Grace Hopper and Heidi Lamarr: {who} may connect to `db-1` by SSH until <!date^1715691600^"
        "{{date_short_pretty}} at {{time}}|Tue 14 May 2024, 13:00 UTC>.",
    ),
    (
        {"status": Status.REJECTED, "decisions": [decided("grace"), decided("heidi", Verdict.REJECT)]},
        "⛔ Rejected · #1042",
        "Rejected by Heidi Lamarr: {who} may not connect to `db-1` by SSH.",
    ),
    (
        {"status": Status.EXPIRED, "message": "Nobody answered in time."},
        "⌛ Expired · #1042",
        "Expired without enough answers: {who} may not connect to `db-1` by SSH.",
    ),
    (
        {"status": Status.CANCELLED, "message": "Cancelled by alice."},
        "✖ Cancelled · #1042",
        "Cancelled: {who} may not connect to `db-1` by SSH.",
    ),
    (
        {"status": Status.APPROVED, "grant": REVOKED},
        "⛔ Revoked · #1042",
        "Revoked: {who} may no longer connect to `db-1` by SSH.",
    ),
    (
        {"status": Status.APPROVED, "grant": ENDED},
        "⌛ Ended · #1042",
        "Ended: {who} may no longer connect to `db-1` by SSH.",
    ),
]


@pytest.mark.parametrize(("changes", "header", "sentence"), OUTCOMES, ids=[header for _, header, _ in OUTCOMES])
def test_after_the_outcome_every_copy_says_it_and_only_a_grant_can_be_given_back(
    changes: dict[str, Any], header: str, sentence: str
) -> None:
    for told, who in (
        (notification(**changes), "Alice Nguyen"),
        (opened(**changes), "you"),
        (in_room("C1", **changes), "Alice Nguyen"),
    ):
        shown = said(told)
        assert shown[0] == header
        assert shown[1].startswith(sentence.format(who=who))
        holds = who == "you" and changes.get("grant") == GRANT
        assert buttons(told) == (["give_back"] if holds else [])
        assert not any("Answer by" in text for text in shown)
        if message := changes.get("message"):
            assert f"› {message}" in shown


def test_who_decided_stands_with_their_comment_and_only_the_last_ones_of_many() -> None:
    many = [decided(f"p{number}", comment=f"comment {number}") for number in range(200)]
    shown = said(notification(status=Status.APPROVED, decisions=many))
    assert "… and 194 earlier answers." in shown
    assert [text for text in shown if text.startswith("› ")][1:] == [
        f"› comment {number}" for number in range(194, 200)
    ]
    assert "and 194 others" in shown[1]


# --- short messages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (
            notification(Event.REMINDED),
            "Still waiting for you: Alice Nguyen asks to connect to `db-1` by SSH. Answer by",
        ),
        (in_room("C1", Event.REMINDED), "Still waiting: Alice Nguyen asks"),
        (notification(Event.REMINDED, ALICE), "Your request #1042 to connect to `db-1` by SSH still waits, until"),
        (notification(Event.ANSWER_REFUSED), "Your answer to #1042 did not count. The request still waits, until"),
        (
            notification(Event.HELP, status=Status.REJECTED, decisions=[decided("ivan", Verdict.REJECT)]),
            "What you sent about #1042 could not be read as an answer, so it decided nothing. "
            "The request is rejected by Ivan Petrov; no answer is needed any more.",
        ),
        (
            notification(Event.SETTLED, ALICE, status=Status.EXPIRED),
            "Expired without enough answers: you may not connect",
        ),
        (
            notification(Event.GRANT_ENDED, ALICE, status=Status.APPROVED, grant=REVOKED),
            "Revoked: you may no longer connect to `db-1` by SSH. If you need it again, ask again.",
        ),
    ],
    ids=lambda told: told.event if isinstance(told, RequestNotification) else None,
)
def test_a_short_message_says_one_thing(told: RequestNotification, sentence: str) -> None:
    text, blocks = short(told, CONFIG)
    check_message(text, blocks)
    assert next(texts(blocks)).startswith(sentence)
    assert text.startswith(f"#1042 · {sentence}")
    assert actions(blocks) == []


def test_a_short_message_carries_the_words_and_names_the_request_where_it_stands_alone() -> None:
    alone = short(notification(Event.ANSWER_REFUSED, message="It was for level 1."), CONFIG)
    below = short(notification(Event.ANSWER_REFUSED, message="It was for level 1.", live_message="D1/1.2"), CONFIG)
    assert list(texts(alone.blocks))[1:] == [
        "*What happened*",
        "› It was for level 1.",
        "Acme Gateways · <https://countersign.acme.example/requests/1042|request #1042>",
    ]
    assert list(texts(below.blocks)) == list(texts(alone.blocks))[:-1]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("service token", "`countersign service-token refresh x1`"),
        ("certificate authority", "on the page Certificates"),
    ],
)
def test_a_message_about_what_expires_says_what_to_do(kind: str, says: str) -> None:
    fields = {"kind": kind, "id": "x1", "name": "<!channel> CI", "ends_at": "Fri 4 Dec 2026, 12:00 UTC"}
    text, blocks = general(a_general_notification(event="expiring", fields=fields), CONFIG)
    check_message(text, blocks)
    assert text.startswith(f"*The {kind} &lt;!channel&gt; CI expires Fri 4 Dec 2026, 12:00 UTC.* From then on ")
    assert says in text


def test_a_message_about_no_request_names_none_and_has_nothing_to_press() -> None:
    text, blocks = general(a_general_notification("<!channel> `x` *bold*"), CONFIG)
    check_message(text, blocks)
    assert text.startswith("*Replies have not been read since noon.* Answers wait in `&lt;!channel")
    assert list(texts(blocks)) == [text, "Acme Gateways"]
    assert actions(blocks) == []
    assert "#" not in text
