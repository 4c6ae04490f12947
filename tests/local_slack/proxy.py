"""The proxy before local-slack, for tests.

It is as strict as Slack's documentation where local-slack is lenient, fails when a test says so, and reaches the app
over HTTP, too.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections import Counter
from urllib.parse import parse_qs, urlencode

import aiohttp
from aiohttp import web

from sandbox.slack import deliveries
from sandbox.slack.inside import Inside
from sandbox.slack.proxy import BIGGEST, Line, Proxy
from sandbox.slack.state import Call, Delivery, State
from sandbox.slack.wire import json_or_none
from sandbox.slack.workspace import Json

from . import limits
from .faults import Fault, Faults
from .rules import refusal_of

RESPONSES = 5
FORM = "application/x-www-form-urlencoded"


class FaultyProxy(Proxy):
    """`hooks` carries Slack's own calls to `request_url`; a `dead` WebSocket carries nothing, and still counts."""

    def __init__(self, state: State, inside: Inside) -> None:
        super().__init__(state, inside)
        self.faults = Faults()
        self.request_url = ""
        self.twice = 0
        self.answers_to_lose = 0
        self.asleep = False
        self._dead: set[Line] = set()
        self._responses: Counter[str] = Counter()
        self._out = aiohttp.ClientSession()

    def hooks(self) -> web.Application:
        """The application that local-slack takes for ours, in http mode."""
        app = web.Application(client_max_size=BIGGEST)
        app.router.add_post("/{path:.*}", self._hook)
        return app

    async def close(self) -> None:
        """Close what is open."""
        await super().close()
        await self._out.close()

    @property
    def sockets(self) -> int:
        """How many WebSockets of the app there are, as Slack counts them."""
        return len(self._sockets)

    async def deliver_again(self, delivery: Delivery) -> None:
        """Send the payload of a delivery once more; over a socket, in a new envelope."""
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
            self._dead.add(line)
            if line.request.transport:
                line.request.transport.pause_reading()
        return self.sockets

    async def forget_the_dead(self) -> int:
        """Let Slack notice which WebSockets are dead, as it does after hours; returns how many it counts then."""
        dead = [line for line in self._sockets if line in self._dead]
        for line in dead:
            if line.request.transport:
                line.request.transport.abort()
        await asyncio.gather(*(line.ended.wait() for line in dead))
        return self.sockets

    def _living(self) -> list[Line]:
        return [line for line in self._sockets if line not in self._dead]

    async def _answered(self, request: web.Request, call: Call, token: str) -> web.StreamResponse:
        self.asleep = False
        fault = self.faults.take(call.method, call.args)
        if fault and not fault.after:
            return await self._fail(request, fault)
        if refused := refusal_of(self._state, call.method, token, call.args):
            call.answer = refused
            answer: web.StreamResponse = web.json_response(refused, headers=self._headers())
        else:
            answer = await super()._answered(request, call, token)
        return await self._fail(request, fault) if fault else answer

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/_hooks/response/"):
            answer = json.loads(await request.read())
            if refused := self._response_refusal(request.path, answer):
                self._state.calls.append(Call("response_url", answer))
                return web.json_response(refused, status=404)
        return await super()._pass(request)

    def _response_refusal(self, path: str, answer: Json) -> Json | None:
        """https://docs.slack.dev/interactivity/handling-user-interaction#message_responses: five times, no more."""
        self._responses[path] += 1
        if self._responses[path] > RESPONSES:
            return {"ok": False, "error": "used_url"}
        return None if answer.get("delete_original") else limits.refusal("chat.postMessage", answer)

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        await asyncio.sleep(fault.hang)
        if fault.cut and request.transport:
            request.transport.abort()
        if fault.body:
            return web.json_response(fault.body, status=fault.status, headers=fault.headers)
        return web.Response(status=fault.status, headers=fault.headers, text="Slack is having trouble.")

    async def _send(self, line: Line, envelope: Json) -> None:
        """Send nothing to a dead connection, and nothing that the app should answer while Slack is asleep."""
        if line in self._dead:
            return
        is_delivery = "envelope_id" in envelope
        for _ in range(0 if is_delivery and self.asleep else self._times() if is_delivery else 1):
            await super()._send(line, envelope)

    async def _acknowledged(self, line: Line, inside: aiohttp.ClientWebSocketResponse, answer: Json) -> None:
        if answer.get("envelope_id") in self._waiting and self._loses_answer():
            if line.request.transport:
                line.request.transport.abort()
        else:
            await super()._acknowledged(line, inside, answer)

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
