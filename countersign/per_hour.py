"""Counts how often something happened to each of many within an hour, in this process."""

import time
from collections import deque

HOUR_SECONDS = 3600.0
# With more names than this, those to whom nothing happened within the hour are forgotten.
MOST_NAMES = 10_000


class PerHour:
    """Counts for each name up to `most`; 0 means any number."""

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
        """In how many seconds there is room for one more; 0 where there is now."""
        times = self._lately(name)
        if not self.most or len(times) < self.most:
            return 0.0
        return max(times[-self.most] + HOUR_SECONDS - time.monotonic(), 0.0)

    def _lately(self, name: str) -> deque[float]:
        times = self._times.get(name, deque(maxlen=self.most or 1))
        while times and times[0] <= time.monotonic() - HOUR_SECONDS:
            times.popleft()
        return times
