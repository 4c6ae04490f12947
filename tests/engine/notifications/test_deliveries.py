"""Notifications are written with the transition that they are about, once, and marked once."""

from __future__ import annotations

import pytest

from countersign.models import Event
from countersign.notifications import Result
from countersign.transitions import Recipient
from engine.notifications.deliveries import Deliveries
from engine.policy import apply_policy
from store import Store
from tests.store.requests import (
    a_transition,
    approved,
    asking,
    at_once,
    kinds,
    lost,
    messages,
    opened,
    sent,
    soon,
    unsent,
    write,
)
from tests.workflows.people import policy


def test_there_is_one_notification_for_each_person_and_channel_that_is_on(store: Store) -> None:
    apply_policy(store, policy(channels={"email": "decide", "slack": "link_only"}), "ada")
    number = opened(store).approval_id
    write(store, asking(number, "grace", "ada"))
    rows = unsent(store, number, 1)
    assert sorted((row.person, row.channel) for row in rows) == [
        ("ada", "email"),
        ("ada", "slack"),
        ("grace", "email"),
        ("grace", "slack"),
    ]


def test_a_notification_shows_the_request_as_it_stands(store: Store) -> None:
    number = approved(store, reason="deploy", source_address="10.0.0.7")
    shown = messages(store, unsent(store, number, 2))
    assert [(channel, notification.event, notification.use) for channel, notification in shown] == [
        ("email", Event.SETTLED, "decide")
    ] * 2
    notification = {notification.to.id: notification for _, notification in shown}["alice"]
    assert (notification.to.id, notification.to.email, notification.requester.name) == (
        "alice",
        "alice@example.test",
        "Alice A.",
    )
    assert (notification.question.reason, notification.question.source_address) == ("deploy", "10.0.0.7")
    assert (notification.message, notification.names) == ("Approved by grace.", {"grace": "Grace G."})
    assert notification.grant is not None


def test_what_was_sent_is_marked_and_recorded_once(store: Store) -> None:
    number = opened(store).approval_id
    write(store, asking(number, "grace", "ada"))
    by_person = {row.person: row.id for row in unsent(store, number, 1)}
    for _ in range(2):
        Deliveries(store).mark(number, [sent(by_person["grace"], "<m@x>"), lost(by_person["ada"], "550")])
    Deliveries(store).mark(number, [sent(by_person["ada"], "<n@x>")])
    rows = [row for row in store.events.of(number) if row.kind in {"noticed", "unreachable"}]
    assert [(row.kind, row.who, row.detail, row.proof) for row in rows] == [
        ("noticed", "grace", "asked", {"reference": "<m@x>"}),
        ("unreachable", "ada", "asked", {"error": "550"}),
    ]
    assert unsent(store, number, 1) == []


def test_the_notifications_of_a_step_are_not_those_of_one_whose_number_begins_alike(store: Store) -> None:
    number = opened(store).approval_id
    for transition in range(1, 12):
        tell = [Recipient(event=Event.REMINDED, person="grace")]
        write(store, a_transition(number, f"transition {transition}", recipients=tell))
    assert [row.id for row in unsent(store, number, 1)] == [f"{number}.1.reminded.grace.email"]


def test_what_was_left_over_is_found_oldest_first_and_only_when_it_is_old(store: Store) -> None:
    number = opened(store).approval_id
    write(
        store,
        a_transition(number, "transition 1", at=soon(-20), recipients=[Recipient(event=Event.REMINDED, person="ada")]),
    )
    write(
        store,
        a_transition(
            number, "transition 2", at=soon(-30), recipients=[Recipient(event=Event.REMINDED, person="grace")]
        ),
    )
    write(store, a_transition(number, "transition 3", recipients=[Recipient(event=Event.REMINDED, person="ivan")]))
    assert [row.person for row in Deliveries(store).left_over(soon(0), 10)] == ["grace", "ada"]
    assert [row.person for row in Deliveries(store).left_over(soon(0), 1)] == ["grace"]
    assert "noticed" not in kinds(store, number)


def test_what_is_being_sent_is_nobody_elses_until_nothing_is_said_of_it_any_more(store: Store) -> None:
    number = opened(store).approval_id
    write(
        store,
        a_transition(number, "transition 1", at=soon(-30), recipients=[Recipient(event=Event.REMINDED, person="ada")]),
    )
    [row] = Deliveries(store).left_over(soon(0), 1)
    assert Deliveries(store).begin([row.id], soon(0)) == {row.id: 1}
    assert Deliveries(store).begin([row.id], soon(0)) == {}
    assert Deliveries(store).left_over(soon(19), 10) == []
    store.notifications.hold([row.id], soon(35))
    assert Deliveries(store).left_over(soon(34), 10) == []
    assert [one.person for one in Deliveries(store).left_over(soon(36), 10)] == ["ada"]


def test_only_one_of_several_workers_sends_a_notice(store: Store) -> None:
    number = opened(store).approval_id
    write(
        store,
        a_transition(number, "transition 1", at=soon(-30), recipients=[Recipient(event=Event.REMINDED, person="ada")]),
    )
    [row] = Deliveries(store).left_over(soon(0), 1)
    begun = at_once(lambda: Deliveries(store).begin([row.id], soon(0)))
    assert sorted(begun, key=len) == [{}, {}, {}, {row.id: 1}]


