"""Rejecting many requests for one reason; each as it would be rejected, or cancelled, on its own page."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from fastapi import Form, Query, Request, Response

from countersign.errors import CountersignError, Refused, message_of
from countersign.models import LONGEST_REASON, PlainText, Verdict
from engine.record import PORTAL
from portal.api.answers import Deciding, decided, may_try
from portal.api.requests import LARGEST, visible_request
from portal.api.routes import refusals_counted
from portal.auth import Caller, CallerHere
from portal.context import Context, ContextHere
from portal.pages.cards import Card
from portal.pages.lists import cards
from portal.pages.render import page
from portal.pages.requests import Nonce, call_id
from portal.pages.route import page_router

MOST_AT_ONCE = 50
NO_REASON = "Say why they are rejected: their requesters are told."
NOTHING_CHOSEN = "Nothing was chosen. Go back, and tick the requests to reject."

Number = Annotated[int, Query(ge=1, le=LARGEST)]
# What to do, to which request, at which level, as shown on the page that was confirmed.
Choice = Annotated[str, Form(pattern=r"^(reject|cancel)[.][0-9]{1,16}[.]([0-9]{1,3}|1000)$")]

router = page_router()


class Outcome(NamedTuple):
    """The outcome for one request; `card` is None if the reader may not see it."""

    number: int
    done: bool
    message: str
    card: Card | None = None


@dataclass(frozen=True)
class Bulk:
    """One confirmed form: who sent it, and why the requests are rejected."""

    request: Request
    context: Context
    caller: Caller
    nonce: str
    reason: str

    async def outcome(self, choice: str) -> Outcome:
        """Reject or cancel one request, and return the outcome."""
        action, number, level = choice.split(".")
        try:
            with refusals_counted(self.request, self.context, self.caller):
                await (self._reject(int(number), int(level)) if action == "reject" else self._cancel(int(number)))
        except CountersignError as error:
            return Outcome(int(number), False, message_of(error))
        return Outcome(int(number), True, "")

    async def _reject(self, number: int, level: int) -> None:
        deciding = Deciding(verdict=Verdict.REJECT, comment=self.reason, level=level or None)
        view = await may_try(self.context, self.caller, number, deciding)
        await decided(self.context, self.caller, view, deciding, f"{self.nonce}.{number}")

    async def _cancel(self, number: int) -> None:
        await visible_request(self.context, self.caller, number)
        nonce = call_id(self.caller, f"{self.nonce}.{number}")
        await self.context.engine.cancel(number, self.caller.principal, PORTAL, self.reason, nonce)


@router.get("/approvals/reject")
async def confirm(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    number: Annotated[list[Number], Query(max_length=MOST_AT_ONCE)] = [],  # noqa: B006 - it is not changed
) -> Response:
    """What would become of each request that was chosen; nothing is done yet."""
    if not number:
        raise Refused(NOTHING_CHOSEN)
    found = await _seen(context, caller, number)
    return page(request, "bulk", found=found, missing=[one for one in number if one not in found])


@router.post("/approvals/reject")
async def reject(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    nonce: Nonce,
    choice: Annotated[list[Choice], Form(max_length=MOST_AT_ONCE)],
    reason: Annotated[PlainText, Form(max_length=LONGEST_REASON)] = "",
) -> Response:
    """Reject or cancel them; the form sent again does nothing twice."""
    if not reason:
        raise Refused(NO_REASON)
    bulk = Bulk(request, context, caller, nonce, reason)
    outcomes = await asyncio.gather(*(bulk.outcome(one) for one in dict.fromkeys(choice)))
    found = await _seen(context, caller, [one.number for one in outcomes])
    shown = [one._replace(card=found.get(one.number)) for one in outcomes]
    return page(request, "bulk_done", outcomes=shown)


async def _seen(context: Context, caller: Caller, numbers: list[int]) -> dict[int, Card]:
    """Those of these requests that the caller may see."""
    views = await context.run(context.store.reading.several, numbers)
    return {card.request.approval_id: card for card in cards(caller, views) if caller.visibility.sees(card.request)}
