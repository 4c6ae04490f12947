"""Reading requests: for pages and programs, and for what a notice shows."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, exists, select

from countersign import policy as rules
from countersign.directory import Policy, folded_address
from countersign.errors import Refused, no_request
from countersign.grant_reuse import WHILE_OPEN
from countersign.models import Event, Route, Status
from countersign.notifications import Notification, Person
from countersign.views import AuditEventView, Mine, RequestView
from store.database import Database, reads
from store.due import Due, among
from store.events import view as event_view
from store.grants import IS_ACTIVE
from store.listing import LONGEST_LIST, Wanted, goes_on, numbers_of
from store.notifications import unsent_of
from store.policies import Policies
from store.requests import request_row
from store.tables import (
    ROOM,
    STANDINGS,
    answers,
    approvers,
    as_written,
    events,
    grants,
    notifications,
    requests,
    signals,
)
from store.views import Told, person, principal_name, rows_of, views
from store.visibility import Concern, Visibility, concerns, is_asked

WAITS = requests.c.status == Status.WAITING


class FeedPage(NamedTuple):
    """Events, oldest first, with the names of who did it; and whom their requests concern, by their numbers."""

    events: list[AuditEventView]
    concerns: dict[int, Concern]


class Reading:
    """Requests as they stand. Nothing here changes anything."""

    def __init__(self, database: Database, policies: Policies, live: frozenset[str] = frozenset()) -> None:
        self.database = database
        self.policies = policies
        self.live = live
        self._to_look_at = Due(_to_look_at)

    @reads
    def request(self, approval_id: int) -> RequestView:
        """One request; NotFound when there is none of that number."""
        with self.database.reading() as connection:
            _, policy = self.policies.in_force(connection)
            found = views(connection, policy, rows_of(connection, [approval_id]))
        if not found:
            raise no_request(approval_id)
        return found[0]

    @reads
    def workflow_of(self, approval_id: int) -> str:
        """The id of the workflow that decides a request; NotFound when there is none of that number."""
        with self.database.reading() as connection:
            workflow_id: str = request_row(connection, approval_id).workflow_id
        return workflow_id

    @reads
    def brought_about(self, approval_id: int, wish_id: str) -> bool:
        """Whether it was this very wish that cancelled the request, or ended its grant, as the record says."""
        ends = events.c.kind.in_(("cancelled", "grant_revoked", "grant_ended"))
        proofs = select(events.c.proof).where(events.c.approval_id == approval_id, ends)
        with self.database.reading() as connection:
            return any(proof.get("wish") == wish_id for proof in connection.execute(proofs).scalars())

    @reads
    def joined(self, approval_id: int, who: str) -> bool:
        """Whether somebody asked for it, too, while it waited, as the record says."""
        again = events.c.kind == "asked_again", events.c.words == WHILE_OPEN, events.c.who == who
        query = select(events.c.version).where(events.c.approval_id == approval_id, *again).limit(1)
        with self.database.reading() as connection:
            return connection.execute(query).first() is not None

    @reads
    def waiting_after(self, approval_id: int, limit: int) -> list[tuple[int, str, str]]:
        """The next waiting requests above a number: each with the id and the run of its workflow."""
        columns = requests.c.approval_id, requests.c.workflow_id, requests.c.run_id
        waiting = requests.c.status == Status.WAITING, requests.c.approval_id > approval_id
        query = select(*columns).where(*waiting).order_by(requests.c.approval_id).limit(limit)
        with self.database.reading() as connection:
            return [(row.approval_id, row.workflow_id, row.run_id) for row in connection.execute(query)]

    @reads
    def page(self, wanted: Wanted) -> tuple[list[RequestView], int | None]:
        """A page of requests, newest first, and the `before` of the next one; None where there is none.

        It may be shorter than was wanted and yet go on, where what is wanted is rare (`listing`).
        """
        wanted = replace(wanted, limit=min(wanted.limit, LONGEST_LIST))
        with self.database.reading() as connection:
            _, policy = self.policies.in_force(connection)
            numbers, down_to = numbers_of(connection, wanted)
            shown = views(connection, policy, rows_of(connection, numbers))
        return shown, goes_on(wanted, [view.approval_id for view in shown], down_to)

    def newest(
        self,
        status: Status | None = None,
        requester: str = "",
        approver: str = "",
        limit: int = 50,
        visibility: Visibility = Visibility(everything=True),  # noqa: B008 - it is frozen
    ) -> list[RequestView]:
        """The first of these pages."""
        return self.page(Wanted(status, requester, approver, visibility, limit=limit))[0]

    @reads
    def mine(self, one: str) -> Mine:
        """The requests that somebody has something to do with."""
        return Mine(waiting=self.waiting_for(one), asked=self.asked_by(one), revocable=self.revocable_by(one))

    @reads
    def waiting_for(self, one: str) -> list[RequestView]:
        """The requests that wait for somebody's answer, newest first."""
        answered = (
            exists()
            .where(answers.c.approval_id == requests.c.approval_id, answers.c.level == requests.c.level)
            .where(answers.c.person == one, answers.c.state == "accepted")
        )
        seated = is_asked(one, at_level=True)
        return self._views(_newest([WAITS, seated, ~answered], LONGEST_LIST))

    @reads
    def revocable_by(self, one: str) -> list[RequestView]:
        """The requests with an Active grant that somebody was asked about, newest first."""
        asked = exists().where(approvers.c.person == one, approvers.c.approval_id == grants.c.approval_id)
        held = select(grants.c.approval_id).where(IS_ACTIVE, asked)
        return self._views(held.order_by(grants.c.approval_id.desc()).limit(LONGEST_LIST))

    @reads
    def asked_by(self, one: str) -> list[RequestView]:
        """The newest requests of somebody, newest first."""
        return self.newest(requester=one)

    def _views(self, numbers: Select[Any]) -> list[RequestView]:
        """The requests of these numbers, newest first."""
        with self.database.reading() as connection:
            _, policy = self.policies.in_force(connection)
            return views(connection, policy, rows_of(connection, numbers))

    @reads
    def notifications(self, rows: Sequence[Row[Any]]) -> list[tuple[str, Notification]]:
        """The channel and the full message of each notice."""
        with self.database.reading() as connection:
            return self._notices(connection, rows)

    @reads
    def notices_of(self, approval_id: int, step: int) -> list[tuple[str, Notification]]:
        """The same for the notices of one step that were not sent yet."""
        with self.database.reading() as connection:
            return self._notices(connection, list(connection.execute(unsent_of(approval_id, step))))

    def _notices(self, connection: Connection, rows: Sequence[Row[Any]]) -> list[tuple[str, Notification]]:
        if not rows:
            return []
        _, policy = self.policies.in_force(connection)
        about = {row.approval_id: row for row in rows_of(connection, list({row.approval_id for row in rows}))}
        told = Told(connection, about.values())
        shown = {view.approval_id: view for view in views(connection, policy, list(about.values()), told)}
        routes = {n: Route.model_validate(row.route) for n, row in about.items()}
        held = self._held(connection, rows)
        return [
            (
                row.channel,
                _notice(policy, shown[row.approval_id], routes[row.approval_id], row, told).model_copy(
                    update={"holds": held.get(_place(row), ""), "step": about[row.approval_id].step}
                ),
            )
            for row in rows
        ]

    def _held(self, connection: Connection, rows: Sequence[Row[Any]]) -> dict[tuple[Any, ...], str]:
        """The newest live message of each person about a request, on the channels of these notices."""
        live = {row.approval_id for row in rows if row.channel in self.live}
        if not live:
            return {}
        shown = notifications.c.approval_id.in_(live), notifications.c.shows.is_not(None)
        query = select(notifications).where(*shown).order_by(notifications.c.written_at)
        return {_place(row): row.reference for row in connection.execute(query)}

    @reads
    def person(self, one: str) -> Person:
        """Somebody of the directory; who was deleted from it keeps their id as a name, and has no address."""
        return person(self.policies.current()[1], one)

    @reads
    def policy(self) -> Policy:
        """The policy in force. Raises Refused where none was ever applied."""
        return self.policies.current()[1]

    @reads
    def person_at(self, address: str) -> Person | None:
        """The person with this mail address, whatever its case; disabled ones too."""
        _, policy = self.policies.current()
        found = policy.by_address.get(folded_address(address))
        return person(policy, found) if found else None

    @reads
    def events_after(self, version: int, limit: int = 1000) -> FeedPage:
        """The next events after a version, for everybody who watches."""
        newer = select(events).where(events.c.version > version).order_by(events.c.version).limit(limit)
        with self.database.reading() as connection:
            lines = [event_view(row) for row in connection.execute(newer)]
            if not lines:
                return FeedPage([], {})
            about = {line.approval_id for line in lines if line.approval_id is not None}
            return FeedPage(self._named(connection, lines), concerns(connection, about))

    @reads
    def named(self, lines: Sequence[AuditEventView]) -> list[AuditEventView]:
        """Rows of the record with the names of who did it."""
        with self.database.reading() as connection:
            return self._named(connection, lines)

    def _named(self, connection: Connection, lines: Sequence[AuditEventView]) -> list[AuditEventView]:
        try:
            _, policy = self.policies.in_force(connection)
        except Refused:  # before the first policy nobody has a name
            return list(lines)
        return [line.model_copy(update={"name": principal_name(policy, line.who)}) for line in lines]

    @reads
    def to_look_at(self) -> list[int]:
        """Waiting requests with people who were disabled, or found away or unreachable, since it looked.

        Those, too, that can't be passed any more at a level to come.
        """
        with self.database.reading() as connection:
            return self._to_look_at.find(connection, *self.policies.in_force(connection))


