"""From the question to the grant with Slack, all of it real: what each person sees, whoever decides and however."""

from __future__ import annotations

import asyncio
import time

import pytest

from countersign.models import GeneralEvent, Status
from countersign.permissions import Principal
from engine.credentials.tokens import TokenActions
from engine.engine import Engine
from sandbox.slack import people
from sandbox.slack.workspace import Json
from store.tokens import Owner
from tests.http_clients import plain_client
from tests.slack.context import ARCHIVED, ROOM, SECONDS, Context, actions_of, slack_policy, user_id, words_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_click_approves_and_everybody_sees_it(context: Context) -> None:
    request = await context.deployment.ask("alice", reason="Disk full")
    prompt = await context.message("grace", request.id, "Disk full")
    assert {"approve", "reject", "approve_with_comment"} <= set(actions_of(prompt))
    status = await context.message("alice", request.id)
    assert actions_of(status) == ["cancel"]
    await context.click(prompt, "approve", "grace")
    outcome = await request.outcome()
    assert (outcome.status, outcome.decisions[0].channel) == (Status.APPROVED, "slack")
    await context.settled(request, "Approved", "grace", "alice")
    await request.until_mailed(grace=["asked", "settled"], alice=["settled"])


async def test_health_and_doctor_say_how_slack_s_connection_stands(context: Context) -> None:
    url = context.slack.request_url.removesuffix("/slack/events")
    token = TokenActions(context.deployment.store).create(Owner(kind="person", name="ada", is_admin=True), "tests")
    async with plain_client(headers={"Authorization": f"Bearer {token}"}) as client:
        health = (await client.get(f"{url}/api/v1/health")).json()
        found = (await client.get(f"{url}/api/v1/doctor", timeout=SECONDS)).json()
    told = [one["words"] for one in found if one["about"] == "connection"]
    if context.slack.workspace.mode == "socket":
        assert health["channels"]["slack"]["ok"]
        assert told[0].startswith("is the app's only one; last heard ")
    else:
        assert health["channels"] == {}
        assert told == []


async def test_a_decision_by_mail_takes_the_buttons_away(context: Context) -> None:
    request = await context.deployment.ask("alice")
    await context.message("grace", request.id)
    await request.says("grace", "reject", comment="Not <today> *please*", channel="email")
    await context.settled(request, "Rejected", "grace", "alice")
    quoted = [block for block in (await context.message("alice", request.id))["blocks"] if "today" in str(block)]
    assert "'type': 'plain_text'" in str(quoted)
    assert "mrkdwn" not in str(quoted)


async def test_each_decision_shows_on_all_copies_while_the_request_waits(context: Context) -> None:
    request = await context.deployment.ask("alice", "databases")
    await context.click(await context.message("grace", request.id), "approve", "grace")
    first = await context.message("heidi", request.id, "Grace")
    assert "approve" in actions_of(first)
    await context.click(first, "approve", "heidi")
    second = await context.message("ivan", request.id, "Heidi")
    assert "approve" in actions_of(second)
    await context.click(second, "approve", "ivan")
    assert (await request.outcome()).status is Status.APPROVED
    await context.settled(request, "Approved", "heidi", "ivan", "ada", "alice")


async def test_a_room_gets_one_message_that_names_all(context: Context) -> None:
    context.deployment.apply(slack_policy(rooms={"slack": ROOM}))
    request = await context.deployment.ask("carol", "databases")
    prompt = await context.in_room(request.id, "<@UHEIDI>", "<@UIVAN>")
    assert await context.messages("heidi", request.id) == []
    await context.click(prompt, "approve", "bob")
    await context.ephemerals("bob", "not")
    await context.click(prompt, "approve", "heidi")
    assert (await request.outcome()).status is Status.APPROVED
    done = await context.in_room(request.id, "Approved")
    assert actions_of(done) == []


async def test_an_archived_room_is_asked_person_by_person(context: Context) -> None:
    context.slack.state.archived.add(ARCHIVED)
    context.deployment.apply(slack_policy(rooms={"slack": ARCHIVED}, channels={"email": "off", "slack": "decide"}))
    request = await context.deployment.ask("carol", "databases")
    for person in ("heidi", "ivan"):
        await context.message(person, request.id)
    assert request.lines("unreachable") == [f"unreachable #{ARCHIVED}"]


