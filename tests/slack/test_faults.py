"""What goes wrong while Countersign writes to Slack: nothing twice, nothing lost, and the log says why."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from countersign.models import Status
from sandbox.slack import answers, people
from sandbox.slack.inside import Inside
from sandbox.slack.state import State
from sandbox.slack.workspace import Json
from tests.local_slack import faults
from tests.slack.context import MOSTLY_BY_SOCKET, SECONDS, Context, still_asks, user_id
from tests.whole import IS_WHOLE
from tests.workflows.deployment import Request, until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), MOSTLY_BY_SOCKET]

# Longer than a message takes on a busy machine, as one that takes longer is sent again.
AGAIN_SECONDS = 5.0 if IS_WHOLE else 2.0


@pytest.fixture(autouse=True)
def quick(context: Context, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Retry failures soon, with all delays in their real proportions, and repair Slack afterwards."""
    monkeypatch.setattr("engine.notifications.notifying.FIRST_RETRY", timedelta(seconds=AGAIN_SECONDS))
    monkeypatch.setattr("engine.notifications.outbox.LIVE_SECONDS", AGAIN_SECONDS * 0.8)
    # The sweeper may be the first to get to a message that fell behind, and waits longer.
    monkeypatch.setattr("engine.notifications.outbox.LATER_LIVE_SECONDS", AGAIN_SECONDS * 1.6)
    monkeypatch.setattr("activities.periodic_tasks.PAUSE", timedelta(seconds=0.3))
    monkeypatch.setattr("engine.recovery.LEFT_OVER_AFTER", timedelta(seconds=1))
    state = context.slack.state
    scopes, flags, workspace = set(state.scopes), {one: dict(its) for one, its in state.people.items()}, state.workspace
    yield
    state.scopes, state.people, state.workspace = scopes, flags, workspace
    state.archived.clear()


async def dm(context: Context, person: str) -> str:
    """The conversation between somebody and the app, opened if need be."""
    opened = await context.slack.inside.post(
        "/api/conversations.open", {"users": user_id(person)}, context.slack.state.workspace.bot_token
    )
    return str(opened["channel"]["id"])


async def posted(context: Context, request: Request) -> list[str]:
    """The ids of all notifications in Slack about a request, by the metadata of their messages."""
    channels = [one["id"] for one in (await context.slack.inside.get("/_control/state"))["channels"]]
    messages = [one for channel in channels for one in await people.messages(context.slack, channel)]
    ids = [str(one["metadata"].get("event_payload", {}).get("id", "")) for one in messages]
    return [one for one in ids if one.startswith(f"{request.id}.")]


def noticed(context: Context, request: Request) -> Counter[str]:
    """Who was notified of what by Slack, and how often, according to the record."""
    rows = context.deployment.store.events.of(request.id)
    return Counter(f"{row.who} {row.detail}" for row in rows if (row.kind, row.channel) == ("noticed", "slack"))


async def all_in_order(context: Context, request: Request, *expected: str) -> None:
    """Wait until the record has all that is expected; check that it has each once, and Slack no message twice."""
    await until(lambda: set(expected) <= set(noticed(context, request)), f"{expected}: {noticed(context, request)}")
    assert set(noticed(context, request).values()) == {1}
    ids = await posted(context, request)
    assert len(ids) == len(set(ids)), ids


FAULTS = [
    pytest.param(faults.rate_limited(1), "for another 1 seconds", id="429"),
    pytest.param(faults.server_error(503), "HTTP status 503", id="503"),
    pytest.param(faults.server_error(500).afterwards(), "HTTP status 500", id="500-afterwards"),
    pytest.param(faults.hangs(), "within ", id="hangs"),
    pytest.param(faults.hangs().afterwards(), "within ", id="hangs-afterwards"),
    pytest.param(faults.cut(), "can't be reached", id="reset"),
    pytest.param(faults.cut().afterwards(), "can't be reached", id="reset-afterwards"),
    pytest.param(
        faults.fails("missing_scope", needed="chat:write", provided="im:write"), "the scope chat:write", id="scope"
    ),
    pytest.param(faults.fails("token_revoked"), "was revoked: install the app again", id="token"),
    pytest.param(faults.fails("fatal_error"), "fatal_error", id="fatal"),
]


