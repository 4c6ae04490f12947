"""The Slack to test against, started, fenced in, and stopped again."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

import aiohttp
from aiohttp import web

from sandbox.slack import relay
from sandbox.slack.faults import Fault
from sandbox.slack.inside import Inside
from sandbox.slack.proxy import CLOSE_SECONDS, Proxy
from sandbox.slack.state import Delivery, State
from sandbox.slack.tool import FENCE, check_fence, find_slack
from sandbox.slack.workspace import Channel, Json, Mode, User, Workspace
from sandbox.temporal_tool import Say, say_on_stderr

HOST = "127.0.0.1"
HOOK_PORT = 8080  # in a network of its own, so always free
START_SECONDS = 30
STOP_SECONDS = 5
POLL_SECONDS = 0.05


class SlackServer:
    """Slack for as long as the `async with` block lasts; `api_url` is its Web API.

    `mode` is how it reaches the app: `socket`, or `http` by posting to `request_url`. Raises NoSlack where it can't
    be had here, RuntimeError where it was had and doesn't come up.
    """

    def __init__(
        self,
        users: Sequence[User] = (),
        channels: Sequence[Channel] = (),
        mode: Mode = "socket",
        request_url: str = "",
        say: Say = say_on_stderr,
    ) -> None:
        self.workspace = Workspace(users, channels, mode)
        self.state = State(self.workspace)
        self.bot_token = self.workspace.bot_token
        self.app_token = self.workspace.app_token
        self.signing_secret = self.workspace.signing_secret
        self.calls = self.state.calls
        self.deliveries = self.state.deliveries
        self._first_url = request_url
        self._say = say
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            tool = await asyncio.to_thread(find_slack, self._say)
            await asyncio.to_thread(check_fence)
            self.folder = folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slack-")))
            listening = stack.enter_context(socket.create_server((HOST, 0)))
            port = listening.getsockname()[1]
            self.url = f"http://{HOST}:{port}"
            self.api_url = f"{self.url}/api/"
            self.inside = Inside(folder / "in", self.url)
            stack.push_async_callback(self.inside.close)
            self.proxy = Proxy(self.state, self.inside)
            stack.push_async_callback(self.proxy.close)
            self.request_url = self._first_url
            self.faults = self.proxy.faults
            process = await self._start(tool, folder, port, stack)
            await self._answering(process, folder)
            await _serve(self.proxy.hooks(), lambda runner: web.UnixSite(runner, str(folder / "out")), stack)
            await _serve(self.proxy.outside(), lambda runner: web.SockSite(runner, listening), stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def request_url(self) -> str:
        """Where Slack posts to in http mode: one address for events, interactions and commands."""
        return self.proxy.request_url

    @request_url.setter
    def request_url(self, url: str) -> None:
        self.proxy.request_url = url

    def fail(self, method: str, fault: Fault, times: int = 1, **where: str) -> None:
        """Fail the next calls of a Web API method, see `sandbox.slack.faults`."""
        self.faults.add(method, fault, times, **where)

    def calls_of(self, method: str) -> list[Json]:
        """The arguments of each call of the method, in order."""
        return [call.args for call in self.calls if call.method == method]

    def deliver_twice(self, times: int = 1) -> None:
        """Let Slack send the next deliveries twice, as it does when it is unsure of the first."""
        self.proxy.twice += times

    async def deliver_again(self, delivery: Delivery) -> None:
        """Send an interaction once more, as whoever is unsure whether it arrived does; returns once it was sent."""
        await self.proxy.deliver_again(delivery)

    def lose_answers(self, times: int = 1) -> None:
        """Cut the connection as the app answers a delivery, so that Slack never has the answer."""
        self.proxy.answers_to_lose += times

    @property
    def sockets(self) -> int:
        """How many WebSockets of the app there are, as Slack counts them."""
        return self.proxy.sockets

    async def cut_sockets(self) -> int:
        """Cut every WebSocket of the app, as a network that fails does; returns how many there were."""
        return await self.proxy.cut_sockets()

    async def ask_to_reconnect(self, reason: str = "refresh_requested") -> None:
        """Tell the app that its WebSockets are about to end, as Slack does every few hours, or for another reason."""
        await self.proxy.ask_to_reconnect(reason)

    def kill_sockets(self) -> int:
        """Let every WebSocket of the app die, and Slack go on counting and using it; returns how many it counts."""
        return self.proxy.kill_sockets()

    async def forget_the_dead(self) -> int:
        """Let Slack notice which WebSockets are dead; returns how many it counts then."""
        return await self.proxy.forget_the_dead()

    def fall_asleep(self) -> None:
        """Deliver nothing, with all WebSockets open and answering, until the app next calls the Web API."""
        self.proxy.asleep = True

    async def _start(self, tool: Path, folder: Path, port: int, stack: AsyncExitStack) -> asyncio.subprocess.Process:
        config = folder / "config.json"
        config.write_text(json.dumps(self.workspace.settings(f"http://{HOST}:{HOOK_PORT}/")))
        fenced = [sys.executable, "-I", relay.__file__, str(folder), str(port), str(HOOK_PORT)]
        slack = [str(tool), "--config", str(config), "--port", str(port), "--base-host", HOST]
        with (folder / "output").open("w") as output:
            process = await asyncio.create_subprocess_exec(
                *FENCE,
                *fenced,
                *slack,
                *("--files-dir", str(folder / "files")),
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is ours: we end it in good order
            )
        stack.push_async_callback(_stop, process)
        return process

    async def _answering(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.returncode is None:
            try:
                await self.inside.get("/_control/state")
                return
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(POLL_SECONDS)
        said = (folder / "output").read_text(errors="replace").strip()[-500:]
        raise RuntimeError(f"local-slack does not answer: {said or 'it says nothing'}")


async def _serve(app: web.Application, site: Callable[[web.AppRunner], web.BaseSite], stack: AsyncExitStack) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await site(runner).start()


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Close its input, by which it ends; where it doesn't, kill it, and by that all in the fence."""
    if process.stdin:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
