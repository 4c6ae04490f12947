"""Bounds how often something happens to each of many within a minute, in this process."""

import time

from countersign.per_hour import MOST_NAMES

MINUTE_SECONDS = 60.0


class PerMinute:
    """For each name `most` on average, and as many in a row; 0 means any number."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> float:
        """Count one more, and return 0; or in how many seconds there is room for one, which is not counted."""
        if not self.most:
            return 0.0
        now, a_second = time.monotonic(), self.most / MINUTE_SECONDS
        if len(self._left) > MOST_NAMES:  # who was quiet for a minute has all of them again
            self._left = {one: kept for one, kept in self._left.items() if kept[1] > now - MINUTE_SECONDS}
        left, at = self._left.get(name, (self.most, now))
        left = min(self.most, left + (now - at) * a_second)
        if left < 1:
            return (1 - left) / a_second
        self._left[name] = left - 1, now
        return 0.0
