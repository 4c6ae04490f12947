"""What is posted, where and how often; what changes; and how each failure is reported."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from countersign.errors import Unavailable, Unreachable
from countersign.models import Event, GrantStatus, Status
from countersign.notifications import RequestNotification
from notifiers.slack.outbound.send import SlackSender
from sandbox.slack import people
from tests.local_slack import faults
from tests.local_slack.faults import Fault
from tests.local_slack.server import FaultySlack
from tests.samples import ALICE, GRACE, GRANT, HEIDI, decided, in_room, notification, person

from .notifications import actions, general, whole
from .workspace import CLOSED, NOT_MEMBERS, PRIVATE, ROOM, address, config_for, fresh, user_id, workspace

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[FaultySlack]:
    async with workspace() as slack:
        yield slack


@pytest_asyncio.fixture(loop_scope="module")
async def slack(shared: FaultySlack) -> FaultySlack:
    return await fresh(shared)


@pytest_asyncio.fixture(loop_scope="module")
async def notifier(slack: FaultySlack) -> AsyncIterator[SlackSender]:
    notifier = SlackSender(config_for(slack))
    yield notifier
    await notifier.close()


def settled(**changes: Any) -> RequestNotification:
    usual: dict[str, Any] = {"status": Status.APPROVED, "decisions": [decided("grace")], "grant": GRANT}
    return notification(**(usual | changes))


async def seen(slack: FaultySlack, where: str) -> list[dict[str, Any]]:
    """The messages that a person sees in the conversation with us, or those in a room."""
    channel = where if where.startswith("C") else await people.dm_of(slack, user_id(where))
    return await people.messages(slack, channel)


# --- posting --------------------------------------------------------------------------------------------------------


async def test_an_approver_gets_the_prompt_as_a_direct_message(slack: FaultySlack, notifier: SlackSender) -> None:
    reference = await notifier.send(notification())
    [message] = await seen(slack, "grace")
    assert reference == f"{await people.dm_of(slack, user_id('grace'))}/{message['ts']}"
    assert message["text"] == "#1042 · *Alice Nguyen* asks to connect to `db-1` by SSH for 1 hour."
    assert actions(message["blocks"]) == ["approve", "approve_with_comment", "reject", "open"]
    assert message["metadata"] == {
        "event_type": "countersign_notice",
        "event_payload": {"id": notification().id, "run": ""},
    }
    [posted] = slack.calls_of("chat.postMessage")
    assert {name: posted[name] for name in ("parse", "link_names", "unfurl_links", "unfurl_media")} == {
        **{"parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False}
    }


async def test_the_requester_gets_a_status_that_can_be_cancelled(slack: FaultySlack, notifier: SlackSender) -> None:
    assert await notifier.send(notification(Event.OPENED, ALICE))
    [message] = await seen(slack, "alice")
    assert actions(message["blocks"]) == ["cancel"]


async def test_a_room_is_asked_once_and_mentions_whom_slack_knows(slack: FaultySlack, notifier: SlackSender) -> None:
    unknown = person("nobody", "Nobody Known")
    reference = await notifier.send(in_room(ROOM, asked=[GRACE, unknown, HEIDI]))
    [message] = await seen(slack, ROOM)
    assert reference == f"{ROOM}/{message['ts']}"
    assert "Asked: <@UGRACE>, Nobody Known and <@UHEIDI>." in message["text"]


async def test_a_reminder_stands_below_the_prompt(slack: FaultySlack, notifier: SlackSender) -> None:
    reference = await notifier.send(notification())
    assert await notifier.send(notification(Event.REMINDED, live_message=reference)) == reference
    prompt, reminder = await seen(slack, "grace")
    assert reminder["thread_ts"] == prompt["ts"]
    assert "Still waiting for you" in reminder["text"]


async def test_a_reminder_without_a_prompt_is_one(slack: FaultySlack, notifier: SlackSender) -> None:
    reference = await notifier.send(notification(Event.REMINDED))
    [message] = await seen(slack, "grace")
    assert reference.endswith(message["ts"])
    assert actions(message["blocks"])[0] == "approve"


@pytest.mark.parametrize("event", [Event.SETTLED, Event.GRANT_ENDED])
async def test_an_outcome_is_told_below_the_requesters_status(
    slack: FaultySlack, notifier: SlackSender, event: Event
) -> None:
    reference = await notifier.send(notification(Event.OPENED, ALICE))
    assert await notifier.send(settled(event=event, to=ALICE, live_message=reference)) == reference
    status, outcome = await seen(slack, "alice")
    assert outcome["thread_ts"] == status["ts"]
    assert "you may connect" in outcome["text"]
    # If the requester has no status message, the outcome becomes it, and is changed from then on.
    other = await notifier.send(settled(event=event, to=ALICE, id="another"))
    assert other.endswith((await seen(slack, "alice"))[-1]["ts"])


@pytest.mark.parametrize("event", [Event.SETTLED, Event.GRANT_ENDED])
async def test_an_approver_who_holds_a_prompt_is_told_by_it_and_others_in_a_word(
    slack: FaultySlack, notifier: SlackSender, event: Event
) -> None:
    reference = await notifier.send(notification())
    assert await notifier.send(settled(event=event, live_message=reference)) == reference
    assert len(await seen(slack, "grace")) == 1
    assert await notifier.send(settled(event=event, to=HEIDI)) == ""
    [message] = await seen(slack, "heidi")
    assert actions(message["blocks"]) == []


@pytest.mark.parametrize("event", [Event.ANSWER_REFUSED, Event.HELP])
async def test_who_is_refused_reads_why(slack: FaultySlack, notifier: SlackSender, event: Event) -> None:
    assert await notifier.send(notification(event, message="It was for level 1.")) == ""
    reference = await notifier.send(notification())
    assert (
        await notifier.send(notification(event, message="It was for level 1.", live_message=reference, id="another"))
        == reference
    )
    alone, prompt, below = await seen(slack, "grace")
    assert "It was for level 1." in whole(alone["blocks"])
    assert "thread_ts" not in alone
    assert below["thread_ts"] == prompt["ts"]


async def test_what_stood_above_was_deleted_so_the_words_stand_alone(slack: FaultySlack, notifier: SlackSender) -> None:
    reference = await notifier.send(notification())
    slack.fail("chat.postMessage", faults.fails("thread_not_found"))
    assert await notifier.send(notification(Event.HELP, live_message=reference)) == reference
    _, alone = await seen(slack, "grace")
    assert "thread_ts" not in alone


# --- never twice ----------------------------------------------------------------------------------------------------

TOLD = [
    pytest.param(notification(), "grace", id="prompt"),
    pytest.param(notification(Event.OPENED, ALICE), "alice", id="status"),
    pytest.param(in_room(ROOM), ROOM, id="room"),
    pytest.param(notification(Event.HELP), "grace", id="words"),
]


@pytest.mark.parametrize("lost", [faults.cut().afterwards(), faults.server_error().afterwards()], ids=["cut", "503"])
@pytest.mark.parametrize(("told", "where"), TOLD)
async def test_a_message_whose_answer_was_lost_is_found_and_not_posted_again(
    slack: FaultySlack, notifier: SlackSender, lost: Fault, told: RequestNotification, where: str
) -> None:
    slack.fail("chat.postMessage", lost)
    with pytest.raises(Unavailable):
        await notifier.send(told)
    reference = await notifier.send(told.model_copy(update={"again": True}))
    [message] = await seen(slack, where)
    assert reference in ("", f"{message['channel']}/{message['ts']}")
    assert len(slack.calls_of("chat.postMessage")) == 1


async def test_a_reply_whose_answer_was_lost_is_found_in_its_thread(slack: FaultySlack, notifier: SlackSender) -> None:
    reference = await notifier.send(notification())
    slack.fail("chat.postMessage", faults.cut().afterwards())
    reminder = notification(Event.REMINDED, live_message=reference)
    with pytest.raises(Unavailable):
        await notifier.send(reminder)
    assert await notifier.send(reminder.model_copy(update={"again": True})) == reference
    assert len(await seen(slack, "grace")) == 2


async def test_what_never_got_through_is_posted_though_there_is_much_to_look_through(
    slack: FaultySlack, notifier: SlackSender
) -> None:
    for number in range(210):
        await people.say(slack, ROOM, f"message {number}", user_id("grace"))
    slack.fail("chat.postMessage", faults.cut())
    with pytest.raises(Unavailable):
        await notifier.send(in_room(ROOM))
    assert await notifier.send(in_room(ROOM, again=True))
    assert len([one for one in await seen(slack, ROOM) if one["metadata"]]) == 1
    assert len(slack.calls_of("conversations.history")) == 2


async def test_the_message_of_an_earlier_request_of_the_same_number_is_not_taken_for_ours(
    slack: FaultySlack, notifier: SlackSender
) -> None:
    earlier = await notifier.send(in_room(ROOM, token_run="the run of an earlier request"))
    ours = in_room(ROOM, token_run="the run of this request", again=True)
    reference = await notifier.send(ours)
    assert reference != earlier
    assert await notifier.send(ours) == reference


async def test_another_apps_message_is_not_taken_for_ours(slack: FaultySlack, notifier: SlackSender) -> None:
    await people.say(slack, ROOM, "I am the prompt", user_id("grace"))
    [forged] = await seen(slack, ROOM)
    mark = {"event_type": "countersign_notice", "event_payload": {"id": in_room(ROOM).id}}
    slack.state.metadata[ROOM, forged["ts"]] = mark
    reference = await notifier.send(in_room(ROOM, again=True))
    assert reference != f"{ROOM}/{forged['ts']}"
    assert len(await seen(slack, ROOM)) == 2


# --- changing -------------------------------------------------------------------------------------------------------


async def test_a_message_shows_the_request_as_it_stands_whatever_came_before(
    slack: FaultySlack, notifier: SlackSender
) -> None:
    reference = await notifier.send(notification())
    approved = settled()
    assert await notifier.change(reference, approved)
    assert await notifier.change(reference, approved)
    [message] = await seen(slack, "grace")
    assert actions(message["blocks"]) == []
    assert message["text"].startswith("#1042 · Approved by Grace Hopper")
    revoked = settled(grant=GRANT.model_copy(update={"status": GrantStatus.REVOKED}))
    assert await notifier.change(reference, revoked)
    [message] = await seen(slack, "grace")
    assert "may no longer connect" in message["text"]


@pytest.mark.parametrize(
    "error",
    [
        *("message_not_found", "cant_update_message", "edit_window_closed"),
        *("is_archived", "channel_not_found", "not_in_channel"),
    ],
)
async def test_a_message_that_is_gone_is_let_go(slack: FaultySlack, notifier: SlackSender, error: str) -> None:
    reference = await notifier.send(notification())
    slack.fail("chat.update", faults.fails(error))
    assert await notifier.change(reference, settled()) is False


async def test_a_deleted_message_and_an_archived_room_are_let_go(slack: FaultySlack, notifier: SlackSender) -> None:
    assert await notifier.change(f"{ROOM}/1700000000.000001", in_room(ROOM)) is False
    reference = await notifier.send(in_room(ROOM))
    slack.state.archived.add(ROOM)
    assert await notifier.change(reference, in_room(ROOM)) is False


@pytest.mark.parametrize(
    "fault", [faults.rate_limited(30), faults.server_error(), faults.cut(), faults.fails("internal_error")], ids=str
)
async def test_a_change_that_fails_is_for_another_time(slack: FaultySlack, notifier: SlackSender, fault: Fault) -> None:
    reference = await notifier.send(notification())
    slack.fail("chat.update", fault)
    with pytest.raises(Unavailable):
        await notifier.change(reference, settled())


# --- whom and what can't be reached ---------------------------------------------------------------------------------


@pytest.mark.parametrize("user", list(NOT_MEMBERS))
async def test_who_is_no_member_is_not_written_to(slack: FaultySlack, notifier: SlackSender, user: str) -> None:
    to = GRACE.model_copy(update={"email": address(user)})
    with pytest.raises(Unreachable, match=f"{address(user)} {NOT_MEMBERS[user][1]}"):
        await notifier.send(notification(to=to))
    assert not slack.calls_of("chat.postMessage")


@pytest.mark.parametrize(
    ("email", "message"),
    [
        ("nobody@acme.example", "nobody@acme.example: nobody in this workspace has that address"),
        (address("ULEFT"), "nobody in this workspace has that address"),
        ("", "no mail address"),
    ],
)
async def test_who_is_not_in_slack_is_unreachable(
    slack: FaultySlack, notifier: SlackSender, email: str, message: str
) -> None:
    with pytest.raises(Unreachable, match=message):
        await notifier.send(notification(to=GRACE.model_copy(update={"email": email})))


async def test_who_leaves_is_looked_up_anew(slack: FaultySlack, notifier: SlackSender) -> None:
    await notifier.send(notification())
    slack.state.people[user_id("grace")]["deleted"] = True
    slack.fail("chat.postMessage", faults.fails("channel_not_found"))
    with pytest.raises(Unreachable, match=r"grace@acme\.example"):
        await notifier.send(notification(id="b"))
    with pytest.raises(Unreachable, match="nobody in this workspace"):
        await notifier.send(notification(id="c"))


@pytest.mark.parametrize(
    ("room", "message"),
    [
        (CLOSED, "the room C02CLOSED: the app is not in it: invite it there"),
        (PRIVATE, "the room C03PRIVATE: there is no such conversation, or the app is not in it"),
        ("C0GONE", "the room C0GONE: there is no such conversation"),
    ],
)
async def test_a_room_that_is_closed_to_us_is_named(
    slack: FaultySlack, notifier: SlackSender, room: str, message: str
) -> None:
    with pytest.raises(Unreachable, match=message):
        await notifier.send(in_room(room))


async def test_an_archived_room_is_named(slack: FaultySlack, notifier: SlackSender) -> None:
    slack.state.archived.add(ROOM)
    with pytest.raises(Unreachable, match="the room C01ROOM: it is archived"):
        await notifier.send(in_room(ROOM))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (faults.rate_limited(30), "Slack takes no chat.postMessage for another 30 seconds"),
        (faults.server_error(502), "HTTP status 502"),
        (Fault(200), "does not answer chat.postMessage as Slack does"),
        (faults.cut(), "can't be reached at http://127.0.0.1"),
        (faults.fails("token_revoked"), "the bot token was revoked: install the app again"),
        (faults.fails("account_inactive"), "the app was removed from the workspace: install it again"),
        (faults.fails("messages_tab_disabled"), "turn on the Messages Tab"),
        (faults.fails("invalid_blocks"), "Slack can't do chat.postMessage now .invalid_blocks."),
        (faults.fails("ratelimited"), "for another 30 seconds"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_another_try_or_an_administrator_can_mend_says_how(
    slack: FaultySlack, notifier: SlackSender, fault: Fault, message: str
) -> None:
    slack.fail("chat.postMessage", fault)
    with pytest.raises(Unavailable, match=message):
        await notifier.send(notification())


@pytest.mark.parametrize(
    ("scope", "again"),
    [("chat:write", False), ("im:write", False), ("users:read.email", False), ("im:history", True)],
)
async def test_a_missing_scope_is_named(slack: FaultySlack, notifier: SlackSender, scope: str, again: bool) -> None:
    slack.state.scopes.discard(scope)
    with pytest.raises(Unavailable, match=f"the app lacks the scope {scope} .it has .*: install it again"):
        await notifier.send(notification(again=again))
    assert await seen(slack, "grace") == []


async def test_a_slack_that_does_not_answer_is_not_waited_for(
    slack: FaultySlack, notifier: SlackSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifiers.slack.client.api.TIMEOUT_SECONDS", 0.3)
    slack.fail("users.lookupByEmail", faults.hangs(2))
    with pytest.raises(Unavailable, match=r"does not answer users\.lookupByEmail in time"):
        await notifier.send(notification())


@pytest.mark.parametrize("token", ["xoxb-wrong-token", "xoxb-"])
async def test_a_wrong_token_is_said_and_never_shown(slack: FaultySlack, token: str) -> None:
    notifier = SlackSender(config_for(slack, bot_token=token))
    try:
        with pytest.raises(Unavailable, match=r"bot token is not valid|bot token is missing") as raised:
            await notifier.send(notification())
        assert "wrong" not in str(raised.value)
        assert raised.value.__cause__ is None
    finally:
        await notifier.close()


# --- the pace -------------------------------------------------------------------------------------------------------


async def test_a_method_that_slack_holds_is_left_alone_until_then(slack: FaultySlack, notifier: SlackSender) -> None:
    slack.fail("chat.postMessage", faults.rate_limited(1))
    with pytest.raises(Unavailable, match="for another 1 seconds"):
        await notifier.send(notification())
    began = asyncio.get_running_loop().time()
    assert await notifier.send(notification(id="b"))
    assert 0.8 <= asyncio.get_running_loop().time() - began < 3
    slack.fail("chat.postMessage", faults.rate_limited(60))
    for number in range(3):
        with pytest.raises(Unavailable, match="for another"):
            await notifier.send(notification(id=f"c{number}"))
    assert len(slack.calls_of("chat.postMessage")) == 3


async def test_a_conversation_gets_a_message_a_second_beyond_a_short_burst(
    slack: FaultySlack, notifier: SlackSender
) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    sent = await asyncio.gather(*(notifier.send(in_room(ROOM, id=f"m{number}")) for number in range(5)))
    assert len(set(sent)) == 5
    assert 1.5 <= loop.time() - began < 4
    began = loop.time()
    await notifier.send(notification())
    assert loop.time() - began < 1


async def test_a_notification_about_no_request_is_posted_once_though_slack_s_answer_was_lost(
    slack: FaultySlack, notifier: SlackSender
) -> None:
    assert await notifier.send(general()) == ""
    assert await notifier.send(general(again=True)) == ""
    [message] = await seen(slack, "grace")
    assert message["text"].startswith("*Replies have not been read since noon.*")
    assert await notifier.send(general(again=True, id="general.2.mailbox_unread.grace.slack")) == ""
    assert len(await seen(slack, "grace")) == 2
