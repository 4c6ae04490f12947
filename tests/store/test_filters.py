"""Filters: the pages of a list and a page that is open find the same requests, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace

import pytest

from countersign.models import Status
from countersign.visibility import Visibility
from engine.policy import apply_policy
from store import Store
from store.filters import Filters
from store.listing import Wanted
from tests.store.requests import asking, opened, write

POLICY = """
users:
  alice: {name: Alice Ödegård, email: alice@example.test}
  bob: {name: Bob, email: bob@example.test}
  grace: {name: Grace, email: grace@example.test, roles: [admin]}
user_groups:
  engineers: {members: [alice, bob], managers: [grace], require_managerial_approval: true}
  nobody: {members: []}
device_groups:
  web: {devices: [web-1, web-2]}
  databases: {devices: [db_1]}
"""
QUESTIONS = [
    {"requester": "alice", "device": "web-1", "reason": "Größere Platte", "ticket": "OPS-7"},
    {"requester": "alice", "device": "web-2", "protocol": "rdp", "reason": "100% full"},
    {"requester": "bob", "device": "web-1", "reason": "it's \\ odd"},
    {"requester": "bob", "device": "db_1", "ticket": "ops-70"},
    {"requester": "bob", "device": "web-1", "protocol": "sftp"},
    {"requester": "alice", "device": "db_1"},
]
FILTERS = [
    Filters(),
    *(Filters(person=one) for one in ("alice", "grace", "mallory")),
    *(Filters(device=one) for one in ("web-1", "db_1", "nothing")),
    *(Filters(user_group=one) for one in ("engineers", "nobody", "unknown")),
    *(Filters(device_group=one) for one in ("web", "databases", "unknown")),
    *(Filters(text=one) for one in ("GRÖSSERE", "größere", "ops-7", "%", "_", "\\", "'", "ÖDEGÅRD", "bob", "question")),
    Filters(person="grace", device="web-1", user_group="engineers", device_group="web", text="OPS"),
    Filters(device_group="web", text="alice"),
    Filters(user_group="engineers", device_group="databases"),
]
SEEN = [Visibility(everything=True), Visibility(person="alice"), Visibility(person="grace"), Visibility()]


@pytest.fixture(scope="module")
def store(module_url: str) -> Iterator[Store]:
    with closing(Store(module_url)) as one:
        apply_policy(one, POLICY, "ada")
        for n, question in enumerate(QUESTIONS):
            number = opened(one, **question).approval_id
            if n % 2 == 0:
                write(one, asking(number, "grace"))
        yield one


@pytest.mark.parametrize(
    ("most_read", "few"),
    [(4, 0), (2_000, 20), *(pytest.param(*one, marks=pytest.mark.whole) for one in ((4, 20), (2_000, 0)))],
)
def test_a_list_holds_what_a_page_that_is_open_would_show(
    store: Store, most_read: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.listing.MOST_READ", most_read)
    monkeypatch.setattr("store.listing.FEW", few)
    every = [store.reading.changed(view.approval_id) for view in store.reading.page(Wanted())[0]]
    for filters in FILTERS:
        for visibility in SEEN:
            for status in (None, Status.WAITING, Status.CANCELLED):
                sought = {"status": status or "", **asdict(filters)}
                expected = [
                    view.approval_id
                    for view, found_by in every
                    if visibility.sees(view) and _passes(found_by, {name: one for name, one in sought.items() if one})
                ]
                wanted = Wanted(status, visibility=visibility, limit=2, filters=filters)
                assert _numbers_of_all_pages(store, wanted) == expected, wanted


def test_the_filters_find_something(store: Store) -> None:
    found = {filters: _numbers_of_all_pages(store, Wanted(filters=filters)) for filters in FILTERS}
    texts = [len(found[Filters(text=one)]) for one in ("größere", "ops-7", "%", "_", "\\", "'", "ÖDEGÅRD", "question")]
    assert texts == [1, 2, 1, 2, 1, 1, 3, 0]
    assert len(found[Filters(device_group="web", text="alice")]) == 2


def _passes(found_by: dict[str, list[str]], sought: dict[str, str]) -> bool:
    """Whether they match, as the script of the pages compares them."""
    return all(
        any(value.lower() in one for one in found_by["text"]) if name == "text" else value in found_by[name]
        for name, value in sought.items()
    )


def _numbers_of_all_pages(store: Store, wanted: Wanted) -> list[int]:
    found: list[int] = []
    goes_on: int | None = wanted.before
    while goes_on is not None:
        page, goes_on = store.reading.page(replace(wanted, before=goes_on))
        assert len(page) <= wanted.limit
        found += [view.approval_id for view in page]
    return found
