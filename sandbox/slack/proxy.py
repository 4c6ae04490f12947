"""The proxy before local-slack: what the app under test takes for Slack.

It is as strict as Slack's documentation where local-slack is lenient, adds what local-slack doesn't keep, fails when a
test says so, and remembers what was said.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

import aiohttp
from aiohttp import web

from sandbox.slack import deliveries, limits
from sandbox.slack.answers import answer_to
from sandbox.slack.faults import Fault, Faults
from sandbox.slack.inside import Inside
from sandbox.slack.rules import refusal_of
from sandbox.slack.state import Call, Delivery, State
from sandbox.slack.wire import arguments, first_of, json_or_none, pump
from sandbox.slack.workspace import Json

BIGGEST = 8 * 1024 * 1024
HOP = {"host", "content-length", "transfer-encoding", "connection", "content-encoding", "accept-encoding"}
CLOSE_SECONDS = 0.2
FORM = "application/x-www-form-urlencoded"
RESPONSES = 5


@dataclass(eq=False)
class Line:
    """A WebSocket of the app; one that is `dead` carries nothing any more, and Slack still counts it."""

    request: web.Request
    socket: web.WebSocketResponse
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    dead: bool = False
    carried: list[Delivery] = field(default_factory=list)


class Proxy:
    """Slack for the app: `outside` serves the app's calls, `hooks` carries Slack's own calls to `request_url`."""

    def __init__(self, state: State, inside: Inside) -> None:
        self.faults = Faults()
        self.request_url = ""
        self.twice = 0
        self.answers_to_lose = 0
        self.asleep = False
        self._state = state
        self._inside = inside
        self._sockets: list[Line] = []
        self._turns = 0
        self._responses: Counter[str] = Counter()
        self._waiting: dict[str, Delivery] = {}
        self._out = aiohttp.ClientSession()

    def outside(self) -> web.Application:
        """The application at Slack's address."""
        app = web.Application(client_max_size=BIGGEST)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_get("/{path:socket/.+|ui}", self._websocket)
        app.router.add_route("*", "/{path:.*}", self._pass)
        return app

    def hooks(self) -> web.Application:
        """The application that local-slack takes for ours, in http mode."""
        app = web.Application(client_max_size=BIGGEST)
        app.router.add_post("/{path:.*}", self._hook)
        return app

    async def close(self) -> None:
        """Close what is open."""
        await self.cut_sockets()
        await self._out.close()

    @property
    def sockets(self) -> int:
        """How many WebSockets of the app there are, as Slack counts them."""
        return len(self._sockets)

    async def cut_sockets(self) -> int:
        """Cut every WebSocket of the app, as a network that fails does; returns how many there were."""
        sockets = list(self._sockets)
        for line in sockets:
            if line.request.transport:
                line.request.transport.abort()
        await asyncio.gather(*(line.ended.wait() for line in sockets))
        return len(sockets)

    async def deliver_again(self, delivery: Delivery) -> None:
        """Send what was sent before once more: the same payload, over a socket in an envelope of its own."""
        if self._state.workspace.mode == "socket":
            envelope = {"envelope_id": secrets.token_hex(8), "type": delivery.kind, "payload": delivery.payload}
            await self._deliver({**envelope, "accepts_response_payload": True})
        else:
            again = deliveries.begin(self._state, delivery.kind, delivery.payload)
            status, text = await self._post(urlencode({"payload": json.dumps(again.payload)}), FORM)
            deliveries.finish(self._state, again, json_or_none(text), status)

    async def ask_to_reconnect(self, reason: str = "refresh_requested") -> None:
        """Say `disconnect` on every WebSocket (https://docs.slack.dev/apis/events-api/using-socket-mode#disconnect)."""
        for line in self._living():
            await line.socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {}})

    def kill_sockets(self) -> int:
        """Let every WebSocket die as behind a NAT that forgot it: nothing goes either way, and Slack doesn't notice."""
        for line in self._living():
            line.dead = True
            if line.request.transport:
                line.request.transport.pause_reading()
        return len(self._sockets)

    async def forget_the_dead(self) -> int:
        """Let Slack notice which WebSockets are dead, as it does after hours; returns how many it counts then."""
        dead = [line for line in self._sockets if line.dead]
        for line in dead:
            if line.request.transport:
                line.request.transport.abort()
        await asyncio.gather(*(line.ended.wait() for line in dead))
        return len(self._sockets)

    def _living(self) -> list[Line]:
        return [line for line in self._sockets if not line.dead]

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        token, args = await arguments(request)
        call = Call(method, args)
        self._state.calls.append(call)
        self.asleep = False
        fault = self.faults.take(method, args)
        if fault and not fault.after:
            return await self._fail(request, fault)
        refused = refusal_of(self._state, method, token, args)
        call.answer = refused or await answer_to(self._state, self._inside, method, token, args)
        if fault:
            return await self._fail(request, fault)
        headers = {"X-OAuth-Scopes": ",".join(sorted(self._state.scopes))}
        return web.json_response(call.answer, headers=headers)

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        await asyncio.sleep(fault.hang)
        if fault.cut and request.transport:
            request.transport.abort()
        if fault.body:
            return web.json_response(fault.body, status=fault.status, headers=fault.headers)
        return web.Response(status=fault.status, headers=fault.headers, text="Slack is having trouble.")

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        """Response URLs, and local-slack's own pages for whoever wants to look."""
        body = await request.read()
        if request.path.startswith("/_hooks/response/"):
            answer = json.loads(body)
            self._state.calls.append(Call("response_url", answer))
            if refused := self._response_refusal(request.path, answer):
                return web.json_response(refused, status=404)
            body = json.dumps(deliveries.whispered(answer)).encode()
        headers = {key: value for key, value in request.headers.items() if key.lower() not in HOP}
        url = self._inside.base + request.path_qs
        async with self._inside.session.request(request.method, url, data=body, headers=headers) as response:
            kept = {key: value for key, value in response.headers.items() if key.lower() not in HOP}
            return web.Response(status=response.status, body=await response.read(), headers=kept)

    def _response_refusal(self, path: str, answer: Json) -> Json | None:
        """https://docs.slack.dev/interactivity/handling-user-interaction#message_responses: five times, no more."""
        self._responses[path] += 1
        if self._responses[path] > RESPONSES:
            return {"ok": False, "error": "used_url"}
        return None if answer.get("delete_original") else limits.refusal("chat.postMessage", answer)

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
        """Envelopes to the app; local-slack sends each to every connection, Slack to one of those it counts."""
        async for frame in inside:
            envelope = json.loads(frame.data)
            envelope_id = envelope.get("envelope_id")
            if not envelope_id:
                if envelope.get("type") == "hello":
                    envelope["num_connections"] = len(self._sockets)
                if not line.dead:
                    await line.socket.send_json(envelope)
            elif envelope_id not in self._waiting:
                await self._deliver(envelope)

    async def _deliver(self, envelope: Json) -> None:
        """To the connection whose turn it is, be it dead or not, or to none while Slack has fallen asleep."""
        delivery = deliveries.begin(self._state, envelope["type"], envelope["payload"])
        self._waiting[envelope["envelope_id"]] = delivery
        self._turns += 1
        line = self._sockets[self._turns % len(self._sockets)]
        line.carried.append(delivery)
        with suppress(ConnectionError):  # it ends at this moment
            for _ in range(0 if line.dead or self.asleep else self._times()):
                await line.socket.send_json({**envelope, "payload": delivery.payload})

    async def _up(self, line: Line, inside: aiohttp.ClientWebSocketResponse) -> None:
        """Acknowledgements to Slack; of an envelope sent twice, the first counts."""
        async for frame in line.socket:
            answer = json.loads(frame.data)
            delivery = self._waiting.get(answer.get("envelope_id"))
            if delivery and self._loses_answer():
                if line.request.transport:
                    line.request.transport.abort()
            elif delivery and not delivery.status:
                deliveries.finish(self._state, delivery, answer.get("payload"))
                await inside.send_json({**answer, "payload": delivery.answer})

    async def _hook(self, request: web.Request) -> web.Response:
        body = await request.text()
        is_json = request.content_type == "application/json"
        fields = json.loads(body) if is_json else {key: value[0] for key, value in parse_qs(body, True).items()}
        kind = "events_api" if is_json else "interactive" if "payload" in fields else "slash_commands"
        payload = json.loads(fields["payload"]) if kind == "interactive" else fields
        delivery = deliveries.begin(self._state, kind, payload)
        if kind == "interactive":
            body = urlencode({"payload": json.dumps(delivery.payload)})
        posts = [self._post(body, request.headers["Content-Type"]) for _ in range(self._times())]
        status, text = (await asyncio.gather(*posts))[0]
        deliveries.finish(self._state, delivery, json_or_none(text), status)
        return web.json_response(delivery.answer, status=status or 502)

    async def _post(self, body: str, content_type: str) -> tuple[int, str]:
        """Post to the app, signed (https://docs.slack.dev/authentication/verifying-requests-from-slack)."""
        at = str(int(time.time()))
        secret = self._state.workspace.signing_secret.encode()
        signature = hmac.new(secret, f"v0:{at}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {
            "X-Slack-Request-Timestamp": at,
            "X-Slack-Signature": f"v0={signature}",
            "Content-Type": content_type,
        }
        try:
            async with self._out.post(self.request_url, data=body, headers=headers) as response:
                answer = response.status, await response.text()
                return (0, "") if self._loses_answer() else answer
        except (aiohttp.ClientError, OSError, ValueError):
            return 0, ""

    def _loses_answer(self) -> bool:
        lost = self.answers_to_lose > 0
        self.answers_to_lose -= lost
        return lost

    def _times(self) -> int:
        times = 2 if self.twice else 1
        self.twice = max(0, self.twice - 1)
        return times
