"""Whatever people write, messages keep Slack's limits, and it can't mention, link, format or pretend to be ours."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countersign.fingerprints import Fingerprint
from countersign.kinds.connection import ConnectionQuestion
from countersign.kinds.device import DeviceQuestion
from countersign.models import Event, GrantStatus, Status, Verdict
from countersign.notifications import Person, RequestNotification
from countersign.permissions import Principal
from countersign.views import ApproverView, Mine, RequestView
from notifiers.slack.inbound.payloads import Named
from notifiers.slack.outbound import escaping
from notifiers.slack.outbound.blocks import live, short
from notifiers.slack.outbound.views import answer_modal, connect_modal, home_view, message_modal
from tests.samples import ALICE, GRACE, GRANT, NEW_DEVICE, NOON, QUESTION, decided, notification

from .limits import check_message, check_view
from .notifications import config

CONFIG = config()
# What our own templates write: bold labels, code, dates, mentions of people by id, and the link to the page.
OURS = re.compile(
    r"<@U1>|<!date\^\d+\^\{date_short_pretty\} at \{time\}\|[\w ,:]+ UTC>"
    r"|<https://countersign\.acme\.example/requests/\d+\|request #\d+>"
)
EFFECTIVE = re.compile(r"[<>*~`]|&(?!amp;|lt;|gt;)|:[\w'+-]+:|(?<![^\W_])_|_(?![^\W_])")
SHORT = [Event.REMINDED, Event.SETTLED, Event.GRANT_ENDED, Event.ANSWER_REFUSED, Event.HELP]
EVIL = [
    "<!channel>",
    "<!here|ok>",
    "<@U0BOSS>",
    "<#C012345|general>",
    "<https://evil.example|Approve>",
    "</b>&lt;!channel&gt;",
    "*Approved by Grace Hopper*",
    "_so_ ~not~ `this` ```\nthat\n```",
    ":white_check_mark: Approved",
    "x\n*Status*\nApproved",
    "x\r\n> quoted by us",
    "\u202edevorppA\u202c",
    "@channel @here #general https://evil.example",
    "`*`_<!date^0^{date}|never>_`*`",
]
ANYTHING = st.text(max_size=60) | st.sampled_from(EVIL)
IDS = st.from_regex(r"[a-z0-9][a-z0-9._@+-]{0,127}", fullmatch=True)


def people(most: int) -> st.SearchStrategy[list[Person]]:
    return st.lists(st.builds(Person, id=IDS, name=ANYTHING, email=ANYTHING), max_size=most)


@st.composite
def notifications(draw: st.DrawFn) -> RequestNotification:
    asked = draw(people(6))
    status = draw(st.sampled_from(Status))
    question = ConnectionQuestion(
        requester=draw(IDS),
        device=draw(IDS),
        protocol="ssh",
        reason=draw(ANYTHING),
        ticket=draw(ANYTHING),
        source_address=draw(st.ip_addresses().map(str)),
    )
    answers = st.sampled_from([one.id for one in asked] or ["grace"])
    decisions = draw(
        st.lists(st.builds(decided, answers, st.sampled_from(Verdict), ANYTHING, st.integers(1, 2)), max_size=9)
    )
    to = draw(st.sampled_from([*asked, GRACE, ALICE]))
    return notification(
        draw(st.sampled_from(Event)),
        to,
        use=draw(st.sampled_from(["decide", "link_only"])),
        question=question,
        requester=draw(st.sampled_from([ALICE, Person(id="alice", name=draw(ANYTHING), email="")])),
        grant_lasts=draw(st.timedeltas(timedelta(seconds=1), timedelta(days=366))),
        deadline=NOON + draw(st.timedeltas(timedelta(0), timedelta(days=4000))),
        status=status,
        message=draw(ANYTHING),
        level=draw(st.integers(1, 2)),
        at_level=draw(st.integers(1, 3)),
        levels=draw(st.integers(1, 3)),
        quorum=draw(st.integers(1, 3)),
        asked=asked,
        decisions=decisions,
        names={one.id: one.name for one in asked},
        grant=draw(st.sampled_from([None, *(GRANT.model_copy(update={"status": one}) for one in GrantStatus)])),
        room=draw(st.sampled_from(["", "C0123"])),
        live_message=draw(st.sampled_from(["", "D1/1.2"])),
    )


def marked_up(blocks: object) -> list[str]:
    """The texts in which Slack reads markup, without what our own templates mark up."""
    if isinstance(blocks, dict):
        own = [OURS.sub("", re.sub(r"`[^`\n]*`", "", blocks["text"]))] if blocks.get("type") == "mrkdwn" else []
        return own + [text for value in blocks.values() for text in marked_up(value)]
    return [text for one in blocks for text in marked_up(one)] if isinstance(blocks, list) else []


@settings(max_examples=100, deadline=None)
@given(notifications(), st.sampled_from(SHORT))
def test_whatever_the_notification_it_keeps_the_limits_and_nothing_in_it_has_an_effect(
    told: RequestNotification, event: Event
) -> None:
    slack_ids = dict.fromkeys((one.id for one in told.asked), "U1")
    for content in (live(told, CONFIG, slack_ids), short(told.model_copy(update={"event": event}), CONFIG)):
        check_message(*content)
        for text in [*marked_up(content.blocks), OURS.sub("", content.text)]:
            assert "<" not in text
            assert ">" not in text


@settings(max_examples=500, deadline=None)
@given(ANYTHING | st.text("*_~`<>&:ab1 \n\u202e", max_size=40), st.integers(1, 60))
def test_a_value_in_a_sentence_formats_nothing_and_keeps_to_its_line_and_length(value: str, longest: int) -> None:
    said = escaping.marked_up(value, longest)
    assert escaping.length(said) <= longest
    assert len(said.splitlines()) <= 1
    assert not EFFECTIVE.search(said)
    code = escaping.code(value, longest)
    assert escaping.length(code) <= longest + 2
    assert not code or re.fullmatch(r"`[^`<>\n]+`", code)


@pytest.mark.parametrize("evil", EVIL)
def test_what_people_write_at_length_stands_in_plain_text_each_line_marked(evil: str) -> None:
    told = notification(
        status=Status.APPROVED,
        question=QUESTION.model_copy(update={"reason": evil}),
        decisions=[decided("grace", comment=evil)],
    )
    blocks = live(told, CONFIG).blocks
    marked = "\n".join(f"› {line}" for line in escaping.several_lines(evil, 1000).splitlines())
    bare = [block["text"] for block in blocks if block["type"] == "section" and "text" in block]
    assert [text["text"] for text in bare if text["type"] == "plain_text"] == [marked, marked]
    assert not any(text["emoji"] for text in bare if text["type"] == "plain_text")
    assert not any(escaping.several_lines(evil, 1000) in text for text in marked_up(blocks))


def device(said: str) -> DeviceQuestion:
    """A device whose values have all changed, and all differ from each other."""
    texts = Fingerprint.model_fields.keys() - {"posture"}
    before, after = ({name: f"{said}{n}"[-128:] for n, name in enumerate(texts, start)} for start in (0, 10))
    update = {"before": Fingerprint.model_validate(before), "fingerprint": Fingerprint.model_validate(after)}
    return NEW_DEVICE.model_copy(update=update)


@settings(max_examples=40, deadline=None)
@given(ANYTHING | st.just("🦊" * 128) | st.just("&" * 128))
def test_tables_of_details_keep_the_limits_and_nothing_in_them_has_an_effect(said: str) -> None:
    content = live(notification(question=device(said)), CONFIG)
    check_message(*content)
    for text in marked_up(content.blocks):
        assert "<" not in text
        assert ">" not in text


def test_the_longest_of_everything_is_shortened() -> None:
    crowd = [Person(id=f"p{number}", name="🦊&" * 40, email="") for number in range(300)]
    question = ConnectionQuestion(
        requester="a" * 128, device="d" * 128, protocol="sftp", reason="🦊" * 1000, ticket="&" * 128
    )
    decisions = [decided(one.id, comment="🦊" * 4000) for one in crowd[:200]]
    names = {one.id: one.name for one in crowd}
    everything: dict[str, Any] = {
        "question": question,
        "requester": crowd[0],
        "asked": crowd,
        "decisions": decisions,
        "names": names,
        "message": "<" * 4000,
        "grant_lasts": timedelta(days=366, seconds=-1),
        "levels": 9,
        "quorum": 300,
    }
    for status in Status:
        for room in ("", "C0123"):
            told = notification(status=status, room=room, **everything)
            check_message(*live(told, CONFIG))
            check_message(*live(told.model_copy(update={"to": crowd[0]}), CONFIG, {one.id: "U" * 12 for one in crowd}))
            check_message(*short(told.model_copy(update={"event": Event.HELP}), CONFIG))
    sentence = live(notification(room="C0123", **everything), CONFIG, {one.id: "U0123456789" for one in crowd}).text
    assert "and 250 others" in sentence
    assert sentence.count("<@U0123456789>") == 50


@settings(max_examples=40, deadline=None)
@given(
    device_id=IDS,
    said=ANYTHING | st.just("🦊" * 4000) | st.just("&" * 4000),
    status=st.sampled_from(Status),
    count=st.sampled_from([0, 1, 12]),
    of_device=st.booleans(),
)
def test_forms_and_home_keep_the_limits(device_id: str, said: str, status: Status, count: int, of_device: bool) -> None:
    asked = device(said) if of_device else QUESTION.model_copy(update={"device": device_id})
    question = asked.model_copy(update={"reason": said[:1000], "ticket": said[:128]})
    view = RequestView(
        approval_id=2**31 - 1,
        question=question,
        requester_name=said,
        because=said,
        status=status,
        message=said,
        level=1,
        levels=2,
        quorum=1,
        opened_at=NOON,
        deadline=NOON,
        settled_at=NOON,
        grant_minutes=60 * 24 * 366 - 1,
        approvers=[ApproverView(level=1, person=f"p{n}", name=said, because="") for n in range(count)],
        grant=GRANT,
    )
    home = home_view(Mine(waiting=[view] * count, asked=[view] * count, active=[view] * count), Principal("p0"))
    modals = [
        answer_modal(Named(2**31 - 1, 999, "f" * 12), verdict, request)
        for verdict in Verdict
        for request in (None, view)
    ]
    for one in (home, *modals, connect_modal(), message_modal(said or "x")):
        check_view(one)
        assert not any("<!" in text or "<@" in text or "<#" in text for text in marked_up(one))
