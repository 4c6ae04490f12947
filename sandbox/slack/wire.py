"""How the proxy reads calls and carries WebSockets."""

import json

import aiohttp
from aiohttp import web

from sandbox.slack.workspace import Json

DECODED = ("blocks", "view", "metadata", "attachments")

Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def arguments(request: web.Request) -> tuple[str, Json]:
    """A call's token and arguments, from all places where Slack accepts them (https://docs.slack.dev/apis/web-api)."""
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        args |= json.loads(await request.text() or "{}")
    else:
        args |= dict(await request.post())
    for key in DECODED:
        if isinstance(args.get(key), str):
            args[key] = json_or_none(args[key])
    token = request.headers.get("Authorization", "").removeprefix("Bearer ") or str(args.get("token", ""))
    args.pop("token", None)
    return token, args


def json_or_none(text: str) -> object:
    """The value of a JSON text, or None if it isn't JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return None


async def pump(source: Socket, target: Socket) -> None:
    """Carry the frames of a WebSocket to another until it closes."""
    async for frame in source:
        await target.send_str(frame.data)