async def until_nothing_to_press(context: Context, request: Request, *who: str) -> None:
    """Wait until these people's messages about a request have no button left but the one to give its grant back."""
    deadline = time.monotonic() + SECONDS
    for person in who:
        while any(still_asks(one) for one in await context.all_messages(person, request.id)):
            assert time.monotonic() < deadline, f"{person} still has something to press"
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(("fault", "expected"), FAULTS)
async def test_a_question_that_fails_comes_once(
    context: Context, fault: faults.Fault, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    context.slack.fail("chat.postMessage", fault, channel=await dm(context, "grace"))
    request = await context.deployment.ask("alice")
    await until(lambda: "grace asked" in noticed(context, request), "grace is asked in the end")
    assert expected in caplog.text
    await context.click(await context.message("grace", request.id), "approve", "grace")
    assert (await request.outcome()).status is Status.APPROVED
    await context.settled(request, "Approved", "grace", "alice")
    await all_in_order(context, request, "alice opened", "alice settled")


@pytest.mark.parametrize(("fault", "expected"), FAULTS)
async def test_a_change_that_fails_is_made_and_nothing_is_posted_instead(
    context: Context, fault: faults.Fault, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    request = await context.deployment.ask("alice")
    prompt = await context.message("grace", request.id)
    await context.message("alice", request.id)
    context.slack.fail("chat.update", fault, channel=prompt["channel"])
    await request.says("grace", channel="email")
    await context.settled(request, "Approved", "grace", "alice")
    await until(lambda: not context.slack.faults.waiting, "the fault was met")
    await until(lambda: expected in caplog.text, expected)
    await all_in_order(context, request, "grace asked", "alice opened", "alice settled")
    assert len(await context.all_messages("grace", request.id)) == 1


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_as_long_as_slack_wants_us_to_wait_nothing_is_called(context: Context, method: str) -> None:
    first = await context.deployment.ask("alice")
    await context.message("grace", first.id)
    await context.message("alice", first.id)
    context.slack.fail(method, faults.rate_limited(3))
    before = len(context.slack.calls_of(method))
    second = await context.deployment.ask("alice")
    await first.says("grace", channel="email")
    assert not context.slack.faults.waiting

    def since_it_was_said() -> list[float]:
        times = [call.at for call in context.slack.calls if call.method == method][before:]
        return [at - times[0] for at in times]

    await until(lambda: max(since_it_was_said()) > 3, "it goes on")
    assert len([seconds for seconds in since_it_was_said() if seconds < 3]) <= 2  # a second call was under way
    await second.says("grace", channel="email")
    for request in (first, second):
        await context.settled(request, "Approved", "alice")
        await all_in_order(context, request, "alice settled")


async def test_a_reply_below_a_message_is_posted_once(context: Context) -> None:
    request = await context.deployment.ask("alice")
    status = await context.message("alice", request.id)
    await context.message("grace", request.id)
    context.slack.fail("chat.postMessage", faults.cut().afterwards(), thread_ts=status["ts"])
    await request.says("grace", channel="email")
    await all_in_order(context, request, "alice settled")
    assert not context.slack.faults.waiting
    assert len(await context.replies("alice", request.id)) == 1


async def test_a_question_that_got_through_unnoticed_loses_its_buttons_too(context: Context) -> None:
    context.slack.fail("chat.postMessage", faults.cut().afterwards(), channel=await dm(context, "grace"))
    request = await context.deployment.ask("alice")
    await context.message("grace", request.id)
    await request.says("grace", channel="email")
    await context.settled(request, "Approved", "grace", "alice")
    await all_in_order(context, request, "alice opened", "alice settled", "grace settled")
    assert len(await context.all_messages("grace", request.id)) == 1


async def test_a_question_found_again_shows_what_happened_since(context: Context) -> None:
    context.slack.fail("chat.postMessage", faults.cut().afterwards(), channel=await dm(context, "ivan"))
    request = await context.deployment.ask("alice", "databases")
    await request.says("grace", channel="email")
    await context.message("ivan", request.id)
    await request.says("heidi", level=2, channel="email", comment="Fine by me")
    prompt = await context.message("ivan", request.id, "Fine by me")
    await context.click(prompt, "approve", "ivan")
    assert (await request.outcome()).status is Status.APPROVED
    await context.settled(request, "Approved", "ivan", "heidi", "grace", "alice")
    await all_in_order(context, request, "ivan asked", "heidi asked")


@pytest.mark.parametrize("seconds", [1.0, 3.0], ids=["under-way", "given-up"])
async def test_changes_out_of_order_end_with_the_last(
    context: Context, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    request = await context.deployment.ask("alice", "databases")
    await context.message("grace", request.id)
    status = await context.message("alice", request.id)
    overtaken = first_change_is_slow(monkeypatch, status, seconds)
    context.slack.fail("chat.update", faults.server_error(), times=2, channel=await dm(context, "grace"))
    await request.says("grace", channel="email")
    await until(lambda: request.asked_people(2))
    await request.says("heidi", level=2, channel="email")
    await request.says("ivan", "reject", level=2, channel="email")
    await context.settled(request, "Rejected", "alice")
    await overtaken.wait()
    await context.settled(request, "Rejected", "grace", "heidi", "ivan", "ada", "alice")
    await all_in_order(context, request, "grace asked", "heidi asked", "ivan asked", "ada asked", "alice settled")


def first_change_is_slow(monkeypatch: pytest.MonkeyPatch, message: Json, seconds: float) -> asyncio.Event:
    """Delay the next change of this message in Slack, so that it is overtaken; the event is set once it was made."""
    real, waiting, made = answers.answer_to, [message["ts"]], asyncio.Event()

    async def answer_to(state: State, inside: Inside, method: str, token: str, args: Json) -> Json:
        slow = method == "chat.update" and args["ts"] in waiting
        if slow:
            waiting.clear()
            await asyncio.sleep(seconds)
        answer = await real(state, inside, method, token, args)
        if slow:
            made.set()
        return answer

    monkeypatch.setattr("sandbox.slack.proxy.answer_to", answer_to)
    return made