async def test_who_is_missing_in_slack_is_mailed_and_the_record_says_so(context: Context) -> None:
    managers = {"vaults": {"managers": ["judy"]}}
    context.deployment.apply(slack_policy(channels={"email": "off", "slack": "decide"}, device_groups=managers))
    request = await context.deployment.ask("carol", "vaults")
    await request.until_mailed(judy=["asked"])
    assert request.lines("unreachable") == ["unreachable judy"]
    assert request.status is Status.WAITING


async def test_cancelling_takes_the_buttons_away(context: Context) -> None:
    request = await context.deployment.ask("alice")
    await context.message("grace", request.id)
    await context.click(await context.message("alice", request.id), "cancel", "alice")
    assert (await request.outcome()).status is Status.CANCELLED
    await context.settled(request, "Cancelled", "grace", "alice")
    late = await context.deployment.ask("alice")
    prompt = await context.message("grace", late.id)
    await context.deployment.engine.cancel(late.id, Principal("alice"), "test")
    await context.settled(late, "Cancelled", "grace")
    await context.click(prompt, "approve", "grace")
    await context.ephemerals("grace", f"#{late.id} is already Cancelled")
    assert late.status is Status.CANCELLED


async def test_who_holds_a_grant_gives_it_back(context: Context) -> None:
    request = await context.deployment.ask("alice")
    await context.click(await context.message("grace", request.id), "approve", "grace")
    held = await context.message("alice", request.id, "Give back #")
    await context.click(held, "give_back", "grace")
    await context.ephemerals("grace", "may give it back")
    await context.click(held, "give_back", "alice")
    for person in ("alice", "grace"):
        assert actions_of(await context.message(person, request.id, "Ended", "Given back by Alice A.")) == []
    await context.click(held, "give_back", "alice")
    await context.ephemerals("alice", "is over already")


async def test_who_asks_in_whose_name_is_shown(context: Context) -> None:
    question = context.deployment.question("alice")
    asked = await context.deployment.ask_as("ada", question)
    await context.message("grace", asked.approval_id, "*Ada A.* asks for *Alice A.*", "*Asked by*")
    await context.message("alice", asked.approval_id, "*Ada A.* asked in your name")


async def test_a_revoked_grant_shows_on_every_copy(context: Context) -> None:
    request = await context.deployment.ask("alice")
    await context.click(await context.message("grace", request.id), "approve", "grace")
    await request.outcome()
    await context.settled(request, "Approved", "grace", "alice")
    await context.deployment.engine.revoke(request.id, Principal("grace"), "test", "Enough.")
    for person in ("grace", "alice"):
        await context.message(person, request.id, "Revoked by Grace G.: Enough.")


async def test_nobody_gets_two_messages_of_one_kind(context: Context) -> None:
    request = await context.deployment.ask("alice", "databases")
    await context.click(await context.message("grace", request.id), "approve", "grace")
    for person in ("heidi", "grace", "alice"):
        await context.message(person, request.id)
        assert len(await context.messages(person, request.id)) == 1


async def test_a_notification_about_no_request_comes_by_mail_and_by_slack(context: Context) -> None:
    portal = Engine(context.deployment.client, context.deployment.store)
    fields = {"mailbox": "INBOX@imap.example.test", "since": "Tue 14 May 2024, 12:00 UTC"}
    for _ in range(2):
        await portal.notify(GeneralEvent.INBOX_UNREAD, "since noon", ["ada"], fields)

    async def look() -> list[Json]:
        messages = await people.messages(context.slack, await people.dm_of(context.slack, user_id("ada")))
        return [one for one in messages if fields["since"] in words_of(one)]

    message = await context.one_of(look, "the alert")
    assert message["text"].startswith("*Replies have not been read since Tue 14 May 2024, 12:00 UTC.*")
    assert actions_of(message) == []
    inbox = context.deployment.person("ada").inbox
    deadline = time.monotonic() + SECONDS
    while not [one for one in await asyncio.to_thread(inbox) if "can't be read" in str(one["Subject"])]:
        assert time.monotonic() < deadline, "no mail came"
        await asyncio.sleep(0.05)
