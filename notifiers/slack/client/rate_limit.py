"""Calls no faster than Slack allows: https://docs.slack.dev/apis/web-api/rate-limits."""

import asyncio
import time

from countersign.errors import Unavailable

# Slack takes about one message a second in a conversation, and short bursts beyond that.
SECONDS_A_MESSAGE = 1.0
BURST = 3
# A call that would have to wait longer fails at once, and is tried again later.
LONGEST_WAIT = 5.0
# With more conversations than this, idle ones are forgotten.
MOST_KNOWN = 1000


class RateLimit:
    """Delays messages to a conversation, and calls of a method, as Slack's limits want."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._not_before: dict[str, float] = {}

    async def wait(self, method: str, conversation: str = "") -> None:
        """Wait until the call may be made; raises Unavailable if that would take long."""
        now = time.monotonic()
        wait = self._not_before.get(method, now) - now
        if conversation:
            due = max(self._due.get(conversation, now), now)
            wait = max(wait, due - now - (BURST - 1) * SECONDS_A_MESSAGE)
        if wait > LONGEST_WAIT:
            raise Unavailable(f"Slack takes no {method} for another {wait:.0f} seconds; it is tried again after that")
        if conversation:
            self._book(conversation, due + SECONDS_A_MESSAGE, now)
        if wait > 0:
            await asyncio.sleep(wait)

    def delay(self, method: str, seconds: float) -> None:
        """Delay the calls of a method, as Slack asked."""
        self._not_before[method] = max(self._not_before.get(method, 0.0), time.monotonic() + seconds)

    def _book(self, conversation: str, due: float, now: float) -> None:
        if len(self._due) >= MOST_KNOWN:
            self._due = {name: at for name, at in self._due.items() if at > now}
        self._due[conversation] = due
