"""Kinds of forgeries: each a name, and what it sends.

A forger here has more than any real one would: what is changed is signed again with the true secret, or sent over the
true socket, unless the kind is about that. So only the check that a kind is about can stop it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.slack.workspace import Json
from tests.slack.forge.aim import ABSENT, Aim
from tests.slack.forge.sending import Wire, send

Change = Callable[[Json, Aim], object]
Act = Callable[[Aim], Awaitable[int]]


@dataclass(frozen=True)
class Kind:
    """One kind of forgery: `act` sends it and returns the status of the answer, which is one of `answers`.

    With `recorded`, the record has to show that it was refused; without, it has to show no refusal.
    """

    name: str
    act: Act
    recorded: bool = True
    answers: frozenset[int] = frozenset({200, 400})


def kinds(
    base: Callable[[Aim], Json], changes: Mapping[str, Change], *, recorded: bool = True, wire: Wire = "interactive"
) -> list[Kind]:
    """A kind for each change of the genuine payload."""

    def acting(change: Change) -> Act:
        async def act(aim: Aim) -> int:
            payload = base(aim)
            change(payload, aim)
            return await send(aim.context, payload, wire)

        return act

    return [Kind(name, acting(change), recorded) for name, change in changes.items()]


def put(path: str, value: Any) -> Change:
    """Set the value at a path such as `actions.0.value`; `ABSENT` removes what is there.

    A function is called with the aim to get the value.
    """

    def change(payload: Json, aim: Aim) -> None:
        *parents, last = path.split(".")
        place: Any = payload
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
        said = value(aim) if callable(value) else value
        if said is ABSENT:
            del place[last]
        else:
            place[int(last) if isinstance(place, list) else last] = said

    return change
