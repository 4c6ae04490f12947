"""What people do in Slack, beyond what they do in the demo."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from sandbox.slack.people import CannotDo, NotDelivered, now, send_prepared
from sandbox.slack.server import SlackServer
from sandbox.slack.state import Delivery

T = TypeVar("T")
POLL_SECONDS = 0.1
LATE_SECONDS = 20.0
WAIT_SECONDS = 120.0


async def until_seen(look: Callable[[], Awaitable[T]], seconds: float = WAIT_SECONDS) -> T:
    """Look again and again until there is something to see, and return it; raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not (seen := await look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing to see after {seconds} s")
        await asyncio.sleep(POLL_SECONDS)
    return seen


async def shortcut(slack: SlackServer, callback_id: str, user: str) -> Delivery:
    """Use a global shortcut; local-slack has none, so it is sent as a click and turned into a shortcut on its way."""
    return await send_prepared(slack, {"type": "shortcut", "callback_id": callback_id, "action_ts": now()}, user)


async def close_modal(slack: SlackServer, user: str) -> Delivery | None:
    """Close the modal without submitting; the app is notified if it asked for that."""
    stack = slack.state.modals.get(user)
    if not stack:
        raise CannotDo("no modal is open")
    view = stack.pop()
    if not view.get("notify_on_close"):
        return None
    return await send_prepared(slack, {"type": "view_closed", "view": view, "is_cleared": False}, user)


async def insisting(act: Callable[[], Awaitable[Delivery]], times: int = 3) -> Delivery:
    """Do it again if the app can't be reached; if it only answers late, what was sent counts, so wait for that."""
    for _ in range(times - 1):
        try:
            return await act()
        except NotDelivered as error:
            if answered := await _late_answer(error.unanswered):
                return answered
    return await act()


async def _late_answer(unanswered: Sequence[Delivery]) -> Delivery | None:
    async def over() -> bool:
        return all(delivery.over for delivery in unanswered)

    with suppress(TimeoutError):
        await until_seen(over, LATE_SECONDS)
    return next((delivery for delivery in unanswered if delivery.status == 200), None)
