"""Times in a terminal: in the time zone of this machine, and how long ago or ahead."""

from datetime import UTC, datetime

from countersign.times import ago, ahead, day

__all__ = ["ago", "ahead", "clock", "now"]


def now() -> datetime:
    """The time of this machine's clock."""
    return datetime.now(UTC)


def clock(when: datetime, at: datetime, *, seconds: bool = False, zone: bool = False) -> str:
    """The local time; with its day unless that is today, and with seconds or the time zone if asked."""
    local = when.astimezone()
    date = "" if local.date() == at.astimezone().date() else f"{day(local)}, "
    return date + local.strftime("%H:%M:%S" if seconds else "%H:%M") + (f" {local.tzname()}" if zone else "")
