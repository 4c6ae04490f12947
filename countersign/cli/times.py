"""Times as people read them: the local clock, and how long ago or how long still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def now() -> datetime:
    """The time of this machine's clock."""
    return datetime.now(UTC)


def span(length: timedelta) -> str:
    """A length of time in its two largest units, never longer than it is: `45 s`, `4 min`, `1 h 20 min`, `3 d 2 h`."""
    if length < MINUTE:
        return f"{max(0, int(length.total_seconds()))} s"
    if length < HOUR:
        return f"{length // MINUTE} min"
    if length < DAY:
        return _two(length // HOUR, "h", length % HOUR // MINUTE, "min")
    return _two(length // DAY, "d", length % DAY // HOUR, "h")


def _two(large: int, unit: str, small: int, smaller: str) -> str:
    return f"{large} {unit} {small} {smaller}" if small else f"{large} {unit}"


def left(until: datetime, at: datetime) -> str:
    """How long still: `4 min left`, or `over`."""
    return f"{span(until - at)} left" if until > at else "over"


def ago(since: datetime, at: datetime) -> str:
    """How long ago: `2 min ago`. A clock that runs ahead of ours is `just now`."""
    return f"{span(at - since)} ago" if at - since >= timedelta(seconds=1) else "just now"


def clock(when: datetime, at: datetime, *, seconds: bool = False, zone: bool = False) -> str:
    """The local time; with its date unless that is today's, with seconds or the zone where asked."""
    local = when.astimezone()
    date = "" if local.date() == at.astimezone().date() else f"{local:%Y-%m-%d} "
    return date + local.strftime("%H:%M:%S" if seconds else "%H:%M") + (f" {local.tzname()}" if zone else "")
