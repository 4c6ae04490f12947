"""Reading requests: for pages and programs, and for what a notice shows."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, select

from countersign.directory import Policy, folded_address
from countersign.models import GATEWAY, STARTED_IN_TEMPORAL, Event, GrantStatus, Question, Route, Status
from countersign.notices import Notice, Person
from countersign.views import ApproverView, Mine, RequestView
from store import grants as held
from store.database import Database
from store.events import last_of
from store.notices import unsent_of
from store.policies import Policies
from store.requests import decisions_of, request_row
from store.sight import Sight
from store.tables import ROOM, STANDINGS, answers, approvers, grants, notices, requests, signals

LONGEST_LIST = 200


class Reading:
    """Requests as they stand. Nothing here changes anything."""

    def __init__(self, database: Database, policies: Policies, live: frozenset[str] = frozenset()) -> None:
        self.database = database
        self.policies = policies
        self.live = live

    def request(self, approval_id: int) -> RequestView:
        """One request; NotFound when there is none of that number."""
        with self.database.reading() as connection:
            _, policy = self.policies.in_force(connection)
            version = last_of(connection, approval_id)
            return _view(connection, policy, request_row(connection, approval_id), version)

    def workflow_of(self, approval_id: int) -> str:
        """The id of the workflow that decides a request; NotFound when there is none of that number."""
        with self.database.reading() as connection:
            workflow_id: str = request_row(connection, approval_id).workflow_id
        return workflow_id

    def newest(
        self,
        status: Status | None = None,
        requester: str = "",
        approver: str = "",
        limit: int = 50,
        sight: Sight = Sight(everything=True),  # noqa: B008 - it is frozen
    ) -> list[RequestView]:
        """The newest requests; of one status, by one requester, asked of one approver, or seen by one, where given."""
        newest = select(requests).order_by(requests.c.approval_id.desc()).limit(min(limit, LONGEST_LIST))
        query: Select[Any] = newest.where(sight.requests)
        if status:
            query = query.where(requests.c.status == status)
        if requester:
            query = query.where(requests.c.requester == requester)
        if approver:
            asked = select(approvers.c.approval_id).where(approvers.c.person == approver)
            query = query.where(requests.c.approval_id.in_(asked))
        with self.database.reading() as connection:
            _, policy = self.policies.in_force(connection)
            return _views(connection, policy, query)

    def mine(self, one: str) -> Mine:
        """The requests that somebody has something to do with."""
        return Mine(waiting=self.waiting_for(one), asked=self.asked_by(one), revocable=self.revocable_by(one))

    def waiting_for(self, one: str) -> list[RequestView]:
        """The requests that wait for somebody's answer, newest first."""
        seat = (approvers.c.approval_id == requests.c.approval_id) & (approvers.c.level == requests.c.level)
        answered = (
            exists()
            .where(answers.c.approval_id == requests.c.approval_id, answers.c.level == requests.c.level)
            .where(answers.c.person == one, answers.c.state == "accepted")
        )
        waiting: Select[Any] = (
            select(requests)
            .join(approvers, seat)
            .where(requests.c.status == Status.WAITING, approvers.c.person == one, ~answered)
            .order_by(requests.c.approval_id.desc())
            .limit(LONGEST_LIST)
        )
        with self.database.reading() as connection:
            _, policy = self.policies.in_force(connection)
            return _views(connection, policy, waiting)

    def revocable_by(self, one: str) -> list[RequestView]:
        """The requests with an Active grant that somebody was asked about, newest first."""
        active = select(grants.c.approval_id).where(grants.c.status == GrantStatus.ACTIVE)
        asked = select(approvers.c.approval_id).where(approvers.c.person == one)
        held: Select[Any] = (
            select(requests)
            .where(requests.c.approval_id.in_(active), requests.c.approval_id.in_(asked))
            .order_by(requests.c.approval_id.desc())
            .limit(LONGEST_LIST)
        )
        with self.database.reading() as connection:
            _, policy = self.policies.in_force(connection)
            return _views(connection, policy, held)

    def asked_by(self, one: str) -> list[RequestView]:
        """The newest requests of somebody, newest first."""
        return self.newest(requester=one)

    def notices(self, rows: Sequence[Row[Any]]) -> list[tuple[str, Notice]]:
        """The channel and the full message of each notice."""
        with self.database.reading() as connection:
            return self._notices(connection, rows)

    def notices_of(self, approval_id: int, step: int) -> list[tuple[str, Notice]]:
        """The same for the notices of one step that were not sent yet."""
        with self.database.reading() as connection:
            return self._notices(connection, list(connection.execute(unsent_of(approval_id, step))))

    def _notices(self, connection: Connection, rows: Sequence[Row[Any]]) -> list[tuple[str, Notice]]:
        if not rows:
            return []
        _, policy = self.policies.in_force(connection)
        about = {n: request_row(connection, n) for n in {row.approval_id for row in rows}}
        views = {n: _view(connection, policy, row) for n, row in about.items()}
        routes = {n: Route.model_validate(row.route) for n, row in about.items()}
        held = self._held(connection, rows)
        return [
            (
                row.channel,
                _notice(policy, views[row.approval_id], routes[row.approval_id], row).model_copy(
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
        shown = notices.c.approval_id.in_(live), notices.c.shows.is_not(None)
        query = select(notices).where(*shown).order_by(notices.c.written_at)
        return {_place(row): row.reference for row in connection.execute(query)}

    def person(self, one: str) -> Person:
        """Somebody of the directory; who was deleted from it keeps their id as a name, and has no address."""
        return person(self.policies.current()[1], one)

    def enabled(self, one: str) -> bool:
        """Whether somebody is in the directory and not disabled."""
        return self.policies.current()[1].enabled(one)

    def person_at(self, address: str) -> Person | None:
        """The person with this mail address, whatever its case; disabled ones too."""
        _, policy = self.policies.current()
        folded = folded_address(address)
        found = next((one for one, user in policy.users.items() if folded_address(user.email) == folded), None)
        return person(policy, found) if found else None

    def to_look_at(self) -> list[int]:
        """Waiting requests with people who were disabled, or found away or unreachable, since it looked."""
        seat = (approvers.c.approval_id == requests.c.approval_id) & (approvers.c.level == requests.c.level)
        asked: Select[Any] = (
            select(requests.c.approval_id, requests.c.requester, approvers.c.person, approvers.c.standing)
            .join(approvers, seat, isouter=True)
            .where(requests.c.status == Status.WAITING)
        )
        reported = select(signals.c.approval_id, signals.c.person, signals.c.signal).union(_lost())
        with self.database.reading() as connection:
            _, policy = self.policies.in_force(connection)
            rows = list(connection.execute(asked))
            told = {tuple(row) for row in connection.execute(reported)}
        return sorted({row.approval_id for row in rows if _changed(policy, row, told)})


def person(policy: Policy, one: str) -> Person:
    """The same, of a policy at hand."""
    user = policy.users.get(one)
    if user is None:
        return Person(id=one, name=one, email="", enabled=False)
    return Person(id=one, name=user.name, email=user.email, enabled=policy.enabled(one))


def principal_name(policy: Policy, who: str) -> str:
    """What to call whoever asks: a person by name, a gateway by its own."""
    if who == STARTED_IN_TEMPORAL:
        return "Temporal (raw start)"
    return f"Gateway {name}" if (name := who.removeprefix(GATEWAY)) != who else person(policy, who).name


def _place(row: Row[Any]) -> tuple[int, str, str]:
    return row.approval_id, row.channel, row.person


def _lost() -> Select[Any]:
    """Who could be told of a waiting request by no notice of it, in the form of a signal."""
    other = notices.alias()
    reached = (
        exists()
        .where(other.c.approval_id == notices.c.approval_id, other.c.person == notices.c.person)
        .where(other.c.state != "unreachable")
    )
    return (
        select(notices.c.approval_id, notices.c.person, notices.c.state)
        .join(requests, requests.c.approval_id == notices.c.approval_id)
        .where(requests.c.status == Status.WAITING, notices.c.state == "unreachable", ~reached)
    )


def _changed(policy: Policy, row: Row[Any], told: set[tuple[Any, ...]]) -> bool:
    """Whether a seat stands worse than its request knows."""
    if not policy.enabled(row.requester):
        return True
    if not row.person or row.standing == "disabled":
        return False
    news = [signal for signal in ("away", "unreachable") if (row.approval_id, row.person, signal) in told]
    return not policy.enabled(row.person) or (bool(news) and STANDINGS.index(news[-1]) > STANDINGS.index(row.standing))


def _views(connection: Connection, policy: Policy, query: Select[Any]) -> list[RequestView]:
    rows = connection.execute(query).all()
    return [_view(connection, policy, row, last_of(connection, row.approval_id)) for row in rows]


def _view(connection: Connection, policy: Policy, row: Row[Any], version: int = 0) -> RequestView:
    route = Route.model_validate(row.route)
    asked = connection.execute(
        select(approvers).where(approvers.c.approval_id == row.approval_id).order_by(approvers.c.level)
    )
    grant = connection.execute(select(grants).where(grants.c.approval_id == row.approval_id)).one_or_none()
    return RequestView(
        approval_id=row.approval_id,
        question=Question.model_validate(row.question),
        requester_name=person(policy, row.requester).name,
        asked_by=row.asked_by or row.requester,
        asked_by_name=principal_name(policy, row.asked_by or row.requester),
        because=route.because,
        status=Status(row.status),
        words=row.words,
        level=row.level,
        levels=len(route.levels),
        quorum=route.levels[row.level - 1].quorum if route.levels and row.level else 0,
        opened_at=row.opened_at,
        deadline=row.deadline,
        settled_at=row.settled_at,
        grant_minutes=route.grant_minutes,
        rejection_needs_reason=route.rejection_needs_reason,
        channels=route.channels,
        approvers=[
            ApproverView(level=one.level, person=one.person, name=person(policy, one.person).name, because=one.because)
            for one in asked
        ],
        decisions=decisions_of(connection, row.approval_id),
        grant=held.view(grant) if grant else None,
        version=version,
    )


def _notice(policy: Policy, view: RequestView, route: Route, row: Row[Any]) -> Notice:
    # Approvers are shown the level they were asked at, the requester the one that is asked now.
    level = view.level if row.person == view.question.requester else row.level
    asked = [person(policy, one.person) for one in view.approvers if one.level == level]
    return Notice(
        id=row.id,
        event=Event(row.event),
        use="decide" if route.channels.get(row.channel) == "decide" else "link_only",
        to=person(policy, row.person),
        approval_id=view.approval_id,
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
        decisions=view.decisions,
        names={d.person: person(policy, d.person).name for d in view.decisions},
        grant=view.grant,
        rejection_needs_reason=view.rejection_needs_reason,
        in_reply_to=row.in_reply_to,
        room=row.person.removeprefix(ROOM) if row.person.startswith(ROOM) else "",
        again=row.tries > 0,
    )
