from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.async_app import AsyncBoltRequest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from sandbox.slack import people
from sandbox.slack.tool import NoSlack
from sandbox.slack.workspace import TEAM, Channel, Mode, User
from tests.local_slack import faults
from tests.local_slack.people import close_modal, shortcut, until_seen
from tests.local_slack.server import FaultySlack

ADA, BEN = "U1", "U2"
USERS = [User(ADA, "ada", "ada@example.org"), User(BEN, "ben", "ben@example.org")]
ROOM = Channel("C1", "approvals", ["U0BOT", ADA, BEN])
BUTTON = {"type": "button", "action_id": "approve", "value": "r1:1", "text": {"type": "plain_text", "text": "Approve"}}
BUTTONS = [{"type": "actions", "elements": [BUTTON]}]
REASON = {
    "type": "input",
    "block_id": "reason",
    "label": {"type": "plain_text", "text": "Reason"},
    "element": {"type": "plain_text_input", "action_id": "reason", "max_length": 20},
}
MODAL = {
    "type": "modal",
    "callback_id": "answer",
    "title": {"type": "plain_text", "text": "Reject"},
    "submit": {"type": "plain_text", "text": "Reject"},
    "blocks": [REASON],
}


def tiny_app(slack: FaultySlack) -> AsyncApp:
    """Approve thanks, reject asks for a reason, the home has a button, /connect and a shortcut open the modal."""
    client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
    app = AsyncApp(client=client, signing_secret=slack.signing_secret)

    @app.action("approve")
    async def approve(ack: Any, body: Any, client: AsyncWebClient, respond: Any) -> None:
        await ack()
        if "channel" in body:
            await respond(f"Thanks, {body['user']['name']}.", response_type="ephemeral", replace_original=False)
        else:
            await client.chat_postMessage(channel=body["user"]["id"], text="from home")

    async def ask(ack: Any, body: Any, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    @app.action("late")
    async def late(ack: Any, body: Any, client: AsyncWebClient) -> None:
        await ack()
        for _ in range(2):
            with suppress(SlackApiError):
                await client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    app.command("/connect")(ask)
    app.shortcut("connect")(ask)

    @app.view("answer")
    async def answer(ack: Any, body: Any, view: Any, client: AsyncWebClient) -> None:
        reason = view["state"]["values"]["reason"]["reason"]["value"]
        if reason == "more":
            await ack(response_action="update", view={**MODAL, "title": {"type": "plain_text", "text": "x" * 25}})
            return
        if reason == "next":
            await ack(response_action="push", view={**MODAL, "notify_on_close": True})
            return
        if reason == "because":
            await ack(response_action="errors", errors={"reason": "Say more."})
            return
        await ack()
        await client.chat_postMessage(channel=ROOM.id, text=f"{body['user']['name']}: {reason}")

    @app.view_closed("answer")
    async def closed(ack: Any, body: Any) -> None:
        await ack()

    @app.event("app_home_opened")
    async def home(event: Any, client: AsyncWebClient) -> None:
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": BUTTONS})

    return app


@asynccontextmanager
async def running(slack: FaultySlack, app: AsyncApp) -> AsyncIterator[None]:
    if slack.workspace.mode == "socket":
        handler = AsyncSocketModeHandler(app, slack.app_token, ping_interval=0.2)
        await handler.connect_async()  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            await handler.close_async()  # type: ignore[no-untyped-call]
        return
    async with AsyncExitStack() as stack:

        async def events(request: web.Request) -> web.Response:
            answer = await app.async_dispatch(
                AsyncBoltRequest(body=await request.text(), headers={k: [v] for k, v in request.headers.items()})
            )
            return web.Response(status=answer.status, text=answer.body, content_type="application/json")

        server = web.Application()
        server.router.add_post("/slack/events", events)
        runner = web.AppRunner(server, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        slack.request_url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
        yield


@pytest.fixture(params=["socket", "http"])
def mode(request: pytest.FixtureRequest) -> Mode:
    mode: Mode = request.param
    return mode


@pytest_asyncio.fixture
async def slack(mode: Mode) -> AsyncIterator[FaultySlack]:
    try:
        async with FaultySlack(USERS, [ROOM], mode) as slack, running(slack, tiny_app(slack)):
            yield slack
    except NoSlack as error:
        pytest.skip(str(error))


@pytest.fixture
def client(slack: FaultySlack) -> AsyncWebClient:
    return AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)


def texts(messages: list[dict[str, Any]]) -> list[str]:
    return [message["text"] for message in messages]


def shows(slack: FaultySlack, message: str) -> Callable[[], Any]:
    async def look() -> bool:
        return message in texts(await people.messages(slack, ROOM.id))

    return look


async def test_a_click_reaches_the_app_and_its_whisper_the_person(slack: FaultySlack, client: AsyncWebClient) -> None:
    await client.chat_postMessage(channel=ADA, text="Please approve", blocks=BUTTONS)
    [prompt] = await people.messages(slack, await people.dm_of(slack, ADA))
    delivery = await people.click(slack, prompt, "approve", ADA)
    assert delivery.payload["actions"][0]["value"] == "r1:1"
    assert texts(await until_seen(lambda: people.ephemerals(slack, ADA))) == ["Thanks, ada."]
    assert not await people.ephemerals(slack, BEN)


@pytest.mark.parametrize("way_in", ["command", "shortcut"])
async def test_two_people_have_a_modal_each(slack: FaultySlack, way_in: str) -> None:
    for user in (ADA, BEN):
        if way_in == "command":
            await people.command(slack, "/connect", "laptop", user)
        else:
            await shortcut(slack, "connect", user)
    await until_seen(lambda: both(slack))
    with pytest.raises(people.CannotDo, match="reason must be filled in"):
        await people.submit(slack, {}, ADA)
    with pytest.raises(people.CannotDo, match="too long"):
        await people.submit(slack, {"reason": "x" * 21}, ADA)
    await people.submit(slack, {"reason": "because"}, ADA)
    assert people.open_modal_of(slack, ADA), "stays open with an error"
    await people.submit(slack, {"reason": "too risky"}, ADA)
    await until_seen(shows(slack, "ada: too risky"))
    assert people.open_modal_of(slack, ADA) is None
    assert people.open_modal_of(slack, BEN)


async def both(slack: FaultySlack) -> bool:
    return all(people.open_modal_of(slack, user) for user in (ADA, BEN))


async def test_the_home_is_published_and_its_buttons_work(slack: FaultySlack) -> None:
    await people.open_home(slack, ADA)

    async def home() -> Any:
        return people.home_of(slack, ADA)

    shown = await until_seen(home)
    delivery = await people.click_in_view(slack, shown, "approve", ADA)
    assert delivery.payload["container"] == {"type": "view", "view_id": shown["id"]}

    async def answered() -> bool:
        return "from home" in texts(await people.messages(slack, await people.dm_of(slack, ADA)))

    await until_seen(answered)


async def prompted(slack: FaultySlack, client: AsyncWebClient, action_id: str = "approve") -> dict[str, Any]:
    blocks = [{"type": "actions", "elements": [{**BUTTON, "action_id": action_id}]}]
    await client.chat_postMessage(channel=ROOM.id, text="Please approve", blocks=blocks)
    return (await people.messages(slack, ROOM.id))[-1]


async def test_a_delivery_can_come_twice(slack: FaultySlack, client: AsyncWebClient) -> None:
    prompt = await prompted(slack, client)
    slack.deliver_twice()
    await people.click(slack, prompt, "approve", ADA)

    async def two() -> bool:
        return len(await people.ephemerals(slack, ADA)) == 2

    await until_seen(two)
    await people.click(slack, prompt, "approve", BEN)
    assert len(await until_seen(lambda: people.ephemerals(slack, BEN))) == 1


async def test_a_trigger_is_good_once_and_not_for_long(slack: FaultySlack, client: AsyncWebClient) -> None:
    prompt = await prompted(slack, client, "late")

    def answers() -> list[Any]:
        return [call.answer.get("error") for call in slack.calls if call.method == "views.open" and call.answer]

    async def answered() -> bool:
        return len(answers()) == 2

    await people.click(slack, prompt, "late", ADA)
    await until_seen(answered)
    assert answers() == [None, "exchanged_trigger_id"]
    slack.calls.clear()
    slack.state.trigger_seconds = 0
    await people.click(slack, prompt, "late", BEN)

    async def expired() -> bool:
        return "expired_trigger_id" in answers()

    await until_seen(expired)
    assert not people.open_modal_of(slack, BEN)


async def test_modals_are_stacked_closed_and_held_to_the_limits(slack: FaultySlack) -> None:
    await people.command(slack, "/connect", "", ADA, ROOM.id)
    first = await until_seen(lambda: modal_of(slack))
    with pytest.raises(people.NotDelivered, match="less than 25 characters"):
        await people.submit(slack, {"reason": "more"}, ADA)
    await people.submit(slack, {"reason": "next"}, ADA)
    assert slack.state.modals[ADA][0] == first
    closing = await close_modal(slack, ADA)
    assert closing
    assert closing.payload["type"] == "view_closed"
    assert people.open_modal_of(slack, ADA) == first
    assert await close_modal(slack, ADA) is None
    with pytest.raises(people.CannotDo, match="no modal"):
        await people.submit(slack, {"reason": "x"}, ADA)
    await people.submit_view(slack, first, {"reason": "replayed"}, ADA)
    await until_seen(shows(slack, "ada: replayed"))


async def modal_of(slack: FaultySlack) -> Any:
    return people.open_modal_of(slack, ADA)


async def test_somebody_from_another_workspace_comes_with_theirs(slack: FaultySlack, client: AsyncWebClient) -> None:
    prompt = await prompted(slack, client)
    slack.state.people[BEN]["team_id"] = "T9"
    payload = (await people.click(slack, prompt, "approve", BEN)).payload
    assert (payload["user"]["team_id"], payload["team"]["id"]) == ("T9", TEAM)
    with pytest.raises(people.CannotDo, match="reject"):
        await people.click(slack, prompt, "reject", BEN)


async def test_a_response_url_is_good_five_times(slack: FaultySlack, client: AsyncWebClient) -> None:
    url = (await people.click(slack, await prompted(slack, client), "approve", ADA)).payload["response_url"]
    await until_seen(lambda: people.ephemerals(slack, ADA))
    webhook = AsyncWebhookClient(url)
    statuses = [(await webhook.send(text=str(n))).status_code for n in range(5)]
    assert statuses == [200] * 4 + [404], "the app used one"
    assert len(await people.ephemerals(slack, ADA)) == 5, "only she sees them, where nothing else is said"


@pytest.mark.parametrize("mode", ["socket"])
async def test_sockets_are_cut_and_come_again(slack: FaultySlack, client: AsyncWebClient, mode: Mode) -> None:
    prompt = await prompted(slack, client)
    slack.fail("apps.connections.open", faults.server_error(), times=2)
    assert await slack.cut_sockets() == 1
    with pytest.raises(people.NotDelivered):
        await people.click(slack, prompt, "approve", ADA)

    async def clicked() -> bool:
        with suppress(people.NotDelivered):
            return bool(await people.click(slack, prompt, "approve", ADA))
        return False

    await until_seen(clicked, 20)
    assert len(slack.calls_of("apps.connections.open")) >= 4


@pytest.mark.parametrize("mode", ["http"])
async def test_an_app_that_cannot_be_reached_or_says_no_is_noticed(
    slack: FaultySlack, client: AsyncWebClient, mode: Mode
) -> None:
    prompt = await prompted(slack, client)
    slack.request_url, there = "http://127.0.0.1:1/", slack.request_url
    with pytest.raises(people.NotDelivered):
        await people.click(slack, prompt, "approve", ADA)
    slack.request_url = there
    with pytest.raises(people.NotDelivered):
        await people.command(slack, "/unknown", "", ADA)
    assert slack.deliveries[-1].status == 404
