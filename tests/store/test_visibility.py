"""Who sees what: the condition of a query and the check of one request agree, on both databases."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
from countersign.models import Approver, Scope, Status
from countersign.transitions import AuditEvent, Opening, Transition
from countersign.visibility import Visibility
from engine.policy import apply_policy
from store import Store
from store.listing import Wanted
from tests.store.requests import transactions

POLICY = """
users:
  alice: {name: Alice, email: alice@example.test}
  bob: {name: Bob, email: bob@example.test}
  grace: {name: Grace, email: grace@example.test, roles: [admin]}
user_groups:
  engineers: {members: [alice, bob], managers: [grace], require_managerial_approval: true}
device_groups:
  web: {devices: [web-1, web-2]}
"""
VISIBILITIES = [
    Visibility(everything=True),
    Visibility(),
    Visibility(person="alice"),
    Visibility(person="bob"),
    Visibility(person="grace"),
    Visibility(person="nobody"),
    Visibility(scope=Scope(targets=frozenset({"web-1"}), variants=frozenset({"ssh"}))),
    Visibility(scope=Scope(targets=frozenset({"web-1", "web-2"}), variants=frozenset({"ssh", "rdp"}))),
    Visibility(scope=Scope(targets=frozenset({"web-1"}))),
    Visibility(scope=Scope(variants=frozenset({"ssh"}))),
    Visibility(
        scope=Scope(
            targets=frozenset({"it's", "%s", "web-2", *(f"d{n}" for n in range(70_000))}), variants=frozenset({"ssh"})
        )
    ),
]


@pytest.fixture(scope="module")
def store(module_url: str) -> Iterator[Store]:
    """A store that all tests here only read."""
    with closing(filled(module_url)) as one:
        yield one


def filled(url: str) -> Store:
    """A store with requests of two people for two devices by two protocols; Grace is asked about every second one."""
    store = Store(url)
    apply_policy(store, POLICY, "ada")
    for n, (who, device, protocol) in enumerate(
        itertools.product(("alice", "bob"), ("web-1", "web-2"), ("ssh", "rdp"))
    ):
        question = ConnectionQuestion(requester=who, device=device, protocol=ConnectionProtocol(protocol))
        opening = Opening(question=question, workflow_id=question.workflow_id, run_id=str(n))
        opened = transactions(store).opener.open(opening).opened
        assert opened
        if n % 2:
            seat = [Approver(person="grace", because="manager of engineers")]
            now = datetime.now(UTC)
            transactions(store).transitions.write(
                Transition(
                    approval_id=opened.approval_id,
                    key="1.level_started",
                    at=now,
                    status=Status.WAITING,
                    message="",
                    level=1,
                    asked=seat,
                    events=[AuditEvent(kind="level_started", at=now, who="countersign")],
                ),
            )
    return store


@pytest.mark.parametrize("visibility", VISIBILITIES, ids=range(len(VISIBILITIES)))
def test_a_list_and_the_feed_hold_what_a_look_allows(store: Store, visibility: Visibility) -> None:
    visible = [view.approval_id for view in store.reading.page(Wanted())[0] if visibility.sees(view)]
    assert [view.approval_id for view in store.reading.page(Wanted(visibility=visibility))[0]] == visible
    lines, last = store.visible_events.since(0, visibility, 500)
    everything = store.events.since(0, 10**6)
    allowed = [one for one in everything if visibility.everything or one.approval_id in visible]
    assert lines == allowed
    assert last == everything[-1].version


@pytest.mark.parametrize("most_read", [3, 2_000])
def test_pages_hold_together_what_one_asks_for(store: Store, most_read: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.listing.MOST_READ", most_read)
    every = store.reading.page(Wanted())[0]
    people = ("", "alice"), ("", "grace", "alice")
    for visibility, status, requester, approver, limit in itertools.product(
        VISIBILITIES[:-1], (None, Status.WAITING, Status.EXPIRED), *people, (2,)
    ):
        wanted = Wanted(status, requester, approver, visibility, limit=limit)
        expected = [
            view.approval_id
            for view in every
            if visibility.sees(view)
            and status in (None, view.status)
            and requester in ("", view.question.requester)
            and (not approver or approver in {one.person for one in view.approvers})
        ]
        assert list(_numbers_of_all_pages(store, wanted)) == expected, wanted


def _numbers_of_all_pages(store: Store, wanted: Wanted) -> Iterator[int]:
    while True:
        page, goes_on = store.reading.page(wanted)
        assert len(page) <= wanted.limit
        yield from (view.approval_id for view in page)
        if goes_on is None:
            return
        assert goes_on < wanted.before
        wanted = replace(wanted, before=goes_on)


def test_the_feed_goes_on_where_it_stopped(store: Store) -> None:
    visibility, version, told = Visibility(person="grace"), 0, []
    while True:
        lines, version = store.visible_events.since(version, visibility, 2)
        told += [one.version for one in lines]
        if not lines:
            break
    assert told == [one.version for one in store.visible_events.since(0, visibility, 500)[0]]
    assert version == store.events.last_version()
    assert store.visible_events.since(version, visibility, 2) == ([], version)
