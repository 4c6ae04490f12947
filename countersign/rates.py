"""Counts how often something happens to each of many names within an hour or a minute, in this process."""

import time
from collections import deque

HOUR_SECONDS, MINUTE_SECONDS = 3600.0, 60.0
# With more names than this, those to whom nothing happened within that time are forgotten.
MOST_NAMES = 10_000


class PerHour:
    """Counts what happened, for each name up to `most`; 0 means any number."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._times: dict[str, deque[float]] = {}

    def count(self, name: str) -> None:
        """It happened once more."""
        if len(self._times) > MOST_NAMES:
            self._times = {one: times for one in self._times if (times := self._lately(one))}
        times = self._lately(name)
        times.append(time.monotonic())
        self._times[name] = times

    def seconds_left(self, name: str) -> float:
        """In how many seconds there is room for one more; 0 if there is now."""
        times = self._lately(name)
        if not self.most or len(times) < self.most:
            return 0.0
        return max(times[-self.most] + HOUR_SECONDS - time.monotonic(), 0.0)

    def _lately(self, name: str) -> deque[float]:
        times = self._times.get(name, deque(maxlen=self.most or 1))
        while times and times[0] <= time.monotonic() - HOUR_SECONDS:
            times.popleft()
        return times


class PerMinute:
    """Limits what happens: for each name `most` a minute on average, and as many at once; 0 means any number."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> float:
        """Count one more, and return 0; if there is no room, count nothing, and return in how many seconds there is."""
        if not self.most:
            return 0.0
        now, a_second = time.monotonic(), self.most / MINUTE_SECONDS
        if len(self._left) > MOST_NAMES:  # a name that was quiet for a minute has all of `most` again
            self._left = {one: kept for one, kept in self._left.items() if kept[1] > now - MINUTE_SECONDS}
        left, at = self._left.get(name, (self.most, now))
        left = min(self.most, left + (now - at) * a_second)
        if left < 1:
            return (1 - left) / a_second
        self._left[name] = left - 1, now
        return 0.0
