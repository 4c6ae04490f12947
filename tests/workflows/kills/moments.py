"""When something is killed: right after a row has appeared in the database, and what makes such rows appear."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select

from countersign.errors import CountersignError
from store import Store
from store.tables import answers, events, mails

SETTLED = ("approved", "rejected", "expired", "cancelled")
LOOK_AGAIN_SECONDS = 0.001

Count = Select[Any]


def _event(*kinds: str, detail: str = "%") -> Callable[[int], Count]:
    return lambda since: select(func.count()).where(
        events.c.version > since, events.c.kind.in_(kinds), events.c.detail.like(detail)
    )


# By moment: the query whose count grows with it, given the record's last version before.
MOMENTS: dict[str, Callable[[int], Count]] = {
    "opened": _event("opened"),
    "level 1 started": _event("level_started", detail="level 1%"),
    "level 2 started": _event("level_started", detail="level 2%"),
    "answer stored": lambda _: select(func.count()).select_from(answers),
    "answer counted": _event("answered"),
    "settled": _event(*SETTLED),
    "revoked": _event("grant_revoked"),
    "told": _event("noticed"),
    "mail claimed": lambda _: select(func.count()).select_from(mails),
    "mail handled": lambda _: select(func.count()).select_from(mails).where(mails.c.state == "handled"),
}


class Watch:
    """Sees a moment come; has to be made before what causes it begins."""

    def __init__(self, store: Store, moment: str, nth: int) -> None:
        self._store = store
        self._query = MOMENTS[moment](store.events.last_version())
        self._awaited = self._count() + nth

    def wait(self, seconds: float, interrupted: Callable[[], bool]) -> bool:
        """Block until the moment has come, for at most `seconds`, or until `interrupted`; returns whether it came."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not interrupted():
            try:
                if self._count() >= self._awaited:
                    return True
            except CountersignError:  # the database is being killed, too
                pass
            time.sleep(LOOK_AGAIN_SECONDS)
        return False

    def pause(self, seconds: float) -> None:
        """Let things go on for a while after the moment."""
        time.sleep(seconds)

    def _count(self) -> int:
        with self._store.database.reading() as connection:
            count: int = connection.execute(self._query).scalar_one()
            return count


class PlannedKill(NamedTuple):
    """Three requests of these kinds are asked for, and as soon as the moment has come, these processes are killed."""

    moment: str
    targets: tuple[str, ...]
    kinds: tuple[str, ...]
    levels: int = 2
    by: str = ""  # the channel that people answer by; either, if it is empty
    freeze: bool = False


ANY = ("approve", "reject", "opposed", "twice", "cancel")
# In every round: moments when one side knows what is being done, and the other doesn't yet.
ALWAYS = [
    PlannedKill("level 2 started", ("worker",), ("approve", "twice")),
    # What Temporal would have told the next worker dies with it: that level 1 was passed.
    PlannedKill("level 2 started", ("temporal", "worker"), ("approve",), by="portal"),
    PlannedKill("answer stored", ("portal",), ("approve",), levels=1, by="portal"),
    PlannedKill("settled", ("worker",), ("approve",), levels=1),
    PlannedKill("mail handled", ("worker",), ("approve",), levels=1, by="email"),
]
# Some of these in each round.
SOMETIMES = [
    PlannedKill("opened", ("worker",), ANY),
    PlannedKill("level 1 started", ("worker",), ANY),
    PlannedKill("level 2 started", ("worker", "portal"), ("approve", "opposed"), by="portal"),
    PlannedKill("answer stored", ("worker",), ANY, by="email"),
    PlannedKill("answer stored", ("portal",), ANY, by="portal"),
    PlannedKill("answer counted", ("worker",), ANY),
    PlannedKill("answer counted", ("temporal",), ANY),
    PlannedKill("settled", ("worker",), ("reject", "cancel", "opposed")),
    PlannedKill("mail claimed", ("worker",), ANY, by="email"),
    PlannedKill("told", ("mail",), ANY),
    PlannedKill("told", ("worker",), ANY),
    PlannedKill("revoked", ("worker", "portal"), ("revoke",), levels=1),
    PlannedKill("settled", ("temporal",), ANY, freeze=True),
    PlannedKill("answer counted", ("worker",), ANY, freeze=True),
]
OF_POSTGRES = [
    PlannedKill("answer counted", ("postgres",), ANY),
    PlannedKill("settled", ("postgres",), ("approve",), levels=1),
    PlannedKill("told", ("postgres", "worker"), ANY),
]
