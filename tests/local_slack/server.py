"""The Slack of sandbox.slack, made able to fail, and to reach the app over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from aiohttp import web

from sandbox.slack.server import SlackServer, serve
from sandbox.slack.state import Delivery
from sandbox.slack.workspace import Channel, Mode, User

from . import limits
from .faults import Fault
from .proxy import FaultyProxy


class FaultySlack(SlackServer):
    """A Slack that is as strict as its documentation, and fails when told to.

    `fail("chat.postMessage", faults.rate_limited(2))` makes the next call fail; with `.afterwards()` on the fault the
    message is posted all the same. With `mode="http"` Slack posts, signed, to `request_url`, one address for events,
    interactions and commands, which may be set once the app listens.
    It is stricter than Slack in two ways: it refuses a message of more than 40,000 characters, which Slack cuts, and
    any block type that limits.py doesn't list.
    """

    def __init__(
        self,
        users: Sequence[User] = (),
        channels: Sequence[Channel] = (),
        mode: Mode = "socket",
    ) -> None:
        super().__init__(users, channels, mode)
        self.state.view_problems = limits.view_problems

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        hooks = str(self.folder / "out")
        await serve(self.proxy.hooks(), lambda runner: web.UnixSite(runner, hooks), self._stack)
        return self

    def _new_proxy(self) -> FaultyProxy:
        self.proxy = FaultyProxy(self.state, self.inside)
        self.faults = self.proxy.faults
        return self.proxy

    @property
    def request_url(self) -> str:
        """Where Slack posts to in http mode."""
        return self.proxy.request_url

    @request_url.setter
    def request_url(self, url: str) -> None:
        self.proxy.request_url = url

    def fail(self, method: str, fault: Fault, times: int = 1, **where: str) -> None:
        """Fail the next calls of a Web API method."""
        self.faults.add(method, fault, times, **where)

    def deliver_twice(self, times: int = 1) -> None:
        """Let Slack send the next deliveries twice, as it does when it is unsure of the first."""
        self.proxy.twice += times

    async def deliver_again(self, delivery: Delivery) -> None:
        """Send an interaction once more, as if unsure whether it arrived; returns once it was sent."""
        await self.proxy.deliver_again(delivery)

    def lose_answers(self, times: int = 1) -> None:
        """Cut the connection as the app answers a delivery, so that Slack never gets the answer."""
        self.proxy.answers_to_lose += times

    @property
    def sockets(self) -> int:
        """How many WebSockets of the app there are, as Slack counts them."""
        return self.proxy.sockets

    async def cut_sockets(self) -> int:
        """Cut every WebSocket of the app, as a failing network does; returns how many there were."""
        return await self.proxy.cut_sockets()

    async def ask_to_reconnect(self, reason: str = "refresh_requested") -> None:
        """Tell the app that its WebSockets are about to end, as Slack does every few hours, or for another reason."""
        await self.proxy.ask_to_reconnect(reason)

    def kill_sockets(self) -> int:
        """Let every WebSocket of the app die while Slack goes on counting and using it; returns how many it counts."""
        return self.proxy.kill_sockets()

    async def forget_the_dead(self) -> int:
        """Let Slack notice which WebSockets are dead; returns how many it counts then."""
        return await self.proxy.forget_the_dead()

    def fall_asleep(self) -> None:
        """Deliver nothing, with all WebSockets open and answering, until the app next calls the Web API."""
        self.proxy.asleep = True
