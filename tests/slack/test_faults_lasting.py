"""What stays wrong for a while: Slack is down, rooms and messages are gone, a process is killed between two steps."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from countersign.models import Status
from sandbox.slack import people
from sandbox.slack.tool import NoSlack
from sandbox.slack.workspace import BOT, Json
from tests.local_slack import faults
from tests.local_slack.people import until_seen
from tests.slack.context import MOSTLY_BY_SOCKET, ROOM, Context, slack_deployment, slack_policy, user_id
from tests.slack.test_faults import all_in_order, dm, noticed, posted, quick, until_nothing_to_press
from tests.workflows.deployment import Request, environment_for, insist, until

__all__ = ["quick"]
pytestmark = [pytest.mark.asyncio(loop_scope="session"), MOSTLY_BY_SOCKET]

ROOT = Path(__file__).parents[2]
OUT = ("auth.test", "chat.postMessage", "chat.update", "users.lookupByEmail", "conversations.open")
SHARED = {"rooms": {"slack": ROOM}}


def down(context: Context, fault: faults.Fault) -> None:
    """Fail all that goes out to Slack, until its faults are cleared."""
    for method in OUT:
        context.slack.fail(method, fault, times=500)


async def test_what_opened_and_ended_while_slack_was_down_is_asked_nobody(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    before = await context.deployment.ask("alice")
    await all_in_order(context, before, "grace asked", "alice opened")
    down(context, faults.server_error())
    during = await context.deployment.ask("alice")
    await during.until_mailed(grace=["asked"])
    for request in (before, during):
        await request.says("grace", channel="email")
        assert (await request.outcome()).status is Status.APPROVED
    still_open = await context.deployment.ask("alice")
    await still_open.until_mailed(grace=["asked"])
    await asyncio.sleep(1)
    context.slack.faults.clear()
    await all_in_order(context, before, "alice settled")
    await all_in_order(context, during, "alice settled")
    await all_in_order(context, still_open, "grace asked", "alice opened")
    assert "HTTP status 503" in caplog.text
    await context.settled(before, "Approved", "grace", "alice")
    await context.settled(during, "Approved", "grace", "alice")
    await all_in_order(context, during, "alice opened", "grace settled")
    assert [len(await context.messages(one, during.id)) for one in ("grace", "alice")] == [1, 1]
    await until_nothing_to_press(context, during, "grace", "alice")


@pytest.mark.parametrize("reason", ["revoked", "scope"])
async def test_what_an_administrator_has_to_mend_is_said_and_then_goes_on(
    context: Context, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = await context.deployment.ask("alice")
    await all_in_order(context, before, "grace asked", "alice opened")
    state = context.slack.state
    workspace, scopes = state.workspace, set(state.scopes)
    if reason == "revoked":
        state.workspace = replace(workspace, bot_token="xoxb-another")
        expected = "the bot token is not valid: install the app again and set the new token"
    else:
        state.scopes = scopes - {"chat:write"}
        expected = "the app lacks the scope chat:write"
    during = await context.deployment.ask("alice")
    await before.says("grace", channel="email")
    await during.until_mailed(grace=["asked"])
    await until(lambda: expected in caplog.text, expected)
    assert context.slack.bot_token not in caplog.text
    state.workspace, state.scopes = workspace, scopes
    await context.settled(before, "Approved", "grace", "alice")
    await context.click(await context.message("grace", during.id), "approve", "grace")
    assert (await during.outcome()).status is Status.APPROVED
    for request in (before, during):
        await all_in_order(context, request, "grace asked", "alice opened", "alice settled")
        assert request.lines("unreachable") == []


@pytest.mark.parametrize("what", ["archived", "removed"])
async def test_a_room_that_is_lost_after_the_question_costs_nothing_else(
    context: Context, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "notifiers.slack")
    context.deployment.apply(slack_policy(**SHARED))
    request = await context.deployment.ask("carol", "databases")
    prompt = await context.in_room(request.id)
    await all_in_order(context, request, f"#{ROOM} asked", "carol opened")
    lose(context, what)
    await request.says("heidi", channel="email")
    await context.settled(request, "Approved", "carol")
    await all_in_order(context, request, "carol settled")
    await until(lambda: f"shows #{request.id} no more" in caplog.text, "the log says that the message stays")
    give_back(context)
    await context.click(prompt, "reject", "ivan")
    await until_seen(lambda: reads(context, "ivan", f"#{request.id} is already Approved"))
    assert request.decided() == ["heidi approve 1"]


async def test_a_room_without_the_app_is_asked_person_by_person(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    context.deployment.apply(slack_policy(**SHARED))
    lose(context, "removed")
    request = await context.deployment.ask("carol", "databases")
    await all_in_order(context, request, "heidi asked", "ivan asked")
    assert request.lines("unreachable") == [f"unreachable #{ROOM}"]
    give_back(context)
    await context.click(await context.message("ivan", request.id), "approve", "ivan")
    await context.settled(request, "Approved", "heidi", "ivan", "carol")
    assert await context.in_channel(ROOM, request.id) == []
    assert "Completing activity as failed" not in caplog.text


def lose(context: Context, what: str) -> None:
    """Archive our room, or remove the app from it."""
    if what == "archived":
        context.slack.state.archived.add(ROOM)
    else:
        members = next(one.members for one in context.slack.state.workspace.channels if one.id == ROOM)
        assert isinstance(members, list)
        members.remove(BOT)


def give_back(context: Context) -> None:
    """Undo what `lose` did."""
    context.slack.state.archived.discard(ROOM)
    members = next(one.members for one in context.slack.state.workspace.channels if one.id == ROOM)
    if BOT not in members:
        assert isinstance(members, list)
        members.append(BOT)


async def reads(context: Context, person: str, message: str) -> bool:
    """Whether the open form of somebody, or an ephemeral message to them, has these words."""
    form = people.open_modal_of(context.slack, user_id(person))
    told = await people.ephemerals(context.slack, user_id(person))
    return message in str(form) + str(told)


async def test_somebody_who_left_is_written_to_by_mail_from_then_on(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "notifiers.slack")
    context.deployment.apply(
        slack_policy(channels={"email": "off", "slack": "decide"}, device_groups={"vaults": {"managers": ["bob"]}})
    )
    request = await context.deployment.ask("carol", "vaults")
    prompt = await context.message("bob", request.id)
    await all_in_order(context, request, "bob asked", "carol opened")
    context.slack.state.people[user_id("bob")] = {"deleted": True}
    for method in ("chat.update", "chat.postMessage"):
        context.slack.fail(method, faults.fails("channel_not_found"), times=5, channel=prompt["channel"])
    await request.says("bob")
    await context.settled(request, "Approved", "carol")
    await until(lambda: f"shows #{request.id} no more" in caplog.text, "the log says that the message stays")
    later = await context.deployment.ask("carol", "vaults")
    await later.until_mailed(bob=["asked"])
    assert later.lines("unreachable") == ["unreachable bob"]
    assert (later.status, await posted(context, later)) == (Status.WAITING, [f"{later.id}.1.opened.carol.slack"])


async def delete(context: Context, message: Json) -> None:
    """An administrator deletes a message of ours."""
    gone = {"channel": message["channel"], "ts": message["ts"]}
    answer = await context.slack.inside.post("/api/chat.delete", gone, context.slack.bot_token)
    assert answer["ok"], answer


@pytest_asyncio.fixture(loop_scope="session")
async def hasty(
    context: Context, temporal_address: str, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Context]:
    """A deployment of its own in the same mode, without a worker yet."""
    mode = context.slack.state.workspace.mode
    try:
        async with slack_deployment(temporal_address, tmp_path, mode, awake=False) as made:
            yield made
    except NoSlack as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("decided_before", [True, False])
async def test_a_question_that_was_deleted_is_asked_again_by_the_reminder(hasty: Context, decided_before: bool) -> None:
    hasty.deployment.start_worker()
    hasty.deployment.apply(slack_policy(reminder_minutes="12s"))
    request = await hasty.deployment.ask("alice", "databases")
    await request.says("grace", channel="email")
    prompt = await hasty.message("ivan", request.id)
    status = await hasty.message("alice", request.id)
    await all_in_order(hasty, request, "ivan asked", "heidi asked", "alice opened")
    for message in (prompt, status):
        await delete(hasty, message)
    if decided_before:
        await request.says("heidi", level=2, channel="email")
    await until(lambda: noticed(hasty, request)["ivan reminded"], "ivan is reminded")
    if decided_before:
        await hasty.click(await hasty.message("ivan", request.id), "approve", "ivan")
        word = "Approved"
    else:
        assert await hasty.all_messages("ivan", request.id)
        await request.says("ivan", "reject", level=2, channel="email")
        word = "Rejected"
    await hasty.settled(request, word, "heidi", "grace")
    await all_in_order(hasty, request, "alice settled")
    assert any(word in str(one) for one in await hasty.all_messages("alice", request.id))
    await until_nothing_to_press(hasty, request, "ivan", "alice", "heidi", "grace", "ada")


@pytest.mark.whole
async def test_a_worker_killed_between_the_message_and_its_mark_posts_no_second_one(
    hasty: Context, tmp_path: Path
) -> None:
    channel = await dm(hasty, "grace")
    hasty.slack.fail("chat.postMessage", faults.hangs(60).afterwards(), channel=channel)
    process = await worker_process(hasty, tmp_path / "worker.log")
    question = hasty.deployment.question("alice")
    asking = asyncio.create_task(insist(lambda: hasty.deployment.client.ask(question, "once")))
    try:
        await until_seen(lambda: people.messages(hasty.slack, channel), 60)
    finally:
        process.kill()
        await process.wait()
    process = await worker_process(hasty, tmp_path / "worker.log")
    try:
        request = Request(hasty.deployment, question, await asking)
        await all_in_order(hasty, request, "grace asked", "alice opened")
        assert len(await hasty.all_messages("grace", request.id)) == 1
        await hasty.click(await hasty.message("grace", request.id), "approve", "grace")
        await hasty.settled(request, "Approved", "grace", "alice")
        await all_in_order(hasty, request, "alice settled")
        assert len(await hasty.all_messages("grace", request.id)) == 1
    finally:
        process.kill()
        await process.wait()


async def worker_process(context: Context, log: Path) -> asyncio.subprocess.Process:
    """`python worker.py` with the Slack of this deployment."""
    deployment = context.deployment
    where = environment_for(deployment.database_url, deployment.address, deployment.namespace, deployment.mail) | {
        "COUNTERSIGN_SLACK_MODE": deployment.settings.slack_mode,
        "COUNTERSIGN_SLACK_BOT_TOKEN": context.slack.bot_token,
        "COUNTERSIGN_SLACK_APP_TOKEN": context.slack.app_token,
        "COUNTERSIGN_SLACK_SIGNING_SECRET": context.slack.signing_secret,
        "COUNTERSIGN_SLACK_API_URL": context.slack.api_url,
    }
    environment = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}} | where
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable, ROOT / "worker.py", cwd=ROOT, env=environment, stdout=output, stderr=output
        )