def _newest(conditions: Sequence[ColumnElement[bool]], limit: int) -> Select[Any]:
    return select(requests.c.approval_id).where(*conditions).order_by(requests.c.approval_id.desc()).limit(limit)


def _to_look_at(connection: Connection, policy: Policy, numbers: Collection[int] | None) -> list[int]:
    seat = (approvers.c.approval_id == requests.c.approval_id) & (approvers.c.level == requests.c.level)
    waiting = WAITS, among(requests.c.approval_id, numbers)
    asked: Select[Any] = (
        select(requests.c.approval_id, requests.c.requester, approvers.c.person, approvers.c.standing)
        .join(approvers, seat, isouter=True)
        .where(*waiting)
    )
    signalled = (
        select(signals.c.approval_id, signals.c.person, signals.c.signal)
        .join(requests, requests.c.approval_id == signals.c.approval_id)
        .where(*waiting)
    )
    told = {tuple(row) for query in (signalled, _lost(numbers)) for row in connection.execute(query)}
    changed = {row.approval_id for row in connection.execute(asked) if _changed(policy, row, told)}
    columns = requests.c.approval_id, requests.c.requester, requests.c.level, requests.c.route
    routes: Select[Any] = select(*columns).where(*waiting)
    return sorted(changed.union(row.approval_id for row in connection.execute(routes) if _in_vain(policy, row, told)))


