"""The Slack to test against, started, isolated, and stopped again."""

import asyncio
import json
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

import aiohttp
from aiohttp import web

from sandbox.slack import relay
from sandbox.slack.inside import Inside
from sandbox.slack.proxy import CLOSE_SECONDS, Proxy
from sandbox.slack.state import State
from sandbox.slack.tool import ISOLATION, check_isolation, find_slack
from sandbox.slack.workspace import Channel, Json, Mode, User, Workspace
from sandbox.temporal_tool import Say, say_on_stderr

HOST = "127.0.0.1"
HOOK_PORT = 8080  # in a network of its own, so always free
# Counted in tries, so that a machine that is slow, or stands still for a while, doesn't use them up.
MOST_TRIES = 600
STOP_SECONDS = 5
POLL_SECONDS = 0.05


class SlackServer:
    """Slack for as long as the `async with` block lasts; `api_url` is its Web API.

    Raises NoSlack if it can't be had here, RuntimeError if it can and doesn't come up.
    """

    def __init__(
        self,
        users: Sequence[User] = (),
        channels: Sequence[Channel] = (),
        mode: Mode = "socket",
        say: Say = say_on_stderr,
    ) -> None:
        self.workspace = Workspace(users, channels, mode)
        self.state = State(self.workspace)
        self.bot_token = self.workspace.bot_token
        self.app_token = self.workspace.app_token
        self.signing_secret = self.workspace.signing_secret
        self.calls = self.state.calls
        self.deliveries = self.state.deliveries
        self._say = say
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            tool = await asyncio.to_thread(find_slack, self._say)
            await asyncio.to_thread(check_isolation)
            self.folder = folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slack-")))
            listening = stack.enter_context(socket.create_server((HOST, 0)))
            port = listening.getsockname()[1]
            self.url = f"http://{HOST}:{port}"
            self.api_url = f"{self.url}/api/"
            self.inside = Inside(folder / "in", self.url)
            stack.push_async_callback(self.inside.close)
            proxy = self._new_proxy()
            stack.push_async_callback(proxy.close)
            process = await self._start(tool, folder, port, stack)
            await self._answering(process, folder)
            await serve(proxy.outside(), lambda runner: web.SockSite(runner, listening), stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def calls_of(self, method: str) -> list[Json]:
        """The arguments of each call of the method, in order."""
        return [call.args for call in self.calls if call.method == method]

    def _new_proxy(self) -> Proxy:
        """The proxy in front of local-slack, which is closed at the end."""
        return Proxy(self.state, self.inside)

    async def _start(self, tool: Path, folder: Path, port: int, stack: AsyncExitStack) -> asyncio.subprocess.Process:
        config = folder / "config.json"
        config.write_text(json.dumps(self.workspace.settings(f"http://{HOST}:{HOOK_PORT}/")))
        relayed = [sys.executable, "-I", relay.__file__, str(folder), str(port), str(HOOK_PORT)]
        slack = [str(tool), "--config", str(config), "--port", str(port), "--base-host", HOST]
        with (folder / "output").open("w") as output:
            process = await asyncio.create_subprocess_exec(
                *ISOLATION,
                *relayed,
                *slack,
                *("--files-dir", str(folder / "files")),
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C reaches only us: we end it properly
            )
        stack.push_async_callback(_stop, process)
        return process

    async def _answering(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        for _ in range(MOST_TRIES):
            if process.returncode is not None:
                break
            try:
                await self.inside.get("/_control/state")
                return
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(POLL_SECONDS)
        written = (folder / "output").read_text(errors="replace").strip()[-500:]
        raise RuntimeError(f"local-slack does not answer: {written or 'it says nothing'}")


async def serve(app: web.Application, site: Callable[[web.AppRunner], web.BaseSite], stack: AsyncExitStack) -> None:
    """Serve an application at this site until the stack unwinds."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await site(runner).start()


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Close its input, at which it ends; if it doesn't, kill it, and with it all that runs in its namespace."""
    if process.stdin:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
