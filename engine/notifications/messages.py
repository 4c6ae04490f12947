"""What a notification shows: the request as it is now, for the person it is sent to."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from countersign.directory import Policy
from countersign.models import Event, Route, Status
from countersign.notifications import Notification, RequestNotification
from countersign.permissions import may_decide_by
from countersign.views import RequestView
from engine.part import EnginePart
from store import shown_messages
from store.database import reads
from store.tables import ROOM
from store.views import DeliveryStates, person, principal_name, route_from, rows_of, views


class Messages(EnginePart):
    """Reads notifications in full. Changes nothing."""

    @reads
    def of(self, rows: Sequence[Row[Any]]) -> list[tuple[str, Notification]]:
        """The channel and the full message of each notification."""
        with self.database.reading() as connection:
            return self.read(connection, rows)

    def read(self, connection: Connection, rows: Sequence[Row[Any]]) -> list[tuple[str, Notification]]:
        """The same within a transaction."""
        if not rows:
            return []
        _, policy = self.policies.in_force(connection)
        numbers = {row.approval_id for row in rows if row.approval_id is not None}
        about = {row.approval_id: row for row in rows_of(connection, list(numbers))}
        deliveries = DeliveryStates(connection, about.values())
        shown = {view.approval_id: view for view in views(connection, policy, list(about.values()), deliveries)}
        routes = {n: route_from(row.route) for n, row in about.items()}
        live_messages = self._live_messages(connection, rows)
        return [
            (
                row.channel,
                _general(policy, row)
                if row.approval_id is None
                else _message(policy, shown[row.approval_id], routes[row.approval_id], row, deliveries).model_copy(
                    update={
                        "live_message": live_messages.get(_place(row), ""),
                        "transition": about[row.approval_id].transition,
                    }
                ),
            )
            for row in rows
        ]

    def _live_messages(self, connection: Connection, rows: Sequence[Row[Any]]) -> dict[tuple[Any, ...], str]:
        """The newest live message of each person about a request, on the channels of these notifications."""
        live = {row.approval_id for row in rows if row.channel in self.live and row.approval_id is not None}
        if not live:
            return {}
        return {_place(row): row.reference for row in shown_messages.of(connection, live)}


def _place(row: Row[Any]) -> tuple[int, str, str]:
    return row.approval_id, row.channel, row.person


def _general(policy: Policy, row: Row[Any]) -> Notification:
    """A notification about no request."""
    return Notification(
        id=row.id,
        event=row.event,
        to=person(policy, row.person),
        written_at=row.written_at,
        fields=row.fields or {},
        again=row.tries > 0,
    )


def _message(
    policy: Policy, view: RequestView, route: Route, row: Row[Any], deliveries: DeliveryStates
) -> RequestNotification:
    # Approvers see the level they were asked at, the requester the current one.
    level = view.level if row.person == view.question.requester else row.level
    approvers = [one.person for one in view.approvers if one.level == level]
    asked = [person(policy, one) for one in approvers]
    about = {"sent", "on its way"}, view.approval_id, level
    waits = view.status is Status.WAITING
    untold = [one for one in approvers if waits and not deliveries.is_in(*about, one, route.rooms.values())]
    return RequestNotification(
        id=row.id,
        event=Event(row.event),
        use="decide" if may_decide_by(row.channel, route) else "link_only",
        to=person(policy, row.person),
        written_at=row.written_at,
        fields=row.fields or {},
        approval_id=view.approval_id,
        token_run=view.token_run,
        question=view.question,
        requester=person(policy, view.question.requester),
        asked_by=view.asked_by_name if view.asked_by != view.question.requester else "",
        opened_at=view.opened_at,
        deadline=view.deadline,
        grant_lasts=route.grant_lasts,
        goes_on_after=view.goes_on_after,
        status=view.status,
        message=row.message or view.message,
        level=level,
        at_level=view.level,
        levels=view.levels,
        quorum=route.levels[level - 1].quorum if level else 0,
        asked=asked,
        untold=untold,
        decisions=view.decisions,
        names={d.person: principal_name(policy, d.person) for d in view.decisions},
        grant=view.grant,
        rejection_needs_reason=view.rejection_needs_reason,
        confirm=view.confirm,
        in_reply_to=row.in_reply_to,
        room=row.person.removeprefix(ROOM) if row.person.startswith(ROOM) else "",
        again=row.tries > 0,
    )
