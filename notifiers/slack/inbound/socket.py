"""Socket Mode: what Slack sends over a connection that we open, so that it needs no public address.

Slack spreads what it sends over all connections of the app that it counts, also over dead ones that it has not given
up yet (https://github.com/slackapi/python-slack-sdk/issues/1940), and an idle one can stop delivering while it answers
each ping (https://github.com/slackapi/bolt-python/issues/1529). So we keep only one at a time, make it anew until Slack
counts no other, and call Slack's API when nothing came for a minute.
"""

import asyncio
import logging
import random
import time
from contextlib import suppress

import aiohttp

from countersign.errors import CountersignError
from countersign.views import Finding
from notifiers.slack.client.api import SlackApi
from notifiers.slack.inbound import socket_report
from notifiers.slack.inbound.connection import (
    CLOSE_SECONDS,
    COUNT_AGAIN,
    LOST,
    NO_HELLO,
    PING_SECONDS,
    Connection,
    State,
)
from notifiers.slack.inbound.payload_reader import PayloadReader

# After this long without a delivery, Slack's API is called.
SILENCE_SECONDS = 60.0
# While Slack counts other connections, ours is made anew after these times, as a dead one can be counted for hours.
COUNT_AGAIN_SECONDS = (15.0, 60.0, 300.0, 900.0)
# After a connection that lasted longer than this, the next is opened at once.
STEADY_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 60.0
# If Slack counts too many, or Socket Mode is off, connecting again at once makes it worse, or is in vain.
LEAST_PAUSE_SECONDS = {"too_many_websockets": 10.0, "link_disabled": 60.0}

log = logging.getLogger(__name__)


class Socket:
    """Keeps one connection open from `start` to `close`, whatever happens to it."""

    def __init__(self, api: SlackApi, payload_reader: PayloadReader, app_token: str) -> None:
        self._api = api
        self._payload_reader = payload_reader
        self._app_token = app_token
        self._keeping: asyncio.Task[None] | None = None
        self._state = State()
        self._failures = 0
        self._looks = 0

    def findings(self) -> list[Finding]:
        """The findings about the connection, for `countersign doctor` and `/health`."""
        return socket_report.findings(self._state)

    def start(self) -> None:
        """Begin to connect; returns at once, whether Slack can be reached or not."""
        self._keeping = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Close the connection and take nothing more."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})

    async def _keep(self) -> None:
        while True:
            began = time.monotonic()
            reason = await self._one()
            if reason == COUNT_AGAIN:
                continue
            steady = time.monotonic() - began > STEADY_SECONDS
            self._failures = 0 if steady else self._failures + 1
            await asyncio.sleep(pause(reason, self._failures))

    async def _one(self) -> str:
        """One connection from its address to its end; returns why it ended, and keeps the reason."""
        try:
            answer = await self._api.call("apps.connections.open", "the app", app_token=self._app_token)
            async with aiohttp.ClientSession() as session:
                async with session.ws_connect(
                    str(answer.get("url")),
                    heartbeat=PING_SECONDS,
                    autoping=False,
                    proxy=self._api.proxy,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
                ) as websocket:
                    reason = await self._served(Connection(websocket, self._payload_reader, self._state))
                # The transport closes in the loop's next round.
                await asyncio.sleep(0)
        except CountersignError as error:
            self._ended(str(error))
            return LOST
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            # Not its text, which may hold the address with its ticket.
            self._ended(f"the connection failed ({type(error).__name__})")
            return LOST
        if reason != COUNT_AGAIN:
            self._ended(socket_report.WHY_ENDED.get(reason, f"Slack ended the connection ({reason})"))
        return reason

    async def _served(self, connection: Connection) -> str:
        probing = asyncio.create_task(self._probe())
        try:
            if not await connection.hello():
                return NO_HELLO
            self._greeted()
            if self._state.connections == 1:
                return await connection.until_over()
            async with asyncio.timeout(self._until_next_look()):
                return await connection.until_over()
        except TimeoutError:
            return COUNT_AGAIN
        finally:
            probing.cancel()
            await connection.close()

    def _greeted(self) -> None:
        state = self._state
        state.why = ""
        if state.connections == 1:
            self._looks = 0
            log.info("connected to Slack's socket, and alone there")
        elif self._looks == 0:
            log.warning("connected to Slack's socket; %s", socket_report.others(state.connections))

    def _until_next_look(self) -> float:
        seconds = COUNT_AGAIN_SECONDS[min(self._looks, len(COUNT_AGAIN_SECONDS) - 1)]
        self._looks += 1
        return seconds

    def _ended(self, why: str) -> None:
        if why != self._state.why:
            level = logging.INFO if why == socket_report.RENEWED else logging.WARNING
            log.log(level, "Slack's socket: %s; connecting anew", why)
        self._state.why = why

    async def _probe(self) -> None:
        """Call Slack's API after each minute without a delivery: that wakes an idle connection that went silent."""
        while True:
            quiet = time.monotonic() - self._state.idle_since
            await asyncio.sleep(max(SILENCE_SECONDS - quiet, 0))
            if time.monotonic() - self._state.idle_since >= SILENCE_SECONDS:
                self._state.idle_since = time.monotonic()
                with suppress(CountersignError):  # `doctor` reports the app and its token
                    await self._api.call("auth.test", "the app")


def pause(reason: str, failures: int) -> float:
    """Seconds until the next connection, after one that ended for this reason, and this many failures in a row."""
    seconds = 0.0 if failures == 0 else min(2.0 ** (failures - 1), LONGEST_PAUSE_SECONDS)
    # So that not all portals connect at the same moment.
    return max(seconds * random.uniform(0.5, 1.0), LEAST_PAUSE_SECONDS.get(reason, 0.0))
