"""Durations as people write them: `90s`, `15m`, `36h`, `180d`; a plain number is of the unit that its setting has."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Literal

Unit = Literal["seconds", "minutes", "hours", "days"]
UNITS: dict[str, Unit] = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
WRITTEN = re.compile(r"([0-9]{1,9})([smhd]?)")
SHORTEST, LONGEST = timedelta(seconds=1), timedelta(days=36_500)


def reads(unit: Unit) -> Callable[[object], timedelta]:
    """What reads a duration, where a number alone is of this unit; for pydantic's BeforeValidator.

    It raises ValueError, with the remedy, for what is no duration from a second to 100 years.
    """

    def read(given: object) -> timedelta:
        found = WRITTEN.fullmatch(str(given).strip())
        length = timedelta(**{UNITS.get(found[2], unit): int(found[1])}) if found else given
        if not isinstance(length, timedelta) or not SHORTEST <= length <= LONGEST:
            raise ValueError(
                f"must be a duration such as 90s, 15m, 36h or 180d, of 36500d at most; a number alone means {unit}"
            )
        return length

    return read
