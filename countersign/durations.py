"""Durations as people write them: `90s`, `15m`, `36h`, `180d`; a number alone is in the unit of its field."""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal

from annotated_types import GroupedMetadata
from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from countersign.times import MINUTE, SECOND

Unit = Literal["seconds", "minutes", "hours", "days"]
UNITS: dict[str, Unit] = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# Nine digits at most. A whole number may be written in every way that was accepted before there were units.
WRITTEN = re.compile(r"\+?([0-9](?:_?[0-9]){0,8})(?:\.0+)?([smhd]?)")
SHORTEST, LONGEST = SECOND, timedelta(days=36_500)


def duration_parser(
    unit: Unit, longest: timedelta = LONGEST, shortest: timedelta = SHORTEST
) -> Callable[[object], timedelta]:
    """A parser for durations, for pydantic's BeforeValidator; a number alone is in this unit.

    It raises ValueError, with the remedy, for anything but a duration from `shortest` to `longest`.
    """

    def read(given: object) -> timedelta:
        length = _length(given, unit)
        if length is None or not shortest <= length <= longest:
            raise ValueError(
                f"must be a duration such as 90s, 15m, 36h or 2d, from {_written(shortest)} to {_written(longest)}; "
                f"a number alone means {unit}"
            )
        return length

    return read


def _length(given: object, unit: Unit) -> timedelta | None:
    if isinstance(given, timedelta):
        return given
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    # A larger number can't be written in nine digits, and Python refuses to write the largest.
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < 10**9:
        given = str(given)
    found = WRITTEN.fullmatch(given.strip()) if isinstance(given, str) else None
    return timedelta(**{UNITS.get(found[2], unit): int(found[1])}) if found else None


def _written(length: timedelta) -> str:
    """A duration in the largest unit in which it is a whole number."""
    for letter, unit in reversed(UNITS.items()):
        if length and not length % timedelta(**{unit: 1}):
            return f"{length // timedelta(**{unit: 1})}{letter}"
    return f"{length // SECOND}s"


@dataclass(frozen=True)
class Length(GroupedMetadata):
    """What a field that is a duration accepts, also as a JSON Schema for editors. A serializer has to precede it.

    A number alone is in this unit.
    """

    unit: Unit
    longest: timedelta
    shortest: timedelta = SHORTEST

    def __iter__(self) -> Iterator[object]:
        yield BeforeValidator(duration_parser(self.unit, self.longest, self.shortest))
        most = self.longest // timedelta(**{self.unit: 1})
        text = {"type": "string", "pattern": "^[0-9]{1,9}[smhd]?$"}
        yield WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": most}, text]})


def whole_minutes(length: timedelta) -> int:
    """A duration in whole minutes, rounded up, as questions and replies give it."""
    return math.ceil(length / MINUTE)


def _as_minutes(length: timedelta) -> int | str:
    """Whole minutes as a number, as they were always stored; any other duration in seconds, such as `90s`."""
    return f"{length // SECOND}s" if length % MINUTE else length // MINUTE


# For a field that is stored and sent as a number of minutes.
AS_MINUTES = PlainSerializer(_as_minutes, when_used="json")


# A duration that was validated before, and may be 0.
StoredMinutes = Annotated[timedelta, BeforeValidator(duration_parser("minutes", shortest=timedelta(0))), AS_MINUTES]
