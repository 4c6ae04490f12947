"""Messages that are kept up to date, rooms, and what is sent by another channel if a notification is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Row

from countersign.errors import Refused
from countersign.models import Event, GrantStatus, Verdict
from countersign.notifications import RequestNotification, Result, Shown
from countersign.transitions import GrantEnd, Recipient
from engine.notifications.deliveries import Deliveries
from engine.policy import apply_policy
from store import Store
from tests.store.requests import (
    a_transition,
    approving,
    asking,
    given,
    kinds,
    lost,
    messages,
    opened,
    sent,
    soon,
    store_answer,
    transactions,
    unsent,
    write,
)
from tests.workflows.people import policy

LIVE = frozenset({"slack"})
BOTH = {"email": "decide", "slack": "decide"}


@pytest.fixture
def board(store: Store, migrated_url: str) -> Iterator[Store]:
    """The same store, with Slack as a channel whose messages are kept up to date."""
    apply_policy(store, policy(channels=BOTH), "ada")
    live = Store(migrated_url, live=LIVE)
    yield live
    live.close()


def asked_on_slack(board: Store, *people: str) -> int:
    """A request whose people were asked on Slack; the messages are on record."""
    number = opened(board).approval_id
    write(board, asking(number, *people))
    rows = [row for row in unsent(board, number, 1) if row.channel == "slack"]
    Deliveries(board).mark(number, [sent(row.id, f"C/{row.event}.{row.person}", shows=1) for row in rows])
    return number


def shown_by(board: Store, number: int) -> dict[str, int]:
    return {row.person: row.shows for row in board.shown_messages.outdated(number)}


def notifications_of(board: Store, number: int, transition: int) -> dict[tuple[str, str], RequestNotification]:
    return {(one.to.id, channel): one for channel, one in messages(board, unsent(board, number, transition))}


def test_a_live_channel_shows_the_requester_that_the_request_waits(board: Store) -> None:
    number = opened(board).approval_id
    write(board, asking(number, "grace"))
    notified = {(row.event, row.person, row.channel) for row in unsent(board, number, 1)}
    assert notified == {("opened", "alice", "slack"), ("asked", "grace", "slack"), ("asked", "grace", "email")}


def test_messages_say_anew_who_was_not_told_yet_when_one_that_asks_fails_and_when_it_gets_through(board: Store) -> None:
    apply_policy(board, policy(channels={"slack": "decide"}), "ada")
    number = opened(board).approval_id
    write(board, asking(number, "grace", "ivan"))
    rows = {row.person: row for row in unsent(board, number, 1) if row.channel == "slack"}
    Deliveries(board).mark(number, [sent(rows["grace"].id, "C/grace", shows=1)])
    tries = Deliveries(board).begin([rows["ivan"].id], soon(0))
    failed = Result(notification_id=rows["ivan"].id, state="waiting", text="503", tries=tries[rows["ivan"].id])
    Deliveries(board).mark(number, [failed])
    [grace] = board.shown_messages.outdated(number)
    assert (grace.person, untold(board, grace)) == ("grace", ["ivan"])
    Deliveries(board).show([Shown(notification_id=grace.id, before=grace.shows, now=1)])
    assert board.shown_messages.outdated(number) == []
    Deliveries(board).begin([rows["ivan"].id], soon(60))
    Deliveries(board).mark(number, [sent(rows["ivan"].id, "C/ivan", shows=1)])
    [grace] = board.shown_messages.outdated(number)
    assert (grace.person, untold(board, grace)) == ("grace", [])


def untold(board: Store, row: Row[Any]) -> list[str]:
    [(_, notification)] = messages(board, [row])
    return notification.untold


def test_messages_are_outdated_by_each_step_until_they_show_it(board: Store) -> None:
    number = asked_on_slack(board, "grace", "ivan")
    assert shown_by(board, number) == {}
    write(board, a_transition(number, "transition 2"))
    assert shown_by(board, number) == {"alice": 1, "grace": 1, "ivan": 1}
    rows = {row.person: row for row in board.shown_messages.outdated(number)}
    Deliveries(board).show(
        [
            Shown(notification_id=rows["grace"].id, before=1, now=2),
            Shown(notification_id=rows["ivan"].id, before=1, now=None),
        ]
    )
    assert shown_by(board, number) == {"alice": 1}
    assert [row.person for row in board.shown_messages.left_behind(soon(60), 10)] == ["alice"]
    assert board.shown_messages.left_behind(soon(-60), 10) == []


def test_a_message_that_two_have_changed_is_changed_again(board: Store) -> None:
    number = asked_on_slack(board, "grace")
    write(board, a_transition(number, "transition 2"))
    write(board, a_transition(number, "transition 3"))
    [row] = [row for row in board.shown_messages.outdated(number) if row.person == "grace"]
    Deliveries(board).show([Shown(notification_id=row.id, before=1, now=3)])
    Deliveries(board).show([Shown(notification_id=row.id, before=1, now=2)])  # by one that read before, and was slower
    assert shown_by(board, number)["grace"] == 0


def test_the_end_of_a_grant_outdates_what_showed_its_approval(board: Store) -> None:
    number = asked_on_slack(board, "grace")
    write(board, approving(store_answer(board, given(number))))
    for row in board.shown_messages.outdated(number):
        Deliveries(board).show([Shown(notification_id=row.id, before=row.shows, now=2)])
    assert shown_by(board, number) == {}
    end = GrantEnd(approval_id=number, status=GrantStatus.REVOKED, at=soon(0), who="grace", message="Enough.")
    assert transactions(board).granting.end(end)
    assert set(shown_by(board, number)) == {"alice", "grace"}


def test_a_notification_names_what_its_person_holds_already(board: Store) -> None:
    number = asked_on_slack(board, "grace")
    tell = [Recipient(event=Event.REMINDED, person=one) for one in ("alice", "grace")]
    write(board, a_transition(number, "transition 2", recipients=tell))
    notified = notifications_of(board, number, 2)
    assert notified["alice", "slack"].live_message == "C/opened.alice"
    assert notified["grace", "slack"].live_message == "C/asked.grace"
    assert notified["alice", "email"].live_message == ""
    assert notified["grace", "slack"].transition == 2


def test_a_room_gets_one_message_for_all_and_the_requester_their_own(board: Store) -> None:
    apply_policy(board, policy(channels=BOTH, rooms={"slack": "C0123"}), "ada")
    number = opened(board).approval_id
    write(board, asking(number, "grace", "ivan"))
    notified = notifications_of(board, number, 1)
    assert {person for person, channel in notified if channel == "slack"} == {"alice", "#C0123"}
    assert notified["#C0123", "slack"].room == "C0123"
    assert [one.id for one in notified["#C0123", "slack"].asked] == ["grace", "ivan"]
    write(board, approving(store_answer(board, given(number))))
    assert {person for person, channel in notifications_of(board, number, 2) if channel == "slack"} == {"alice"}


def test_where_a_room_is_lost_each_of_its_people_is_asked(board: Store) -> None:
    apply_policy(board, policy(channels={"slack": "decide", "email": "off"}, rooms={"slack": "C0123"}), "ada")
    number = opened(board).approval_id
    write(board, asking(number, "grace", "ivan"))
    [room] = [row for row in unsent(board, number, 1) if row.person == "#C0123"]
    Deliveries(board).mark(number, [lost(room.id, "it was archived")], ["slack", "email"])
    again = [(row.event, row.person, row.channel) for row in Deliveries(board).left_over(soon(60), 10)]
    assert sorted(again) == [("asked", "grace", "slack"), ("asked", "ivan", "slack"), ("opened", "alice", "slack")]
    assert kinds(board, number)[-1] == "unreachable"


def test_who_is_lost_on_one_channel_is_told_by_the_others_once(board: Store) -> None:
    apply_policy(board, policy(channels={"slack": "decide", "email": "off"}), "ada")
    number = opened(board).approval_id
    write(board, asking(number, "grace"))
    for row in unsent(board, number, 1):
        for _ in range(2):
            Deliveries(board).mark(number, [lost(row.id, "is not in Slack")], ["email", "slack"])
    [(channel, notification)] = messages(board, Deliveries(board).left_over(soon(60), 10))
    assert (channel, notification.to.id, notification.event, notification.use) == (
        "email",
        "grace",
        Event.ASKED,
        "link_only",
    )
    assert transactions(board).rechecks.due() == []  # one channel is left
    Deliveries(board).mark(number, [lost(notification.id, "550")], ["email", "slack"])
    assert transactions(board).rechecks.due() == [number]


def test_what_was_tried_says_so(board: Store) -> None:
    number = opened(board).approval_id
    write(board, asking(number, "grace"))
    ids = [row.id for row in unsent(board, number, 1)]
    assert not any(one.again for one in notifications_of(board, number, 1).values())
    Deliveries(board).begin(ids, soon(0))
    assert all(one.again for one in notifications_of(board, number, 1).values())


@pytest.mark.parametrize("use", ["link_only", "off"])
def test_a_channel_that_may_not_decide_is_refused(board: Store, use: str) -> None:
    apply_policy(board, policy(channels={"email": "decide", "slack": use}), "ada")
    number = opened(board).approval_id
    with pytest.raises(Refused, match="can't be decided by slack"):
        store_answer(board, given(number, channel="slack"))
    assert kinds(board, number)[-1] == "answer_refused"
    assert store_answer(board, given(number)).person == "grace"


def test_a_rejection_without_a_reason_is_refused_where_the_policy_wants_one(board: Store) -> None:
    apply_policy(board, policy(channels=BOTH, rejection_needs_reason=True), "ada")
    number = opened(board).approval_id
    with pytest.raises(Refused, match="needs a reason"):
        store_answer(board, given(number, verdict=Verdict.REJECT, comment=" \n"))
    assert store_answer(board, given(number, verdict=Verdict.REJECT, comment="Not today.")).comment == "Not today."
    assert store_answer(board, given(number, verdict=Verdict.APPROVE)).verdict is Verdict.APPROVE


def test_what_waits_for_somebody_is_what_they_have_not_answered(board: Store) -> None:
    first, second = opened(board).approval_id, opened(board, device="web-2").approval_id
    for number in (first, second):
        write(board, asking(number, "grace", "ivan"))
    assert [view.approval_id for view in board.reading.waiting_for("grace")[0]] == [first, second]
    write(board, approving(store_answer(board, given(first))))
    assert [view.approval_id for view in board.reading.waiting_for("grace")[0]] == [second]
    assert board.reading.waiting_for("alice") == ([], None)
    assert [view.approval_id for view in board.reading.mine("alice").asked] == [second, first]
