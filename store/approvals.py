"""The requests that wait for somebody's answer, the most urgent first, along an index of what waits.

Its cost grows with what waits, not with what is over: of each request that waits, it is looked up who is asked.
"""

from typing import Any

from sqlalchemy import Boolean, ColumnElement, Select, false, func, literal, select, true, tuple_

from store.requests import WAITING
from store.tables import answers, approvers, requests

URGENCY = (requests.c.deadline, requests.c.approval_id)


def waiting_for(one: str, after: int = 0) -> Select[Any]:
    """The numbers of those that wait for somebody's answer, after the request of this number in that order."""
    seat = (approvers.c.approval_id == requests.c.approval_id) & (approvers.c.person == one)
    asked = select(true()).where(seat, approvers.c.level == requests.c.level)
    answered = select(true()).where(
        *(answers.c.approval_id == requests.c.approval_id, answers.c.level == requests.c.level),
        *(answers.c.person == one, answers.c.state == "accepted"),
    )
    waiting = select(requests.c.approval_id).where(requests.c.status == WAITING, _any(asked), ~_any(answered))
    if after:
        its_deadline = select(requests.c.deadline).where(requests.c.approval_id == after).scalar_subquery()
        waiting = waiting.where(tuple_(*URGENCY) > tuple_(its_deadline, literal(after, requests.c.approval_id.type)))
    return waiting.order_by(*URGENCY)


def _any(rows: Select[Any]) -> ColumnElement[bool]:
    """Whether there is such a row.

    PostgreSQL looks that up for each request. An EXISTS it might answer by reading all that a person was ever asked. Of
    a COALESCE it expects to hold for half of them, and so it reads them in their order until a page is full.
    """
    return func.coalesce(rows.limit(1).scalar_subquery(), false(), type_=Boolean())
