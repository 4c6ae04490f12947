from __future__ import annotations

from datetime import timedelta

import pytest

from countersign.durations import LONGEST, Unit, duration_parser, whole_minutes
from countersign.times import SECOND


@pytest.mark.parametrize(
    ("unit", "given", "length"),
    [
        ("minutes", "90s", timedelta(seconds=90)),
        ("seconds", "15m", timedelta(minutes=15)),
        ("days", "36h", timedelta(hours=36)),
        ("seconds", " 180d ", timedelta(days=180)),
        ("minutes", "60", timedelta(hours=1)),
        ("seconds", 60, timedelta(minutes=1)),
        ("minutes", 60.0, timedelta(hours=1)),
        ("days", "36500", timedelta(days=36_500)),
        ("days", timedelta(days=2), timedelta(days=2)),
    ],
)
def test_a_number_has_its_own_unit_or_that_of_its_setting(unit: Unit, given: object, length: timedelta) -> None:
    assert duration_parser(unit)(given) == length


@pytest.mark.parametrize(
    "given",
    [
        *["", "0", "0s", "-5", "1.5h", "1h30m", "5w", "5 m", "٣d", "36501d", "999999999d", "9999999999", True, None],
        *[1.5, float("inf"), -1, 10**9, ["90s"], timedelta(0), LONGEST + SECOND],
        # Python refuses to write these out.
        *[pytest.param(1 << 20_000, id="huge"), pytest.param(-(1 << 20_000), id="huge and negative")],
    ],
)
def test_what_is_none_or_too_long_is_refused_with_how_it_is_written(given: object) -> None:
    with pytest.raises(ValueError, match="such as 90s, 15m, 36h or 2d, from 1s to 36500d; a number alone means days"):
        duration_parser("days")(given)


def test_a_duration_may_have_a_shorter_limit() -> None:
    assert duration_parser("minutes", timedelta(days=90))("90d") == timedelta(days=90)
    with pytest.raises(ValueError, match="from 1s to 90d; a number alone means minutes"):
        duration_parser("minutes", timedelta(days=90))(90 * 24 * 60 + 1)


@pytest.mark.parametrize(("seconds", "minutes"), [(0, 0), (1, 1), (60, 1), (61, 2)])
def test_whole_minutes_are_rounded_up(seconds: int, minutes: int) -> None:
    assert whole_minutes(timedelta(seconds=seconds)) == minutes
