"""The queries that the API and the sweeper make again and again: the list that is measured and explained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

from sqlalchemy import Row

from countersign.kinds.connection import ConnectionQuestion
from countersign.models import Event, Scope, Status
from countersign.notifications import Person, RejectedInput
from countersign.registration import DeviceStatus
from countersign.visibility import Visibility
from engine.alerts import WARN_BEFORE
from engine.devices.admitted import admitted_devices
from engine.notifications.deliveries import Deliveries
from engine.notifications.messages import Messages
from engine.notifications.sent_messages import SentMessages
from engine.record import sum_up
from engine.statistics import overview_of
from engine.transactions import Transactions
from engine.upkeep import Kept
from sandbox.history import APPROVER, SECOND_APPROVER, requester
from store import Store, grants, notifications
from store.audit import WantedEvents
from store.filters import Filters
from store.inboxes import inboxes_behind
from store.listing import LONGEST_LIST, Wanted
from store.registered_devices import WantedDevices
from store.retention import Retention
from store.sessions import asked_since
from store.unanswered import unanswered

Kind = Literal["list", "view", "sweep", "event", "other"]
# At the server, in milliseconds: the limit of the 99th percentile, and of a sweep's median.
LIMITS: dict[Kind, float] = {"list": 50, "view": 50, "sweep": 5, "event": 50, "other": 50}
KEPT = Kept(*3 * [timedelta(days=3650)])
LIVE = frozenset({"slack"})


@dataclass(frozen=True)
class Query:
    """Something that is asked often, and whose cost may not grow with history."""

    name: str
    kind: Kind
    ask: Callable[[], object]


def queries(store: Store, waiting_id: int) -> list[Query]:
    """All queries; `waiting_id` is a request that waits."""
    engine = Transactions(store)
    return [
        *_lists(store, waiting_id),
        *_searches(store, waiting_id),
        *_views(store, engine, waiting_id),
        *_sweeps(store, engine),
        *_others(store, engine, waiting_id),
    ]


def _lists(store: Store, waiting_id: int) -> list[Query]:
    approver, gateway = Visibility(person=APPROVER), _gateway(waiting_id, 1)
    wanted = {
        f"the newest {LONGEST_LIST}": Wanted(limit=LONGEST_LIST),
        "the newest 50": Wanted(),
        "50 far down": Wanted(before=waiting_id // 2),
        "50 that wait": Wanted(Status.WAITING),
        "50 cancelled": Wanted(Status.CANCELLED),
        "50 by one requester": Wanted(requester=requester(7)),
        "10 rejected of one requester": Wanted(Status.REJECTED, requester(7), limit=10),
        "50 asked of one": Wanted(approver=APPROVER),
        "50 that wait for one": Wanted(Status.WAITING, approver=APPROVER),
        "50 cancelled that one was asked about": Wanted(Status.CANCELLED, approver=APPROVER),
        "50 of one requester asked of one": Wanted(requester=requester(7), approver=SECOND_APPROVER),
        "50 of nobody": Wanted(requester="nobody", approver=APPROVER),
        "50 by one, asked of nobody": Wanted(requester=requester(7), approver="nobody"),
        "50 that wait, asked of nobody": Wanted(Status.WAITING, approver="nobody"),
        "50 expired, seen by an approver": Wanted(Status.EXPIRED, visibility=approver),
        "50 seen by an approver": Wanted(visibility=approver),
        "50 seen by an approver, far down": Wanted(visibility=approver, before=waiting_id // 2),
        "50 seen by a requester": Wanted(visibility=Visibility(person=requester(7))),
        "50 seen by a gateway": Wanted(visibility=gateway),
        "50 seen by a gateway of 2,000 devices": Wanted(visibility=_gateway(waiting_id, 2_000)),
        "50 approved, seen by a gateway": Wanted(Status.APPROVED, visibility=gateway),
        "50 with Active grants": Wanted(has_active_grant=True),
        "50 with Active grants of one requester": Wanted(requester=requester(7), has_active_grant=True),
        "50 with Active grants, asked of one": Wanted(approver=APPROVER, has_active_grant=True),
        "50 with Active grants, asked of nobody": Wanted(approver="nobody", has_active_grant=True),
        **{f"50 by {name}": Wanted(filters=filters) for name, filters in _filters(waiting_id).items()},
        "50 that wait, by a text": Wanted(Status.WAITING, filters=Filters(text="no such text")),
        "50 approved, by a text": Wanted(Status.APPROVED, filters=Filters(text="no such text")),
    }
    return [
        *(Query(f"list: {name}", "list", _page(store, one)) for name, one in wanted.items()),
        *(Query(f"approvals: {name}", "list", ask) for name, ask in _approvals(store, waiting_id).items()),
        *_devices(store),
        *_credentials(store),
        Query("list: versions of the policy", "list", store.policies.versions),
    ]


def _approvals(store: Store, waiting_id: int) -> dict[str, Callable[[], object]]:
    """What waits for somebody's answer, the most urgent first."""
    waiting_for = store.reading.waiting_for
    return {
        f"the most urgent {LONGEST_LIST} for one": partial(waiting_for, APPROVER, limit=LONGEST_LIST),
        "the most urgent 50 for one": partial(waiting_for, APPROVER),
        "50 less urgent ones": partial(waiting_for, APPROVER, waiting_id),
        "all for one who has none": partial(waiting_for, "nobody"),
    }


