"""The requests that wait for somebody's answer, the most urgent first, along an index of what waits.

The cost grows with the requests that wait, not with those that are over: for each that waits, its approvers are read.
"""

from typing import Any

from sqlalchemy import Boolean, ColumnElement, Select, false, func, literal, select, true, tuple_

from store.requests import WAITING
from store.tables import answers, approvers, requests

URGENCY = (requests.c.deadline, requests.c.approval_id)


def waiting_for(one: str, after: int = 0) -> Select[Any]:
    """The numbers of the requests that wait for somebody's answer, by urgency, after the request with this number."""
    is_approver = (approvers.c.approval_id == requests.c.approval_id) & (approvers.c.person == one)
    asked = select(true()).where(is_approver, approvers.c.level == requests.c.level)
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

    PostgreSQL might answer an EXISTS by reading everything that a person was ever asked, so each request is looked up
    by a subquery. Within a COALESCE it expects half of the requests to match, and stops when the page is full.
    """
    return func.coalesce(rows.limit(1).scalar_subquery(), false(), type_=Boolean())
