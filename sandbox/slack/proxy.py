"""The proxy in front of local-slack, which the app under test takes for Slack.

It adds what local-slack doesn't keep, and records all calls and deliveries.
"""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from countersign.tasks import first_of
from sandbox.slack import deliveries
from sandbox.slack.answers import answer_to
from sandbox.slack.inside import Inside
from sandbox.slack.state import Call, Delivery, State
from sandbox.slack.wire import arguments, pump
from sandbox.slack.workspace import Json

BIGGEST = 8 * 1024 * 1024
HOP = {"host", "content-length", "transfer-encoding", "connection", "content-encoding", "accept-encoding"}
CLOSE_SECONDS = 0.2


@dataclass(eq=False)
class Line:
    """A WebSocket of the app."""

    request: web.Request
    socket: web.WebSocketResponse
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    carried: list[Delivery] = field(default_factory=list)


class Proxy:
    """Slack for the app: `outside` serves its calls, and carries what Slack sends over the app's WebSockets."""

    def __init__(self, state: State, inside: Inside) -> None:
        self._state = state
        self._inside = inside
        self._sockets: list[Line] = []
        self._turns = 0
        self._waiting: dict[str, Delivery] = {}

    def outside(self) -> web.Application:
        """The application at Slack's address."""
        app = web.Application(client_max_size=BIGGEST)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_get("/{path:socket/.+|ui}", self._websocket)
        app.router.add_route("*", "/{path:.*}", self._pass)
        return app

    async def close(self) -> None:
        """Close what is open."""
        await self.cut_sockets()

    async def cut_sockets(self) -> int:
        """Cut every WebSocket of the app, as a network that fails does; returns how many there were."""
        sockets = list(self._sockets)
        for line in sockets:
            if line.request.transport:
                line.request.transport.abort()
        await asyncio.gather(*(line.ended.wait() for line in sockets))
        return len(sockets)

    async def _api(self, request: web.Request) -> web.StreamResponse:
        token, args = await arguments(request)
        call = Call(request.match_info["method"], args)
        self._state.calls.append(call)
        return await self._answered(request, call, token)

    async def _answered(self, request: web.Request, call: Call, token: str) -> web.StreamResponse:
        call.answer = await answer_to(self._state, self._inside, call.method, token, call.args)
        return web.json_response(call.answer, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {"X-OAuth-Scopes": ",".join(sorted(self._state.scopes))}

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        """Pass on response URLs, and local-slack's own pages for whoever wants to look."""
        body = await request.read()
        if request.path.startswith("/_hooks/response/"):
            answer = json.loads(body)
            self._state.calls.append(Call("response_url", answer))
            body = json.dumps(deliveries.as_ephemeral(answer)).encode()
        headers = {key: value for key, value in request.headers.items() if key.lower() not in HOP}
        url = self._inside.base + request.path_qs
        async with self._inside.session.request(request.method, url, data=body, headers=headers) as response:
            kept = {key: value for key, value in response.headers.items() if key.lower() not in HOP}
            return web.Response(status=response.status, body=await response.read(), headers=kept)

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        if request.path == "/ui":
            async with self._inside.websocket(request.path) as inside:
                await first_of(pump(inside, socket), pump(socket, inside))
            return socket
        line = Line(request, socket)
        self._sockets.append(line)
        try:
            async with self._inside.websocket(request.path) as inside:
                await first_of(self._down(inside, line), self._up(line, inside))
        finally:
            self._sockets.remove(line)
            for delivery in line.carried:
                if not delivery.over:
                    deliveries.finish(self._state, delivery, None, status=0)
            line.ended.set()
        return socket

    async def _down(self, inside: aiohttp.ClientWebSocketResponse, line: Line) -> None:
        """Carry envelopes to the app; local-slack sends each to every connection, Slack to one of those it counts."""
        async for frame in inside:
            envelope = json.loads(frame.data)
            envelope_id = envelope.get("envelope_id")
            if not envelope_id:
                if envelope.get("type") == "hello":
                    envelope["num_connections"] = len(self._sockets)
                await self._send(line, envelope)
            elif envelope_id not in self._waiting:
                await self._deliver(envelope)

    async def _deliver(self, envelope: Json) -> None:
        """Send an envelope to the connection whose turn it is."""
        delivery = deliveries.begin(self._state, envelope["type"], envelope["payload"])
        self._waiting[envelope["envelope_id"]] = delivery
        self._turns += 1
        line = self._sockets[self._turns % len(self._sockets)]
        line.carried.append(delivery)
        with suppress(ConnectionError):  # it ends at this moment
            await self._send(line, {**envelope, "payload": delivery.payload})

    async def _send(self, line: Line, envelope: Json) -> None:
        await line.socket.send_json(envelope)

    async def _up(self, line: Line, inside: aiohttp.ClientWebSocketResponse) -> None:
        """Carry acknowledgements to Slack."""
        async for frame in line.socket:
            await self._acknowledged(line, inside, json.loads(frame.data))

    async def _acknowledged(self, line: Line, inside: aiohttp.ClientWebSocketResponse, answer: Json) -> None:
        """Note an acknowledgement; if an envelope was sent twice, the first counts."""
        delivery = self._waiting.get(answer.get("envelope_id", ""))
        if delivery and not delivery.status:
            deliveries.finish(self._state, delivery, answer.get("payload"))
            await inside.send_json({**answer, "payload": delivery.answer})
