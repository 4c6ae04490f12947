"""Answers are stored once, and their outcome is written once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from countersign.errors import NotFound, Refused
from countersign.models import Event, Verdict
from countersign.notifications import Person, RejectedInput
from countersign.transitions import DeadlineCheck, TimelyAnswers
from engine.deadline import LONGEST_WAIT
from engine.notifications.deliveries import Deliveries
from engine.policy import apply_policy
from engine.transactions import Transactions
from store import Store
from tests.store.requests import (
    approving,
    asking,
    at_once,
    given,
    kinds,
    opened,
    soon,
    store_answer,
    transactions,
    write,
)
from tests.workflows.people import policy


def timely(store: Store, closing: DeadlineCheck) -> TimelyAnswers:
    return transactions(store).deadline.timely_answers(closing)


def a_request(store: Store) -> int:
    number = opened(store).approval_id
    write(store, asking(number, "grace"))
    return number


def test_an_answer_delivered_twice_is_one(store: Store) -> None:
    answer = given(a_request(store), source_id="<one@mail>")
    stored = at_once(lambda: store_answer(store, answer))
    assert len({one.id for one in stored}) == 1
    by_another_channel = store_answer(store, answer.model_copy(update={"channel": "page"}))
    assert by_another_channel.id != stored[0].id


def test_a_stored_answer_is_as_it_was_given(store: Store) -> None:
    answer = given(a_request(store), comment="ok \N{GRINNING FACE}", proof={"dkim": "pass"})
    stored = store_answer(store, answer)
    assert stored.model_dump(exclude={"id"}) == answer.model_dump(
        exclude={"source_id", "proof", "signed_in", "confirmed"}
    )
    assert store.answers.outcome(stored.id)[:2] == ("open", "")


def test_an_approval_that_needs_a_fresh_sign_in_counts_by_no_other_way_and_a_rejection_by_any(store: Store) -> None:
    apply_policy(store, policy(confirm="sign_in_again"), "ada")
    number = a_request(store)
    other_ways: dict[str, dict[str, Any]] = {"mail": {}, "a token": {"signed_in": True, "channel": "portal"}}
    for source, fields in other_ways.items():
        with pytest.raises(Refused, match="on its page alone") as refused:
            store_answer(store, given(number, source_id=source, **fields))
        assert refused.value.code == "confirmation-needed"
    page: dict[str, Any] = {"signed_in": True, "channel": "portal", "confirmed": True}
    assert store_answer(store, given(number, source_id="page", **page)).id
    assert store_answer(store, given(number, source_id="no", verdict=Verdict.REJECT)).id


def test_the_disabled_the_unknown_and_answers_to_nothing_are_refused_and_recorded(store: Store) -> None:
    number = a_request(store)
    apply_policy(store, policy(disabled=("grace",)), "ada")
    for person in ("grace", "zoe"):
        with pytest.raises(Refused, match="disabled or unknown"):
            store_answer(store, given(number, person))
    with pytest.raises(NotFound):
        store_answer(store, given(number + 1))
    assert kinds(store, number)[-2:] == ["answer_refused", "answer_refused"]
    assert store.answers.waiting(soon(60)) == []


def test_a_refusal_is_written_once_and_told_where_it_should_be(store: Store) -> None:
    number = a_request(store)
    answer = store_answer(store, given(number, "bob", channel="email", proof={"message_id": "<bob@mail>"}))
    for reason in ("Not asked.", "Another reason."):
        transactions(store).answers.refuse(answer.id, Refused(reason), notifies_sender=True)
    assert store.answers.outcome(answer.id)[:2] == ("refused", "Not asked.")
    assert kinds(store, number).count("answer_refused") == 1
    [notification] = [row for row in Deliveries(store).left_over(soon(60), 10) if row.event == "answer_refused"]
    assert (notification.person, notification.message, notification.in_reply_to) == ("bob", "Not asked.", "<bob@mail>")


def test_what_counted_can_no_longer_be_refused(store: Store) -> None:
    number = a_request(store)
    answer = store_answer(store, given(number))
    write(store, approving(answer))
    transactions(store).answers.refuse(answer.id, Refused("Too late."), notifies_sender=True)
    assert store.answers.outcome(answer.id)[0] == "accepted"
    assert "answer_refused" not in kinds(store, number)


def test_a_request_with_many_waiting_answers_leaves_room_for_others(store: Store) -> None:
    busy, other = opened(store).approval_id, opened(store, device="web-2").approval_id
    first = [store_answer(store, given(busy, at=soon(-60 + n))).id for n in range(4)]
    late = store_answer(store, given(other, at=soon(-1))).id
    assert [one.id for one in store.answers.waiting(soon(0), limit=3)] == [first[0], late, first[1]]


def test_the_last_answers_are_those_in_time_and_open(store: Store) -> None:
    request = opened(store)
    number, deadline = request.approval_id, soon(-1)
    late = store_answer(store, given(number, "ada", at=deadline + timedelta(milliseconds=1)))
    second = store_answer(store, given(number, "heidi", at=deadline))
    first = store_answer(store, given(number, "grace", at=deadline - timedelta(seconds=1)))
    refused = store_answer(store, given(number, "bob", at=deadline - timedelta(seconds=2)))
    transactions(store).answers.refuse(refused.id, Refused("Not asked."), notifies_sender=False)
    store_answer(store, given(opened(store, device="web-2").approval_id, at=deadline))
    last = timely(store, DeadlineCheck(approval_id=number, deadline=deadline, looked_at=deadline))
    assert [one.id for one in last.answers] == [first.id, second.id]
    assert last.complete
    assert late.id in {one.id for one in store.answers.waiting(soon(0))}


def test_the_last_answers_are_complete_once_every_mailbox_was_read_up_to_the_deadline(store: Store) -> None:
    number, deadline = opened(store).approval_id, soon(-1)
    closing = DeadlineCheck(approval_id=number, deadline=deadline, looked_at=deadline)
    store.inboxes.read_through("INBOX", deadline - timedelta(seconds=1))
    store.inboxes.read_through("OTHER", deadline)
    assert not timely(store, closing).complete
    store.inboxes.read_through("INBOX", deadline)
    assert timely(store, closing).complete
    store.inboxes.read_through("INBOX", deadline - timedelta(seconds=1))
    store.inboxes.keep_only(["OTHER"])
    assert timely(store, closing).complete


def test_an_answer_that_is_older_than_its_request_was_to_another_one(store: Store) -> None:
    number = opened(store).approval_id
    with pytest.raises(Refused, match=f"That answer came before #{number} was asked"):
        store_answer(store, given(number, at=soon(-90)))
    assert store_answer(store, given(number, at=soon(-1))).approval_id == number


def look(store: Store, begin: float, end: float) -> None:
    """A watcher looks at a mailbox that it can't read, between these moments, in seconds from now."""
    for seconds in range(int(begin), int(end) + 1, 5):
        store.inboxes.looking("INBOX", soon(seconds))


