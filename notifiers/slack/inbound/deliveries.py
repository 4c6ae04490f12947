"""Deliveries that were taken already: Slack may deliver twice, and a signed request may be played again."""

import asyncio
import time
from collections import OrderedDict

from slack_bolt.response import BoltResponse

# A signed request is too old after five minutes; Slack's own retries of an event take an hour, and change nothing.
REMEMBERED_SECONDS = 3600.0
MOST_REMEMBERED = 20_000

Acknowledgement = asyncio.Future[BoltResponse]


class Deliveries:
    """Remembers in this process what was taken. The database sees to it that no answer counts twice."""

    def __init__(self) -> None:
        self._taken: OrderedDict[str, tuple[float, Acknowledgement]] = OrderedDict()

    def take(self, key: str, acknowledgement: Acknowledgement) -> Acknowledgement | None:
        """None the first time, and `acknowledgement` is remembered; later, the one of the first time."""
        now = time.monotonic()
        while self._taken and (len(self._taken) > MOST_REMEMBERED or next(iter(self._taken.values()))[0] < now):
            self._taken.popitem(last=False)
        if key in self._taken:
            return self._taken[key][1]
        self._taken[key] = now + REMEMBERED_SECONDS, acknowledgement
        return None

    def forget(self, key: str) -> None:
        """It had no effect: let another delivery of it be taken."""
        self._taken.pop(key, None)
