"""Calls local-slack in its own network namespace."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from sandbox.slack.workspace import Json


class Inside:
    """Speaks to local-slack over its unix socket; `base` is the address that local-slack takes for its own."""

    def __init__(self, path: Path, base: str) -> None:
        self.base = base
        # The other side may close a kept connection just when it is used again.
        connector = aiohttp.UnixConnector(path=str(path), limit=0, force_close=True)
        self.session = aiohttp.ClientSession(connector=connector)

    async def get(self, path: str) -> Json:
        """The JSON answer to a GET."""
        async with self.session.get(self.base + path) as response:
            return dict(await response.json())

    async def post(self, path: str, body: Json, token: str = "") -> Json:
        """The JSON answer to a POST."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.session.post(self.base + path, json=body, headers=headers) as response:
            return dict(await response.json())

    def websocket(self, path: str) -> Any:
        """A WebSocket to local-slack, as aiohttp's `ws_connect` gives it."""
        return self.session.ws_connect(self.base + path, max_msg_size=0)

    async def close(self) -> None:
        """Close what is open."""
        await self.session.close()
        await asyncio.sleep(0)  # aiohttp closes its transports on the loop's next turn