def test_an_expiry_waits_a_minute_for_a_mailbox_that_is_looked_at_in_vain(store: Store) -> None:
    number, deadline = opened(store).approval_id, soon(-70)
    closing = DeadlineCheck(approval_id=number, deadline=deadline, looked_at=deadline)
    store.inboxes.read_through("INBOX", deadline - timedelta(days=1))
    look(store, -200, -15)
    assert not timely(store, closing).complete
    look(store, -10, 0)
    assert timely(store, closing).complete


def test_an_expiry_has_patience_with_a_mailbox_at_which_nobody_looks(store: Store) -> None:
    number, deadline = opened(store).approval_id, soon(-1000)
    closing = DeadlineCheck(approval_id=number, deadline=deadline, looked_at=deadline)
    store.inboxes.read_through("INBOX", deadline - timedelta(days=1))
    look(store, -1100, -950)  # then the worker died
    assert not timely(store, closing).complete
    look(store, -65, -20)  # another one looks, and gets as long as the first would have had
    assert not timely(store, closing).complete
    look(store, -15, 0)
    assert timely(store, closing).complete


def test_an_expiry_waits_for_a_mailbox_that_was_never_read(store: Store) -> None:
    number, deadline = opened(store).approval_id, soon(-1)
    look(store, -5, 0)
    assert (
        not Transactions(store)
        .deadline.timely_answers(DeadlineCheck(approval_id=number, deadline=deadline, looked_at=deadline))
        .complete
    )


