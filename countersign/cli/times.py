"""Times in a terminal: by the clock of whoever reads, and how long ago or how long still."""

from datetime import UTC, datetime

from countersign.times import ago, ahead, day

__all__ = ["ago", "ahead", "clock", "now"]


def now() -> datetime:
    """The time of this machine's clock."""
    return datetime.now(UTC)


def clock(when: datetime, at: datetime, *, seconds: bool = False, zone: bool = False) -> str:
    """The local time; with its day unless that is today, with seconds or the zone where asked."""
    local = when.astimezone()
    date = "" if local.date() == at.astimezone().date() else f"{day(local)}, "
    return date + local.strftime("%H:%M:%S" if seconds else "%H:%M") + (f" {local.tzname()}" if zone else "")