def _devices(store: Store) -> list[Query]:
    """The devices that people connect with."""
    wanted = {
        "devices": WantedDevices(),
        "devices that wait": WantedDevices(status=DeviceStatus.PENDING),
        "archived devices": WantedDevices(status=DeviceStatus.ARCHIVED),
        "devices of one person": WantedDevices(person=requester(7)),
        "devices with one serial number": WantedDevices(serial="S-7"),
        "devices with a name that there is not": WantedDevices(query="no such name"),
    }
    found = store.registered_devices
    return [Query(f"list: 50 {name}", "list", partial(found.page, one)) for name, one in wanted.items()]


def _credentials(store: Store) -> list[Query]:
    """What people and machines signed in with."""
    now, person = datetime.now(UTC), requester(7)
    wanted: dict[str, Callable[[], object]] = {
        "50 sessions": partial(store.sessions.lasting, now),
        "50 sessions of one person": partial(store.sessions.lasting, now, person),
        "50 tokens": partial(store.tokens.lasting, now),
        "50 tokens of one person": partial(store.tokens.lasting, now, person),
        "50 service tokens": store.service_tokens.page,
        "50 provisioning keys": store.provisioning_keys.page,
        "50 certificates that were presented": store.certificates.presented,
        "50 certificates with one serial number": partial(store.certificates.presented, serial="7"),
    }
    return [Query(f"list: {name}", "list", ask) for name, ask in wanted.items()]


def _filters(waiting_id: int) -> dict[str, Filters]:
    """What people look for on the page of all requests; the groups are those of the history's policy."""
    return {
        "a person": Filters(person=APPROVER),
        "a device": Filters(device=f"device-{waiting_id // 2}"),
        "a user group": Filters(user_group="everybody"),
        "a device group": Filters(device_group="servers"),
        "a text that there is": Filters(text="backup"),
        "a text that there is not": Filters(text="no such text"),
        "a user group and a text": Filters(user_group="everybody", text="no such text"),
        "a person and a device": Filters(person="nobody", device=f"device-{waiting_id // 2}"),
    }


def _searches(store: Store, waiting_id: int) -> list[Query]:
    """What an admin looks for in the record."""
    now = datetime.now(UTC)
    device = f"device-{waiting_id // 2}"
    wanted = {
        "the newest 50": WantedEvents(),
        "50 of long ago": WantedEvents(until=now - timedelta(days=2)),
        "50 within a day": WantedEvents(since=now - timedelta(days=2), until=now - timedelta(days=1)),
        "50 far down": WantedEvents(before=waiting_id),
        "50 by one person": WantedEvents(person=APPROVER, until=now - timedelta(days=1)),
        "50 of one kind": WantedEvents(kind="approved", since=now - timedelta(days=365)),
        "50 of a kind that there is not": WantedEvents(kind="sign_in_refused"),
        "50 by one person, of another kind": WantedEvents(person=APPROVER, kind="policy_applied"),
        "50 of one request": WantedEvents(approval_id=waiting_id),
        "50 about one device": WantedEvents(device=device),
        "50 about one device, by nobody": WantedEvents(device=device, person="nobody", since=now),
    }
    counted = Query("overview: of 30 days", "list", partial(overview_of, store, 30))
    return [
        counted,
        *(Query(f"record: {name}", "list", partial(store.audit.page, one)) for name, one in wanted.items()),
    ]


def _page(store: Store, wanted: Wanted) -> Callable[[], object]:
    return lambda: store.reading.page(wanted)