def test_an_expiry_does_not_wait_for_ever_for_a_mailbox_at_which_nobody_looks(store: Store) -> None:
    number, deadline = opened(store).approval_id, soon(-3600)
    store.inboxes.read_through("INBOX", deadline - timedelta(days=1))
    closing = DeadlineCheck(approval_id=number, deadline=deadline, looked_at=deadline, waited=LONGEST_WAIT)
    assert timely(store, closing).complete


def test_an_expiry_that_nobody_was_awake_for_still_waits_for_the_mailbox(store: Store) -> None:
    number, deadline = opened(store).approval_id, soon(-3600)
    store.inboxes.read_through("INBOX", deadline - timedelta(seconds=1))
    assert (
        not Transactions(store)
        .deadline.timely_answers(DeadlineCheck(approval_id=number, deadline=deadline, looked_at=soon(-1)))
        .complete
    )


def test_what_was_left_open_is_found_oldest_first(store: Store) -> None:
    number = a_request(store)
    new = store_answer(store, given(number, "ada"))
    old = store_answer(store, given(number, "grace", at=soon(-60)))
    assert [one.id for one in store.answers.waiting(soon(-30))] == [old.id]
    assert [one.id for one in store.answers.waiting(soon(1))] == [old.id, new.id]
    assert [one.id for one in store.answers.waiting(soon(1), limit=1)] == [old.id]


# --- what decides nothing -------------------------------------------------------------------------------------------


def unclear(number: int, **changed: Any) -> RejectedInput:
    grace = Person(id="grace", name="Grace", email="grace@example.test")
    fields = {"channel": "email", "source_id": "<m1>", "approval_id": number, "who": "grace", "person": grace}
    return RejectedInput.model_validate(fields | {"event": Event.HELP, "reason": "Neither."} | changed)


def helped(store: Store) -> list[str]:
    return [row.in_reply_to for row in Deliveries(store).left_over(soon(60), 10) if row.event == Event.HELP]


def test_what_decides_nothing_and_comes_twice_is_recorded_and_answered_once(store: Store) -> None:
    number = a_request(store)
    at_once(lambda: transactions(store).rejected_inputs.record(unclear(number)))
    assert kinds(store, number).count("answer_refused") == 1
    assert helped(store) == ["<m1>"]


def test_an_id_that_a_sender_chose_hides_nothing_of_others_and_nothing_else(store: Store) -> None:
    number = a_request(store)
    others: list[dict[str, Any]] = [
        {},
        {"who": "mallory@x", "person": None},
        {"channel": "slack"},
        {"approval_id": None},
    ]
    for changed in [*others, {"reason": "A question."}, {"source_id": "<m2>"}]:
        transactions(store).rejected_inputs.record(unclear(number, **changed))
    assert len([row for row in store.events.since(0, 10**6) if row.kind == "answer_refused"]) == 6


def test_what_has_no_id_is_recorded_each_time(store: Store) -> None:
    number = a_request(store)
    for _ in range(2):
        transactions(store).rejected_inputs.record(unclear(number, source_id=""))
    assert kinds(store, number).count("answer_refused") == 2


def test_an_answer_that_counted_and_comes_again_too_late_is_no_second_one(store: Store) -> None:
    number = a_request(store)
    write(store, approving(store_answer(store, given(number, channel="email", source_id="the answer"))))
    late = {"event": Event.ANSWER_REFUSED, "reason": f"#{number} is already Approved."}
    transactions(store).rejected_inputs.record(unclear(number, answer_id="the answer", **late))
    assert "answer_refused" not in kinds(store, number)
    transactions(store).rejected_inputs.record(unclear(number, answer_id="another", **late))
    assert kinds(store, number)[-1] == "answer_refused"
