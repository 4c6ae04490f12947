"""What waits for somebody's answer: the most urgent first, however old it is, in pages that leave nothing out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from countersign.models import Status
from store import Store, requests
from tests.store.requests import a_transition, approved, approving, asking, given, opened, store_answer, write

NOON = datetime(2030, 5, 14, 12, tzinfo=UTC)


def waiting(store: Store, minutes: int, *people: str) -> int:
    """A request that waits for these people until this many minutes after noon."""
    number = opened(store, device=f"web-{minutes}").approval_id
    write(store, asking(number, *people))
    with store.database.transaction() as connection:
        requests.change(connection, number, deadline=NOON + timedelta(minutes=minutes))
    return number


def pages(store: Store, one: str, limit: int) -> list[list[int]]:
    """All pages of what waits for somebody."""
    found: list[list[int]] = []
    after: int | None = 0
    while after is not None:
        page, after = store.reading.waiting_for(one, after, limit)
        found.append([view.approval_id for view in page])
    return found


def test_the_most_urgent_come_first_and_pages_lead_on_to_all_others(store: Store) -> None:
    later, soon, same, last, other = [waiting(store, minutes, "grace") for minutes in (30, 10, 20, 40, 25)]
    with store.database.transaction() as connection:
        requests.change(connection, other, deadline=NOON + timedelta(minutes=20))
    waiting(store, 5, "heidi")
    approved(store, device="web-1")
    assert pages(store, "grace", 2) == [[soon, same], [other, later], [last]]
    assert pages(store, "grace", 5) == [[soon, same, other, later, last]]
    assert pages(store, "nobody", 2) == [[]]
    assert store.reading.waiting_for("grace", after=2**53 - 1) == ([], None)


def test_what_somebody_answered_or_was_asked_about_at_another_level_does_not_wait_for_them(store: Store) -> None:
    first, second = [waiting(store, minutes, "grace", "ivan") for minutes in (1, 2)]
    answer = store_answer(store, given(first))
    write(store, approving(answer).model_copy(update={"status": Status.WAITING, "opens_grant": False}))
    write(store, a_transition(second, "2.level_started", level=2))
    assert pages(store, "grace", 5) == [[]]
    assert pages(store, "ivan", 5) == [[first]]


def test_a_page_goes_on_after_a_request_that_was_settled_meanwhile(store: Store) -> None:
    first, second, third = [waiting(store, minutes, "grace") for minutes in (1, 2, 3)]
    assert store.reading.waiting_for("grace", limit=1)[1] == first
    write(store, a_transition(first, "cancelled", status=Status.CANCELLED))
    assert [view.approval_id for view in store.reading.waiting_for("grace", first)[0]] == [second, third]