def _gateway(waiting_id: int, devices: int) -> Visibility:
    """A gateway for this many devices, each of them asked for once, long ago."""
    numbers = range(waiting_id // 2, waiting_id // 2 + devices)
    targets = frozenset(f"device-{n}" for n in numbers)
    return Visibility(scope=Scope(targets=targets, variants=frozenset({"ssh", "rdp"})))


def _views(store: Store, engine: Transactions, waiting_id: int) -> list[Query]:
    reading, newest = store.reading, store.events.last_version()
    past = Visibility(person=APPROVER)
    [device] = store.registered_devices.page(WantedDevices(), limit=1)
    question = ConnectionQuestion.model_validate({"requester": requester(7), "device": "device-7", "protocol": "ssh"})
    return [
        Query("view: one request", "view", lambda: reading.request(waiting_id)),
        Query("view: its timeline", "view", lambda: store.events.of(waiting_id, 0, 500)),
        Query("view: its waiting request", "view", lambda: store.requests.waiting_for(question)),
        Query("view: a grant that lasts", "view", lambda: engine.asking.answer_on_record(question, requester(7))),
        Query("view: its notifications", "view", partial(SentMessages(store).of, waiting_id)),
        Query("view: a device's snapshots", "view", partial(store.registered_devices.snapshots, device.id)),
        Query("view: the devices that gates admit", "view", lambda: admitted_devices(store, datetime.now(UTC))),
        Query("view: what Slack's Home shows", "view", lambda: reading.mine(APPROVER, 10)),
        Query("view: who has an address", "view", lambda: reading.person_at("user-19@example.test")),
        Query(
            "event: the last one, for one who watches",
            "event",
            lambda: store.visible_events.since(newest - 1, past, 500),
        ),
        Query(
            "event: the last 500, for one who watches",
            "event",
            lambda: store.visible_events.since(newest - 500, past, 500),
        ),
    ]


def _sweeps(store: Store, engine: Transactions) -> list[Query]:
    now = datetime.now(UTC)
    long_ago = now - timedelta(seconds=15)
    deliveries = Deliveries(store)
    work: dict[str, Callable[[], object]] = {
        "requests to look at again": engine.rechecks.due,
        "devices left over": lambda: store.registered_devices.to_ask(now, 20),
        "grants to revoke": engine.granting.to_revoke,
        "grants whose time is over": lambda: grants.overdue(store.database, long_ago, 20),
        "waiting requests, in turn": lambda: store.reading.waiting_after(0, 20),
        "answers left over": lambda: store.answers.waiting(long_ago),
        "notifications left over": lambda: deliveries.left_over(now, 50),
        "notifications just written": store.events.last_version,
        "inboxes that are not read": lambda: _inboxes_unread(store),
        "what expires soon": lambda: store.service_tokens.expiring(now, now + WARN_BEFORE),
        "authorities that expire soon": store.certificates.authorities,
        "messages left behind": lambda: store.shown_messages.left_behind(now, 50),
        "what is kept no longer": partial(Retention(store.database).forget_some, KEPT.oldest(now)),
        "what was counted": lambda: sum_up(store.database),
    }
    return [Query(f"sweep: {name}", "sweep", ask) for name, ask in work.items()]


def _unsent(store: Store, waiting_id: int) -> Sequence[Row[Any]]:
    """The notifications of the request's first transition."""
    with store.database.reading() as connection:
        return notifications.unsent(connection, waiting_id, 1)


def _inboxes_unread(store: Store) -> object:
    """The inboxes that are not read, as `Alerts` finds them."""
    with store.database.reading() as connection:
        return inboxes_behind(connection, datetime.now(UTC))


def _sign_ins_begun(store: Store) -> object:
    """How many links somebody asked for lately, as counted before another is sent."""
    with store.database.reading() as connection:
        return asked_since(connection, "person", requester(7), datetime.now(UTC) - timedelta(hours=1))


def _others(store: Store, engine: Transactions, waiting_id: int) -> list[Query]:
    now = datetime.now(UTC)
    rejected = RejectedInput(
        channel="email",
        source_id="<m@x>",
        approval_id=waiting_id,
        who=APPROVER,
        person=Person(id=APPROVER, name="Grace", email="grace@example.test"),
        event=Event.HELP,
        reason="Which?",
    )
    return [
        Query("a mail that is refused", "other", lambda: engine.rejected_inputs.record(rejected)),
        Query(
            "notifications of a transition",
            "other",
            lambda: Messages(store).of(_unsent(store, waiting_id)),
        ),
        Query("the next requests to expire", "other", lambda: store.reading.expiring_after(now, 0, 100)),
        Query("who never answered", "other", lambda: unanswered(store.database, now)),
        Query("mails that were quarantined", "other", lambda: store.inboxes.quarantined(now - timedelta(days=7))),
        Query("links that were asked for", "other", lambda: _sign_ins_begun(store)),
        Query("answers that counted", "other", lambda: store.answers.counted_of(waiting_id)),
    ]
