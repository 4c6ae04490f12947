"""Each transition is written in one database transaction, and writing it twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from countersign.models import OWN_APPROVAL, Decision, Event, Status, Verdict
from countersign.transitions import (
    Recipient,
    RecordedTransition,
    Transition,
)
from engine.policy import ReadPolicy, apply_policy, put_in_force
from store import Store
from tests.store.requests import (
    a_transition,
    approved,
    approving,
    asking,
    at_once,
    audit_event,
    given,
    kinds,
    opened,
    soon,
    store_answer,
    unsent,
    write,
)
from tests.workflows.people import policy


def own_approval(person: str) -> Decision:
    return Decision(
        answer_id=OWN_APPROVAL,
        level=1,
        person=person,
        verdict=Verdict.APPROVE,
        channel=OWN_APPROVAL,
        at=soon(0),
    )


def test_a_step_written_twice_is_written_once(store: Store) -> None:
    request = opened(store)
    for _ in range(2):
        write(store, asking(request.approval_id, "grace"))
    transition = approving(store_answer(store, given(request.approval_id)))
    first = write(store, transition)
    again = write(store, transition.model_copy(update={"at": transition.at + timedelta(seconds=9)}))
    assert again == first != RecordedTransition()
    assert kinds(store, request.approval_id) == ["opened", "level_started", "answered", "approved", "granted"]
    assert len(unsent(store, request.approval_id, 1)) == 1
    assert sorted(row.person for row in unsent(store, request.approval_id, 2)) == ["alice", "grace"]
    view = store.reading.request(request.approval_id)
    assert (view.status, len(view.decisions), len(view.approvers)) == (Status.APPROVED, 1, 1)


def test_of_many_who_write_the_same_step_at_once_one_writes_it(store: Store) -> None:
    request = opened(store)
    write(store, asking(request.approval_id, "grace"))
    transition = approving(store_answer(store, given(request.approval_id)))
    results = at_once(lambda: write(store, transition))
    assert len({one.grant and one.grant.ends_at for one in results}) == 1
    assert kinds(store, request.approval_id) == ["opened", "level_started", "answered", "approved", "granted"]


def test_what_a_workflow_has_forgotten_stays_on_record_and_all_who_were_asked_are_told(store: Store) -> None:
    number = opened(store, device="databases-1").approval_id
    write(store, asking(number, "grace"))
    write(store, asking(number, "heidi", key="2.level_started").model_copy(update={"level": 2}))
    recipients = [Recipient(event=Event.SETTLED, person=one) for one in ("alice", "grace")]
    write(
        store, a_transition(number, "1.cancelled", status=Status.CANCELLED, message="Cancelled.", recipients=recipients)
    )
    assert store.reading.request(number).level == 2
    assert sorted((row.person, row.level) for row in unsent(store, number, 3)) == [
        ("alice", 2),
        ("grace", 2),
        ("heidi", 2),
    ]


def test_a_step_is_whole_or_not_at_all(store: Store) -> None:
    number = opened(store).approval_id
    transition = asking(number, "grace")
    with pytest.raises(Exception, match=r"(?i)unique"):  # nobody can be sent the same notification twice
        write(store, transition.model_copy(update={"recipients": transition.recipients * 2}))
    assert kinds(store, number) == ["opened"]
    assert unsent(store, number, 1) == []
    assert store.reading.request(number).approvers == []
    assert write(store, transition).number == 1


def test_transitions_count_by_what_they_are_in_whatever_order_they_are_written_again(store: Store) -> None:
    number = opened(store).approval_id
    write(store, asking(number, "grace"))
    reminding = a_transition(number, "1.reminded", events=[audit_event("reminded")])
    assert write(store, reminding).number == 2
    approval = approving(store_answer(store, given(number)))
    assert write(store, approval).number == 3
    assert [write(store, one).number for one in (approval, reminding)] == [3, 2]
    assert kinds(store, number) == ["opened", "level_started", "reminded", "answered", "approved", "granted"]


def test_answers_counted_again_in_another_order_end_the_request_once(store: Store) -> None:
    """Two must agree: one was written, then the other by a workflow that had lost the first, then the first again."""
    number = opened(store).approval_id
    write(store, asking(number, "grace", "heidi"))
    last = approving(store_answer(store, given(number, "grace")))
    waits = {"status": Status.WAITING, "message": "", "opens_grant": False, "recipients": []}
    other = approving(store_answer(store, given(number, "heidi")))
    for transition in (last, other):
        write(store, transition.model_copy(update={**waits, "events": transition.events[:1]}))
    assert store.reading.request(number).status is Status.WAITING
    first, again = write(store, last), write(store, last)
    assert first.instead is again.instead is None
    assert first.grant is not None
    assert again.grant == first.grant
    view = store.reading.request(number)
    assert (view.status, view.message) == (Status.APPROVED, "Approved by grace.")
    assert sorted(one.person for one in view.decisions) == ["grace", "heidi"]
    assert kinds(store, number) == ["opened", "level_started", "answered", "answered", "approved", "granted"]
    notified = sorted(row.person for row in unsent(store, number, first.number))
    assert notified == ["alice", "grace", "heidi"]


def test_a_request_that_has_ended_on_record_stays_as_it_ended(store: Store) -> None:
    number = approved(store)
    before = store.events.last_version()
    rejecting = a_transition(
        number, "1.answer.x", status=Status.REJECTED, message="No.", events=[audit_event("rejected")]
    )
    written = write(store, rejecting)
    assert written.instead is not None
    assert (written.instead.status, written.instead.message) == (Status.APPROVED, "Approved by grace.")
    assert [one.person for one in written.instead.decisions] == ["grace"]
    assert written.grant is not None
    assert store.reading.request(number).status is Status.APPROVED
    assert store.events.last_version() == before


def test_the_requesters_own_approval_is_stored_with_its_step(store: Store) -> None:
    request = opened(store, requester="grace")
    transition = asking(request.approval_id, "ada")
    own = own_approval("grace")
    for _ in range(2):
        write(store, transition.model_copy(update={"decision": own}))
    [decision] = store.reading.request(request.approval_id).decisions
    assert (decision.person, decision.channel) == ("grace", "own approval")


def test_a_step_that_relies_on_somebody_disabled_is_not_written(store: Store) -> None:
    number = opened(store).approval_id
    write(store, asking(number, "grace"))
    transition = approving(store_answer(store, given(number))).model_copy(update={"relies_on": ["alice", "grace"]})
    apply_policy(store, policy(disabled=("grace",)), "ada")
    written = write(store, transition)
    assert (written.disabled, written.number, written.grant) == (["grace"], 0, None)
    assert kinds(store, number) == ["opened", "level_started"]
    assert store.reading.request(number).status is Status.WAITING
    apply_policy(store, policy(), "ada")
    assert write(store, transition).grant is not None  # nothing of it was left


def test_what_was_written_before_stays_though_who_it_relied_on_is_disabled_since(store: Store) -> None:
    number = opened(store).approval_id
    transition = approving(store_answer(store, given(number))).model_copy(update={"relies_on": ["grace"]})
    first = write(store, transition)
    apply_policy(store, policy(disabled=("grace",)), "ada")
    assert write(store, transition) == first


def test_disabling_and_approving_at_once_come_one_after_the_other(store: Store) -> None:
    disabling, enabling = ReadPolicy.of(policy(disabled=("grace",))), ReadPolicy.of(policy())
    for n in range(1, 11):
        put_in_force(store, enabling, "ada")
        number = opened(store, device=f"web-{n}").approval_id
        transition = approving(store_answer(store, given(number))).model_copy(update={"relies_on": ["grace"]})
        before = store.events.last_version()
        turns = iter(["disable", "write"] * 2)

        def take_a_turn(transition: Transition = transition, turns: Iterator[str] = turns) -> RecordedTransition | int:
            if next(turns) == "disable":
                return put_in_force(store, disabling, "ada")
            return write(store, transition)

        written = [one for one in at_once(take_a_turn) if isinstance(one, RecordedTransition)]
        first = next(row.kind for row in store.events.since(before) if row.kind in ("policy_applied", "approved"))
        if first == "approved":
            assert all(one.grant for one in written)
        else:
            assert [one.disabled for one in written] == [["grace"]] * 2


def test_an_approval_that_lapsed_is_shown_as_one_and_is_not_submitted_again(store: Store) -> None:
    number = opened(store).approval_id
    answer = store_answer(store, given(number))
    decision = Decision(answer_id=answer.id, **answer.model_dump(exclude={"id", "approval_id"}))
    write(
        store,
        a_transition(number, f"1.answer.{answer.id}", decision=decision, events=[audit_event("answered", "grace")]),
    )
    write(store, a_transition(number, "1.grace.disabled", lapsed=[answer.id], events=[audit_event("approval_lapsed")]))
    assert [one.lapsed for one in store.reading.request(number).decisions] == [True]
    assert store.answers.counted_of(number) == []
    assert store.answers.outcome(answer.id)[0] == "lapsed"
