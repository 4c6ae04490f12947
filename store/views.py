"""Reads requests as people see them: any number of them in four statements."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, Select, Text, bindparam, cast, func, select

from countersign.directory import Policy
from countersign.durations import whole_minutes
from countersign.kinds import question_from
from countersign.models import ASKING, GATEWAY, STARTED_IN_TEMPORAL, Decision, GrantView, Route, Status
from countersign.notifications import Person
from countersign.times import SECOND
from countersign.views import ApproverView, RequestView
from store import grants as held
from store.answers import decisions_by_request
from store.many_rows import by_request, many_rows
from store.subjects import SUBJECT_COLUMNS
from store.tables import ROOM, approvers, as_written, events, grants, notifications, one_of, requests

# The prefix of a grant's columns when they are read with its request.
GRANT = "grant_"

# The columns of a request that nobody is shown; those of the subject are in its question, too.
NOT_SHOWN = {"workflow_id", "run_id", "started_at", "route", *SUBJECT_COLUMNS}
_NEWEST = select(func.max(events.c.version)).where(events.c.approval_id == requests.c.approval_id)
RENEWED = grants.alias()
ALL = (
    select(
        *(column for column in requests.columns if column.key not in NOT_SHOWN),
        cast(requests.c.route, Text).label("route"),  # few differ: `route_from`
        func.coalesce(_NEWEST.scalar_subquery(), as_written(0)).label("version"),
        *(grants.c[name].label(f"{GRANT}{name}") for name in held.SHOWN),
        func.coalesce(RENEWED.c.ended_at, RENEWED.c.ends_at).label("goes_on_after"),
    )
    .join(grants, grants.c.approval_id == requests.c.approval_id, isouter=True)
    .join(RENEWED, RENEWED.c.approval_id == requests.c.renews, isouter=True)
    .order_by(requests.c.approval_id.desc())
)
NUMBERS: BindParameter[int] = bindparam("numbers", expanding=True, literal_execute=True)
OF_NUMBERS = ALL.where(requests.c.approval_id.in_(NUMBERS))
APPROVERS = select(approvers).where(approvers.c.approval_id.in_(NUMBERS)).order_by(*approvers.primary_key)
DELIVERIES = select(
    *(notifications.c[name] for name in ("approval_id", "level", "person", "state", "tries", "held_until"))
).where(notifications.c.approval_id.in_(NUMBERS), one_of(notifications.c.event, ASKING))


def rows_of(connection: Connection, approval_ids: Sequence[int] | Select[Any]) -> Sequence[Row[Any]]:
    """Requests, newest first, each with the `version` of its newest event, and its grant (`_grant`)."""
    if isinstance(approval_ids, Select):
        return many_rows(connection, ALL.where(requests.c.approval_id.in_(approval_ids)))
    return many_rows(connection, OF_NUMBERS, {"numbers": approval_ids})


@lru_cache(maxsize=256)
def route_from(written: str) -> Route:
    """The route that was read with a request. It is cached, as many requests have the same one."""
    return Route.model_validate_json(written)


def views(
    connection: Connection, policy: Policy, rows: Sequence[Row[Any]], deliveries: "DeliveryStates | None" = None
) -> list[RequestView]:
    """The views of rows that `rows_of` read, in their order; `deliveries`, if they were read already."""
    if not rows:
        return []
    numbers = [row.approval_id for row in rows]
    asked = by_request(many_rows(connection, APPROVERS, {"numbers": numbers}))
    decisions = decisions_by_request(connection, numbers)
    deliveries = deliveries or DeliveryStates(connection, rows)
    return [_view(policy, row, asked[row.approval_id], decisions.get(row.approval_id, []), deliveries) for row in rows]


def person(policy: Policy, one: str) -> Person:
    """Somebody of the directory; somebody deleted from it has their id as a name, and no address."""
    user = policy.users.get(one)
    name = principal_name(policy, one)
    return Person(id=one, name=name, email=user.email if user else "", enabled=policy.enabled(one))


def principal_name(policy: Policy, who: str) -> str:
    """The name of whoever asks or does something."""
    if who == STARTED_IN_TEMPORAL:
        return "Temporal (raw start)"
    if (name := who.removeprefix(GATEWAY)) != who:
        return f"Gateway {name}"
    return policy.users[who].name if who in policy.users else who


def _grant(row: Row[Any], policy: Policy) -> GrantView | None:
    """The grant that was read with a request; None if it has none."""
    return held.view(row, policy, GRANT) if row.grant_approval_id is not None else None


class DeliveryStates:
    """For the waiting ones of these requests: whom a message that asks them has reached, or is on its way to."""

    def __init__(self, connection: Connection, rows: Iterable[Row[Any]]) -> None:
        waiting = [row.approval_id for row in rows if row.status == Status.WAITING]
        self._states: dict[tuple[int, int, str], set[str]] = defaultdict(set)
        for row in many_rows(connection, DELIVERIES, {"numbers": waiting}) if waiting else ():
            on_its_way = row.state == "waiting" and (row.tries == 0 or row.held_until is not None)
            self._states[row.approval_id, row.level, row.person].add("on its way" if on_its_way else row.state)

    def is_in(self, states: Collection[str], approval_id: int, level: int, person: str, rooms: Collection[str]) -> bool:
        """Whether one of the messages to somebody, or to a room for all who are asked, is in one of these states."""
        whom = [person, *(f"{ROOM}{room}" for room in rooms)]
        return any(state in states for one in whom for state in self._states.get((approval_id, level, one), ()))


def _view(
    policy: Policy,
    row: Row[Any],
    asked: Sequence[Row[Any]],
    decisions: list[Decision],
    deliveries: DeliveryStates,
) -> RequestView:
    route = route_from(row.route)
    rooms, settled = route.rooms.values(), row.status != Status.WAITING
    view = RequestView(
        approval_id=row.approval_id,
        question=question_from(row.question),
        requester_name=principal_name(policy, row.requester),
        asked_by=row.asked_by or row.requester,
        asked_by_name=principal_name(policy, row.asked_by or row.requester),
        because=route.because,
        status=Status(row.status),
        message=row.message,
        level=row.level,
        levels=len(route.levels),
        quorum=route.levels[row.level - 1].quorum if route.levels and row.level else 0,
        opened_at=row.opened_at,
        deadline=row.deadline,
        settled_at=row.settled_at,
        grant_minutes=whole_minutes(route.grant_lasts),
        grant_seconds=route.grant_lasts // SECOND,
        rejection_needs_reason=route.rejection_needs_reason,
        confirm=route.confirm,
        same_source_address=policy.same_source_address,
        channels=route.channels,
        approvers=[
            ApproverView(
                level=one.level,
                person=one.person,
                name=principal_name(policy, one.person),
                because=one.because,
                availability=one.availability,
                told=settled or deliveries.is_in({"sent"}, row.approval_id, one.level, one.person, rooms),
            )
            for one in asked
        ],
        decisions=decisions,
        grant=_grant(row, policy),
        renews=row.renews,
        goes_on_after=row.goes_on_after,
        version=row.version,
    )
    view._token_run = row.token_run
    return view
