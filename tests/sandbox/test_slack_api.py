"""The Slack of the tests is as strict as Slack, with the same errors, and fails on demand: over real connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import people
from sandbox.slack.tool import NoSlack
from sandbox.slack.workspace import BOT, TEAM, Channel, User
from tests.local_slack import faults
from tests.local_slack.server import FaultySlack

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADA, GONE, BOTTY, ROOM, HIDDEN, FOREIGN = "U1", "U2", "U3", "C1", "C2", "C3"
BLOCKS: list[dict[str, Any]] = [{"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}]


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def section(text: str = "hello") -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def button(**more: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": "a", "text": plain("Go"), **more}


def actions(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


def confirm(**more: str) -> dict[str, Any]:
    message = {"title": "Sure?", "text": "Really?", "confirm": "Yes", "deny": "No"} | more
    return {key: plain(text) for key, text in message.items()}


def modal(**more: Any) -> dict[str, Any]:
    return {"type": "modal", "title": plain("Title"), "blocks": [section()], **more}


def entry(**more: Any) -> dict[str, Any]:
    element = {"type": "plain_text_input", "action_id": "a", **more}
    return {"type": "input", "label": plain("Reason"), "element": element}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[FaultySlack]:
    users = [
        User(ADA, "ada", "ada@example.org"),
        User(GONE, "gone", "gone@example.org", {"deleted": True}),
        User(BOTTY, "botty", "", {"is_bot": True}),
    ]
    channels = [
        Channel(ROOM, "approvals", [BOT, ADA]),
        Channel(HIDDEN, "hidden", [ADA], private=True),
        Channel(FOREIGN, "lobby", [ADA]),
    ]
    try:
        async with FaultySlack(users, channels) as slack:
            yield slack
    except NoSlack as error:
        pytest.skip(str(error))


@pytest.fixture
def slack(shared: FaultySlack) -> FaultySlack:
    shared.faults.clear()
    shared.calls.clear()
    return shared


@pytest.fixture
def client(slack: FaultySlack) -> AsyncWebClient:
    return AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, timeout=120)


async def refused(client: AsyncWebClient, method: str, **args: Any) -> dict[str, Any]:
    with pytest.raises(SlackApiError) as caught:
        await client.api_call(method, json=args)
    answer: dict[str, Any] = caught.value.response.data
    return answer


@pytest.mark.parametrize(
    ("fits", "too_much"),
    [
        ([section("x" * 3000)], [section("x" * 3001)]),
        ([section()] * 50, [section()] * 51),
        ([{"type": "header", "text": plain("x" * 150)}], [{"type": "header", "text": plain("x" * 151)}]),
        (BLOCKS, [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]),
        ([{"type": "section", "fields": [plain("x")] * 10}], [{"type": "section", "fields": [plain("x")] * 11}]),
        ([{"type": "section", "fields": [plain("x" * 2000)]}], [{"type": "section", "fields": [plain("x" * 2001)]}]),
        (BLOCKS, [{"type": "section"}]),
        (BLOCKS, [section("")]),
        ([{**section(), "block_id": "x" * 255}], [{**section(), "block_id": "x" * 256}]),
        (BLOCKS, [{**section(), "block_id": "x"}] * 2),
        ([actions(button(text=plain("x" * 75)))], [actions(button(text=plain("x" * 76)))]),
        ([actions(button(value="x" * 2000))], [actions(button(value="x" * 2001))]),
        ([actions(button(action_id="x" * 255))], [actions(button(action_id="x" * 256))]),
        ([actions(button(), button(action_id="b"))], [actions(button(), button())]),
        (
            [actions(*(button(action_id=str(n)) for n in range(25)))],
            [actions(*(button(action_id=str(n)) for n in range(26)))],
        ),
        ([actions(button(style="danger"))], [actions(button(style="red"))]),
        ([actions(button(confirm=confirm()))], [actions(button(confirm=confirm(title="x" * 101)))]),
        ([actions(button(confirm=confirm(text="x" * 300)))], [actions(button(confirm=confirm(text="x" * 301)))]),
        ([actions(button(confirm=confirm(confirm="x" * 30)))], [actions(button(confirm=confirm(confirm="x" * 31)))]),
        ([actions(button(confirm=confirm(deny="x" * 30)))], [actions(button(confirm=confirm(deny="x" * 31)))]),
        ([{"type": "context", "elements": [plain("x")] * 10}], [{"type": "context", "elements": [plain("x")] * 11}]),
        (BLOCKS, [{"type": "context", "elements": [button()]}]),
        (BLOCKS, [{"type": "section", "fields": [{"type": "mrkdwn"}]}]),
        (BLOCKS, [{"type": "carousel"}]),
    ],
)
async def test_blocks_at_the_limit_are_posted_and_beyond_it_refused(
    client: AsyncWebClient, fits: list[Any], too_much: list[Any]
) -> None:
    await client.chat_postMessage(channel=ROOM, text="x", blocks=fits)
    answer = await refused(client, "chat.postMessage", channel=ROOM, text="x", blocks=too_much)
    assert answer["error"] == "invalid_blocks"
    assert "[json-pointer:/blocks" in answer["response_metadata"]["messages"][0]


@pytest.mark.parametrize(
    ("method", "args", "error"),
    [
        ("chat.postMessage", {}, "no_text"),
        ("chat.postMessage", {"text": "x" * 40_001}, "msg_too_long"),
        ("chat.update", {"text": "x" * 4_001, "ts": "1.1"}, "msg_too_long"),
        ("chat.postMessage", {"text": "x", "blocks": "no"}, "invalid_blocks_format"),
        ("chat.postMessage", {"text": "x", "blocks": [section("x" * 2900)] * 5}, "msg_blocks_too_long"),
        ("chat.postMessage", {"text": "x", "metadata": {"event_payload": {}}}, "invalid_metadata_format"),
        ("chat.postMessage", {"text": "x", "channel": HIDDEN}, "channel_not_found"),
        ("chat.postMessage", {"text": "x", "channel": FOREIGN}, "not_in_channel"),
        ("chat.postMessage", {"text": "x", "channel": "C9"}, "channel_not_found"),
        ("chat.postMessage", {"text": "x", "channel": "U9"}, "channel_not_found"),
        ("chat.postEphemeral", {"text": "x", "user": BOTTY}, "user_not_in_channel"),
        ("chat.postEphemeral", {"text": "x", "user": ADA, "channel": "D9"}, "channel_not_found"),
        ("chat.update", {"text": "x", "channel": ADA, "ts": "1.1"}, "channel_not_found"),
        ("chat.update", {"text": "x", "ts": "1.1"}, "message_not_found"),
        ("conversations.history", {"channel": FOREIGN}, "not_in_channel"),
        ("conversations.replies", {"ts": "1.1"}, "thread_not_found"),
        ("conversations.open", {"channel": None, "users": "U9"}, "user_not_found"),
        ("users.info", {"user": "U9"}, "user_not_found"),
        ("users.lookupByEmail", {"email": "who@example.org"}, "users_not_found"),
        ("users.lookupByEmail", {"email": "gone@example.org"}, "users_not_found"),
        ("views.open", {"trigger_id": "1", "view": modal()}, "invalid_trigger_id"),
        ("views.update", {"view_id": "V9", "view": modal()}, "not_found"),
        ("views.open", {"view": modal(title=plain("x" * 25))}, "invalid_arguments"),
        ("views.open", {"view": modal(submit=plain("x" * 25))}, "invalid_arguments"),
        ("views.open", {"view": modal(close=plain("x" * 25))}, "invalid_arguments"),
        ("views.open", {"view": modal(private_metadata="x" * 3001)}, "invalid_arguments"),
        ("views.open", {"view": modal(callback_id="x" * 256)}, "invalid_arguments"),
        ("views.open", {"view": modal(blocks=[section()] * 101)}, "invalid_arguments"),
        ("views.open", {"view": modal(blocks=[entry()])}, "invalid_arguments"),
        ("views.open", {"view": modal(submit=plain("Go"), blocks=[entry(max_length=3001)])}, "invalid_arguments"),
        ("views.publish", {"user_id": ADA, "view": {"type": "home", "blocks": [section()] * 101}}, "invalid_arguments"),
        ("views.publish", {"user_id": ADA, "view": "home"}, "invalid_arguments"),
    ],
)
async def test_what_slack_refuses_is_refused(
    client: AsyncWebClient, method: str, args: dict[str, Any], error: str
) -> None:
    args = {key: value for key, value in ({"channel": ROOM} | args).items() if value is not None}
    assert (await refused(client, method, **args))["error"] == error


async def test_a_select_is_held_to_its_limits(client: AsyncWebClient) -> None:
    def choosing(*options: dict[str, Any]) -> list[Any]:
        return [actions({"type": "static_select", "action_id": "a", "options": list(options)})]

    await client.chat_postMessage(
        channel=ROOM, text="x", blocks=choosing({"text": plain("x" * 75), "value": "x" * 150})
    )
    for bad in ({"text": plain("x" * 76), "value": "x"}, {"text": plain("x"), "value": "x" * 151}):
        assert (await refused(client, "chat.postMessage", channel=ROOM, text="x", blocks=choosing(bad)))["errors"]


async def test_a_wrong_token_or_a_missing_scope_gets_nothing(slack: FaultySlack, client: AsyncWebClient) -> None:
    stranger = AsyncWebClient(token="xoxb-other", base_url=slack.api_url)
    assert (await refused(stranger, "auth.test"))["error"] == "invalid_auth"
    assert (await refused(client, "apps.connections.open"))["error"] == "invalid_auth"
    who = await client.auth_test()
    assert (who["team_id"], who["user_id"]) == (TEAM, BOT)
    assert "users:read.email" in who.headers["x-oauth-scopes"].split(",")
    slack.state.scopes -= {"users:read.email", "channels:history"}
    try:
        answer = await refused(client, "users.lookupByEmail", email="ada@example.org")
        assert (answer["error"], answer["needed"]) == ("missing_scope", "users:read.email")
        assert "users:read.email" not in answer["provided"]
        assert "email" not in (await client.users_info(user=ADA))["user"]["profile"]
        assert (await refused(client, "conversations.history", channel=ROOM))["needed"] == "channels:history"
    finally:
        slack.state.scopes |= {"users:read.email", "channels:history"}


async def test_people_are_as_the_test_says(slack: FaultySlack, client: AsyncWebClient) -> None:
    ada = (await client.users_lookupByEmail(email="ada@example.org"))["user"]
    assert (ada["id"], ada["is_email_confirmed"], ada["is_restricted"], ada["is_bot"]) == (ADA, True, False, False)
    slack.state.people[ADA] = {"is_restricted": True, "team_id": "T9"}
    ada = (await client.users_info(user=ADA))["user"]
    assert (ada["is_restricted"], ada["team_id"]) == (True, "T9")
    slack.state.people[ADA] = {}
    assert (await client.users_info(user=BOTTY))["user"]["is_bot"]


async def test_history_keeps_metadata_and_comes_in_pages(slack: FaultySlack, client: AsyncWebClient) -> None:
    dm = (await client.conversations_open(users=ADA))["channel"]["id"]
    assert dm == await people.dm_of(slack, ADA)
    sent = [
        await client.chat_postMessage(
            channel=dm, text=str(n), metadata={"event_type": "notice", "event_payload": {"n": n}}
        )
        for n in range(3)
    ]
    await client.chat_update(channel=dm, ts=sent[0]["ts"], text="changed")
    await client.chat_postMessage(channel=dm, text="reply", thread_ts=sent[0]["ts"])
    await client.chat_postEphemeral(channel=dm, user=ADA, text="psst")
    page = await client.conversations_history(channel=dm, limit=2, include_all_metadata=True)
    assert [m["metadata"]["event_payload"]["n"] for m in page["messages"]] == [2, 1]
    page = await client.conversations_history(
        channel=dm, limit=2, cursor=page["response_metadata"]["next_cursor"], include_all_metadata=True
    )
    assert [(m["text"], m["metadata"]["event_payload"]["n"]) for m in page["messages"]] == [("changed", 0)]
    assert not page["has_more"]
    later = await client.conversations_history(channel=dm, oldest=sent[1]["ts"])
    assert [(m["text"], "metadata" in m) for m in later["messages"]] == [("2", False)]
    thread = await client.conversations_replies(channel=dm, ts=sent[0]["ts"])
    assert [m["text"] for m in thread["messages"]] == ["changed", "reply"]
    assert [m["text"] for m in await people.ephemerals(slack, ADA, dm)] == ["psst"]


async def test_an_archived_room_says_so(slack: FaultySlack, client: AsyncWebClient) -> None:
    slack.state.archived.add(ROOM)
    assert (await client.conversations_info(channel=ROOM))["channel"]["is_archived"]
    assert (await refused(client, "chat.postMessage", channel=ROOM, text="x"))["error"] == "is_archived"
    slack.state.archived.clear()
    assert not (await client.conversations_info(channel=FOREIGN))["channel"]["is_member"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        (faults.rate_limited(7), lambda error: error.response.headers["Retry-After"] == "7"),
        (faults.server_error(503), lambda error: error.response.status_code == 503),
        (faults.fails("token_revoked"), lambda error: error.response["error"] == "token_revoked"),
        (faults.cut(), lambda error: isinstance(error, aiohttp.ClientError)),
        (faults.hangs(), lambda error: isinstance(error, asyncio.TimeoutError)),
    ],
)
async def test_a_call_fails_as_told_before_or_after_it_went_through(
    slack: FaultySlack, fault: faults.Fault, seen: Callable[[Any], bool], after: bool
) -> None:
    client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, timeout=5)
    client.retry_handlers.clear()
    before = len(await people.messages(slack, ROOM))
    slack.fail("chat.postMessage", fault.afterwards() if after else fault, channel=ROOM)
    await client.chat_postMessage(channel=ADA, text="elsewhere")
    with pytest.raises((SlackApiError, aiohttp.ClientError, asyncio.TimeoutError)) as caught:
        await client.chat_postMessage(channel=ROOM, text="here")
    assert seen(caught.value)
    assert len(await people.messages(slack, ROOM)) - before == int(after)
    await client.chat_postMessage(channel=ROOM, text="well again")
    assert [args["text"] for args in slack.calls_of("chat.postMessage")] == ["elsewhere", "here", "well again"]
