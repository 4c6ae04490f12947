"""Times and lengths of time are written in one way, and no length is shown longer than it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from countersign import times

NOW = datetime(2024, 5, 14, 16, 30, tzinfo=UTC)


def minutes(number: float) -> datetime:
    return NOW + timedelta(minutes=number)


def test_a_moment_has_its_day_and_its_zone() -> None:
    assert (
        times.moment(NOW) == times.moment(NOW.astimezone(timezone(timedelta(hours=9)))) == "Tue 14 May 2024, 16:30 UTC"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 seconds"),
        (1, "1 second"),
        (59.9, "59 seconds"),
        (60, "1 minute"),
        (3599, "59 minutes"),
        (3600, "1 hour"),
        (4800, "1 hour 20 minutes"),
        (86399, "23 hours 59 minutes"),
        (86400, "1 day"),
        (180000, "2 days 2 hours"),
    ],
)
def test_a_span_is_never_said_longer_than_it_is(seconds: float, text: str) -> None:
    assert times.span(timedelta(seconds=seconds)) == text


def test_what_lies_ahead_and_what_is_over() -> None:
    assert times.ahead(minutes(4.5), NOW) == "in 4 minutes"
    assert times.ahead(NOW, NOW) == "over"
    assert times.ago(minutes(-2), NOW) == "2 minutes ago"
    assert times.ago(minutes(1), NOW) == "just now"


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(0), "0 minutes"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=90), "90 seconds"),
        (timedelta(minutes=45), "45 minutes"),
        (timedelta(minutes=2, seconds=30), "2 minutes 30 seconds"),
        (timedelta(minutes=61), "1 hour 1 minute"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=3, hours=3, minutes=5), "3 days 3 hours 5 minutes"),
    ],
)
def test_a_duration_has_all_its_units(length: timedelta, text: str) -> None:
    assert times.duration(length) == text
