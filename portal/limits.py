"""Limits on calls within a minute, calls at the same time, and refusals, so that nobody gets in the way of others."""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from countersign.error_codes import ErrorCode
from countersign.errors import TooMany, Unavailable
from countersign.rates import PerHour, PerMinute

# When somebody with too many calls under way may try again, in seconds.
RETRY_SECONDS = 1


class Refusals(PerHour):
    """Counts each person's refusals within an hour."""

    def must_have_room(self, who: str) -> None:
        """Raise TooMany for somebody who has had as many refusals as are allowed."""
        if left := math.ceil(self.seconds_left(who)):
            message = (
                f"{self.most} of your attempts were refused within an hour; try again in {math.ceil(left / 60)} min."
            )
            raise TooMany(message, ErrorCode.TOO_MANY_REFUSALS, limit=self.most, retry_after=left)


class Calls(PerMinute):
    """Bounds the calls of each token within a minute."""

    def count(self, token_id: str) -> None:
        """Count a call. Raises TooMany."""
        if wait := math.ceil(self.take(token_id)):
            message = f"This token has made {self.most} calls within a minute; try again in {wait} s."
            raise TooMany(message, ErrorCode.TOO_MANY_CALLS, limit=self.most, retry_after=wait)


class AtOnce:
    """Counts the calls under way of each token; refuses more than `most`, or than `in_all` of all tokens."""

    def __init__(self, most: int, in_all: int) -> None:
        self.most = most
        self.in_all = in_all
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def one(self, token_id: str) -> Iterator[None]:
        """Count a call while it runs. Raises TooMany."""
        if self._under_way[token_id] >= self.most:
            message = (
                f"{self.most} calls of this token are being answered already; wait for some of them, and try again."
            )
            raise TooMany(message, ErrorCode.TOO_MANY_AT_ONCE, limit=self.most, retry_after=RETRY_SECONDS)
        if self._under_way.total() >= self.in_all:
            raise Unavailable("The portal has as much to do as it can; try again.")
        self._under_way[token_id] += 1
        try:
            yield
        finally:
            self._under_way[token_id] -= 1
            if not self._under_way[token_id]:
                del self._under_way[token_id]
