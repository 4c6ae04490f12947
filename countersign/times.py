"""How a time and a length of time are written, everywhere alike."""

from datetime import UTC, datetime, timedelta

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def moment(at: datetime) -> str:
    """A time with its zone: `Tue 14 May 2024, 16:30 UTC`."""
    return f"{day(at.astimezone(UTC))}, {at.astimezone(UTC):%H:%M} UTC"


def day(at: datetime) -> str:
    """The day of a time, in its own zone: `Tue 14 May 2024`."""
    return f"{at:%a %-d %b %Y}"


def duration(length: timedelta) -> str:
    """A length of time in all its units: `45 minutes`, `1 hour`, `2 hours 30 minutes`, `3 days`, `90 seconds`."""
    if length % MINUTE and length < 2 * MINUTE:
        return _joined((length // SECOND, "second"))
    days, rest = divmod(length, DAY)
    hours, minutes, seconds = rest // HOUR, rest % HOUR // MINUTE, rest % MINUTE // SECOND
    return _joined((days, "day"), (hours, "hour"), (minutes, "minute"), (seconds, "second")) or "0 minutes"


def span(length: timedelta) -> str:
    """A length of time in its two largest units, never longer than it is: `45 seconds`, `1 hour 20 minutes`."""
    if length < MINUTE:
        return _joined((int(length.total_seconds()), "second")) or "0 seconds"
    if length < DAY:
        return _joined((length // HOUR, "hour"), (length % HOUR // MINUTE, "minute"))
    return _joined((length // DAY, "day"), (length % DAY // HOUR, "hour"))


def ahead(until: datetime, now: datetime) -> str:
    """How long until then: `in 58 minutes`, or `over`."""
    return f"in {span(until - now)}" if until > now else "over"


def ago(since: datetime, now: datetime) -> str:
    """How long ago: `2 minutes ago`. A clock that runs ahead of ours is `just now`."""
    return f"{span(now - since)} ago" if now - since >= timedelta(seconds=1) else "just now"


def _joined(*parts: tuple[int, str]) -> str:
    return " ".join(f"{number} {unit}{'' if number == 1 else 's'}" for number, unit in parts if number > 0)
