"""Somebody who asks again is answered from the record, and that is recorded once."""

from __future__ import annotations

from countersign.models import Status
from countersign.transitions import (
    AskAgain,
)
from engine.asking import MOST_REPEATS
from store import Store
from tests.store.requests import (
    a_transition,
    audit_event,
    kinds,
    opened,
    question,
    transactions,
    write,
)


def test_a_repeat_of_the_question_is_on_record_once(store: Store) -> None:
    request = opened(store)
    for key in ("ask.1", "ask.1", "ask.2"):
        again = AskAgain(approval_id=request.approval_id, key=key, event=audit_event("asked_again", "alice"))
        transactions(store).asking.ask_again(again)
    assert kinds(store, request.approval_id) == ["opened", "asked_again", "asked_again"]


def test_what_was_asked_too_often_for_temporal_is_joined_on_record_alone(store: Store) -> None:
    number = opened(store).approval_id
    opened(store, device="web-2")
    repeats = [audit_event("asked_again", "alice")] * (MOST_REPEATS - 1)
    write(store, a_transition(number, "1.asked", events=repeats))
    assert transactions(store).asking.answer_on_record(question(), "gate-1") is None
    transactions(store).asking.ask_again(
        AskAgain(approval_id=number, key="ask.two", event=audit_event("asked_again", "alice"))
    )
    joined = transactions(store).asking.answer_on_record(question(reason="again"), "gate-1")
    assert joined is not None
    assert (joined.approval_id, joined.status, joined.joined) == (number, Status.WAITING, True)
    row = store.events.of(number)[-1]
    assert (row.kind, row.who, row.proof["reason"]) == ("asked_again", "gate-1", "again")
    assert transactions(store).asking.answer_on_record(question(device="web-2"), "gate-1") is None
    write(store, a_transition(number, "1.cancelled", status=Status.CANCELLED))
    assert transactions(store).asking.answer_on_record(question(), "gate-1") is None
