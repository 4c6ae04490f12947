from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.async_app import AsyncBoltRequest
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import people
from sandbox.slack.server import SlackServer
from sandbox.slack.tool import NoSlack
from sandbox.slack.workspace import Channel, Mode, User

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


def tiny_app(slack: SlackServer) -> AsyncApp:
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

    app.command("/connect")(ask)
    app.shortcut("connect")(ask)

    @app.view("answer")
    async def answer(ack: Any, body: Any, view: Any, client: AsyncWebClient) -> None:
        reason = view["state"]["values"]["reason"]["reason"]["value"]
        if reason == "because":
            await ack(response_action="errors", errors={"reason": "Say more."})
            return
        await ack()
        await client.chat_postMessage(channel=ROOM.id, text=f"{body['user']['name']}: {reason}")

    @app.event("app_home_opened")
    async def home(event: Any, client: AsyncWebClient) -> None:
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": BUTTONS})

    return app


@asynccontextmanager
async def running(slack: SlackServer, app: AsyncApp) -> AsyncIterator[None]:
    if slack.workspace.mode == "socket":
        handler = AsyncSocketModeHandler(app, slack.app_token)
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


@pytest_asyncio.fixture(params=["socket", "http"])
async def slack(request: pytest.FixtureRequest) -> AsyncIterator[SlackServer]:
    mode: Mode = request.param
    try:
        async with SlackServer(USERS, [ROOM], mode) as slack, running(slack, tiny_app(slack)):
            yield slack
    except NoSlack as error:
        pytest.skip(str(error))


@pytest.fixture
def client(slack: SlackServer) -> AsyncWebClient:
    return AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)


def texts(messages: list[dict[str, Any]]) -> list[str]:
    return [message["text"] for message in messages]


def saying(slack: SlackServer, words: str) -> Callable[[], Any]:
    async def look() -> bool:
        return words in texts(await people.messages(slack, ROOM.id))

    return look


async def test_a_click_reaches_the_app_and_its_whisper_the_person(slack: SlackServer, client: AsyncWebClient) -> None:
    await client.chat_postMessage(channel=ADA, text="Please approve", blocks=BUTTONS)
    [prompt] = await people.messages(slack, await people.dm_of(slack, ADA))
    delivery = await people.click(slack, prompt, "approve", ADA)
    assert delivery.payload["actions"][0]["value"] == "r1:1"
    assert texts(await people.until(lambda: people.whispers(slack, ADA))) == ["Thanks, ada."]
    assert not await people.whispers(slack, BEN)


@pytest.mark.parametrize("way_in", ["command", "shortcut"])
async def test_two_people_have_a_modal_each(slack: SlackServer, way_in: str) -> None:
    for user in (ADA, BEN):
        if way_in == "command":
            await people.command(slack, "/connect", "laptop", user)
        else:
            await people.shortcut(slack, "connect", user)
    await people.until(lambda: both(slack))
    with pytest.raises(people.CannotDo, match="reason must be filled in"):
        await people.submit(slack, {}, ADA)
    with pytest.raises(people.CannotDo, match="too long"):
        await people.submit(slack, {"reason": "x" * 21}, ADA)
    await people.submit(slack, {"reason": "because"}, ADA)
    assert people.open_modal_of(slack, ADA), "stays open with an error"
    await people.submit(slack, {"reason": "too risky"}, ADA)
    await people.until(saying(slack, "ada: too risky"))
    assert people.open_modal_of(slack, ADA) is None
    assert people.open_modal_of(slack, BEN)


async def both(slack: SlackServer) -> bool:
    return all(people.open_modal_of(slack, user) for user in (ADA, BEN))


async def test_the_home_is_published_and_its_buttons_work(slack: SlackServer) -> None:
    await people.open_home(slack, ADA)

    async def home() -> Any:
        return people.home_of(slack, ADA)

    shown = await people.until(home)
    delivery = await people.click_in_view(slack, shown, "approve", ADA)
    assert delivery.payload["container"] == {"type": "view", "view_id": shown["id"]}

    async def told() -> bool:
        return "from home" in texts(await people.messages(slack, await people.dm_of(slack, ADA)))

    await people.until(told)