def _in_vain(policy: Policy, row: Row[Any], told: set[tuple[Any, ...]]) -> bool:
    """Whether a request waits for a level to come that too few people could pass (rule 4)."""
    if len(row.route["levels"]) <= row.level:
        return False
    gone = {who for number, who, signal in told if number == row.approval_id and signal == "unreachable"}
    route = Route.model_validate(row.route)
    return rules.level_without_people(policy, route, row.requester, row.level + 1, gone) > 0


def _place(row: Row[Any]) -> tuple[int, str, str]:
    return row.approval_id, row.channel, row.person


def _lost(numbers: Collection[int] | None) -> Select[Any]:
    """Who could be told of a waiting request by no notice of it, in the form of a signal."""
    other = notifications.alias()
    reached = (
        exists()
        .where(other.c.approval_id == notifications.c.approval_id, other.c.person == notifications.c.person)
        .where(other.c.state != "unreachable")
    )
    return (
        select(notifications.c.approval_id, notifications.c.person, notifications.c.state)
        .join(requests, requests.c.approval_id == notifications.c.approval_id)
        .where(
            WAITS,
            among(notifications.c.approval_id, numbers),
            notifications.c.state == as_written("unreachable"),
            ~reached,
        )
    )


def _changed(policy: Policy, row: Row[Any], told: set[tuple[Any, ...]]) -> bool:
    """Whether a seat stands worse than its request knows."""
    if not policy.enabled(row.requester):
        return True
    if not row.person or row.standing == "disabled":
        return False
    news = [signal for signal in ("away", "unreachable") if (row.approval_id, row.person, signal) in told]
    return not policy.enabled(row.person) or (bool(news) and STANDINGS.index(news[-1]) > STANDINGS.index(row.standing))


def _notice(policy: Policy, view: RequestView, route: Route, row: Row[Any], told: Told) -> Notification:
    # Approvers are shown the level they were asked at, the requester the one that is asked now.
    level = view.level if row.person == view.question.requester else row.level
    seats = [one.person for one in view.approvers if one.level == level]
    asked = [person(policy, one) for one in seats]
    about = {"sent", "on its way"}, view.approval_id, level
    waits = view.status is Status.WAITING
    untold = [one for one in seats if waits and not told.is_in(*about, one, route.rooms.values())]
    return Notification(
        id=row.id,
        event=Event(row.event),
        use="decide" if route.channels.get(row.channel) == "decide" else "link_only",
        to=person(policy, row.person),
        approval_id=view.approval_id,
        token_run=view.token_run,
        question=view.question,
        requester=person(policy, view.question.requester),
        asked_by=view.asked_by_name if view.asked_by != view.question.requester else "",
        opened_at=view.opened_at,
        deadline=view.deadline,
        grant_minutes=view.grant_minutes,
        status=view.status,
        words=row.words or view.words,
        level=level,
        at_level=view.level,
        levels=view.levels,
        quorum=route.levels[level - 1].quorum if level else 0,
        asked=asked,
        untold=untold,
        decisions=view.decisions,
        names={d.person: person(policy, d.person).name for d in view.decisions},
        grant=view.grant,
        rejection_needs_reason=view.rejection_needs_reason,
        in_reply_to=row.in_reply_to,
        room=row.person.removeprefix(ROOM) if row.person.startswith(ROOM) else "",
        again=row.tries > 0,
    )