def test_what_failed_stands_in_nobodys_way_and_comes_back_later_each_time(store: Store) -> None:
    number = opened(store).approval_id
    write(
        store,
        a_transition(number, "transition 1", at=soon(-30), recipients=[Recipient(event=Event.REMINDED, person="ada")]),
    )
    write(
        store,
        a_transition(
            number, "transition 2", at=soon(-20), recipients=[Recipient(event=Event.REMINDED, person="grace")]
        ),
    )
    [first] = Deliveries(store).left_over(soon(0), 1)
    for tries, wait in ((1, 10), (2, 20), (3, 40)):
        assert Deliveries(store).begin([first.id], soon(100 * tries)) == {first.id: tries}
        Deliveries(store).mark(number, [Result(notification_id=first.id, state="waiting", text="451", tries=tries)])
        assert [row.person for row in Deliveries(store).left_over(soon(wait - 1), 10)] == ["grace"]
        assert [row.person for row in Deliveries(store).left_over(soon(wait + 1), 10)] == ["grace", "ada"]
    assert "unreachable" not in kinds(store, number)


def test_a_worker_that_was_frozen_changes_nothing_of_what_another_took_over(store: Store) -> None:
    number = opened(store).approval_id
    write(
        store,
        a_transition(number, "transition 1", at=soon(-90), recipients=[Recipient(event=Event.REMINDED, person="ada")]),
    )
    [row] = Deliveries(store).left_over(soon(0), 1)
    Deliveries(store).begin([row.id], soon(-60))
    assert Deliveries(store).begin([row.id], soon(0)) == {row.id: 2}
    Deliveries(store).mark(number, [Result(notification_id=row.id, state="waiting", text="timed out", tries=1)])
    assert Deliveries(store).left_over(soon(15), 10) == []


@pytest.mark.parametrize("tries", [1, 2])
def test_what_may_have_got_through_twice_is_given_up(store: Store, tries: int) -> None:
    number = opened(store).approval_id
    write(store, asking(number, "grace"))
    [row] = unsent(store, number, 1)
    for n in range(1, tries + 1):
        Deliveries(store).begin([row.id], soon(60 * n))
        unknown = Result(notification_id=row.id, state="waiting", text="no word", tries=n, unconfirmed=True)
        Deliveries(store).mark(number, [unknown], ["email"])
    assert store.notifications.lost(number) == (["grace"] if tries == 2 else [])
    assert kinds(store, number).count("unreachable") == tries - 1


def test_left_over_is_told_apart_by_channel(store: Store) -> None:
    apply_policy(store, policy(channels={"email": "decide", "slack": "decide"}), "ada")
    number = opened(store).approval_id
    write(store, asking(number, "grace", at=soon(-30)))
    assert [row.channel for row in Deliveries(store).left_over(soon(0), 10, by=["email"])] == ["email"]
    assert [row.channel for row in Deliveries(store).left_over(soon(0), 10, but=["email"])] == ["slack"]


def test_nobody_is_asked_any_more_about_a_request_that_is_settled(store: Store) -> None:
    number = approved(store)
    assert {row.event for row in unsent(store, number, 1)} == {"asked"}
    assert "asked" not in {row.event for row in Deliveries(store).left_over(soon(60), 10)}
    assert unsent(store, number, 1) == []


# --- who was told ----------------------------------------------------------------------------------------------------


def told(store: Store, number: int) -> dict[str, bool]:
    return {one.person: one.told for one in store.reading.request(number).approvers}


def test_who_is_asked_was_told_when_a_message_got_through(store: Store) -> None:
    number = opened(store).approval_id
    write(store, asking(number, "grace", "ada"))
    assert told(store, number) == {"grace": False, "ada": False}
    by_person = {row.person: row.id for row in unsent(store, number, 1)}
    Deliveries(store).mark(number, [sent(by_person["grace"], "<m@x>"), lost(by_person["ada"], "550")])
    assert told(store, number) == {"grace": True, "ada": False}


def test_a_room_tells_all_who_are_asked(store: Store) -> None:
    apply_policy(store, policy(channels={"slack": "decide"}, rooms={"slack": "C0123"}), "ada")
    number = opened(store).approval_id
    write(store, asking(number, "grace", "ada"))
    [row] = unsent(store, number, 1)
    Deliveries(store).mark(number, [sent(row.id, "C0123/1.2", shows=1)])
    assert told(store, number) == {"grace": True, "ada": True}


def test_a_message_names_those_whom_none_has_reached_and_none_is_on_its_way_to(store: Store) -> None:
    number = opened(store).approval_id
    write(store, asking(number, "grace", "ada", "ivan"))
    rows = {row.person: row for row in unsent(store, number, 1)}

    def untold() -> list[str]:
        [(_, notification)] = messages(store, [rows["grace"]])
        return notification.untold

    assert untold() == []  # they are told this moment
    Deliveries(store).begin([row.id for row in rows.values()], soon(0))
    assert untold() == []
    failed = Result(notification_id=rows["ada"].id, state="waiting", text="451")
    Deliveries(store).mark(number, [lost(rows["ivan"].id, "550"), failed, sent(rows["grace"].id, "<m@x>")])
    assert untold() == ["ada", "ivan"]
