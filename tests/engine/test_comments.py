"""What people write to each other about a request: recorded and passed on in one transaction, once."""

from __future__ import annotations

from typing import Any

import pytest

from countersign.errors import NotFound, TooMany
from countersign.notifications import SubmittedComment
from countersign.permissions import Action
from engine.comments import MOST_PASSED_ON, pass_on
from engine.notifications.deliveries import Deliveries
from engine.policy import apply_policy
from store import Store
from tests.store.requests import asking, at_once, kinds, lost, messages, opened, unsent, write
from tests.workflows.people import policy


def waiting(store: Store, **changed: Any) -> int:
    """A request about which Grace, Ada and Ivan are asked; its number."""
    apply_policy(store, policy(**{"channels": {"email": "decide", "slack": "decide"}} | changed), "ada")
    number = opened(store).approval_id
    write(store, asking(number, "grace", "ada", "ivan"))
    return number


def written(number: int, person: str, text: str = "Why?", source_id: str = "1") -> SubmittedComment:
    return SubmittedComment(channel="email", source_id=source_id, approval_id=number, person=person, text=text)


def inquire(store: Store, *given: SubmittedComment) -> None:
    for one in given:
        pass_on(store, Action.INQUIRE, one)


def notified(store: Store, number: int) -> list[tuple[str, str]]:
    return sorted((row.person, row.channel) for row in unsent(store, number, 0))


def test_the_same_delivery_is_passed_on_once_however_many_take_it(store: Store) -> None:
    number = waiting(store)
    at_once(lambda: inquire(store, written(number, "grace")))
    assert notified(store, number) == [("alice", "email"), ("alice", "slack")]
    assert kinds(store, number).count("inquired") == 1
    inquire(store, written(number, "ivan"), written(number, "grace", source_id="2"))
    assert kinds(store, number).count("inquired") == 3


def test_what_is_refused_leaves_nothing_behind(store: Store) -> None:
    number = waiting(store)
    inquire(store, *(written(number, "grace", source_id=f"{n}") for n in range(MOST_PASSED_ON)))
    before = notified(store, number)
    for _ in range(2):
        with pytest.raises(TooMany):
            inquire(store, written(number, "grace", source_id="more"))
    with pytest.raises(NotFound):
        inquire(store, written(number + 1, "grace"))
    inquire(store, written(number, "ivan"))
    assert len(notified(store, number)) == len(before) + 2
    assert kinds(store, number).count("inquired") == MOST_PASSED_ON + 1


def test_a_comment_goes_to_each_who_is_asked_or_to_their_room(store: Store) -> None:
    number = waiting(store, rooms={"slack": "C0123"}, users={"ivan": {"disabled": True}})
    pass_on(store, Action.COMMENT, written(number, "alice", "A backup."))
    assert notified(store, number) == [("#C0123", "slack"), ("ada", "email"), ("grace", "email")]
    for _, notification in messages(store, unsent(store, number, 0)):
        assert (notification.message, notification.fields) == ("A backup.", {"author": "Alice A."})
        assert notification.event == "comment"


def test_what_one_channel_loses_the_other_has_and_is_not_told_there_again(store: Store) -> None:
    number = waiting(store)
    inquire(store, written(number, "grace"), written(number, "grace", "And when?", "2"))
    by_mail = [row.id for row in unsent(store, number, 0) if row.channel == "email"]
    deliveries = Deliveries(store)
    deliveries.mark(number, [lost(one, "550") for one in by_mail], ["email", "slack"])
    assert notified(store, number) == [("alice", "slack")] * 2


def test_each_message_that_a_room_loses_is_told_person_by_person(store: Store) -> None:
    number = waiting(store, rooms={"slack": "C0123"}, channels={"email": "off", "slack": "decide"})
    for n in "12":
        pass_on(store, Action.COMMENT, written(number, "alice", f"Backup {n}", n))
    rooms = [row.id for row in unsent(store, number, 0)]
    Deliveries(store).mark(number, [lost(one, "is_archived") for one in rooms], ["slack"])
    assert notified(store, number) == [(one, "slack") for one in ("ada", "ada", "grace", "grace", "ivan", "ivan")]
