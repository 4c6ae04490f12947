"""What is refused again and again can't fill up the record, and every refusal is counted."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from countersign.errors import Refused, TooMany
from countersign.notifications import Person, RejectedInput
from countersign.views import AuditEventView
from engine.audit import Audit
from engine.notifications.answering import REFUSALS_AT_MOST
from engine.notifications.deliveries import Deliveries
from engine.record import WINDOW, WRITTEN_EACH, sum_up
from engine.transactions import Transactions
from store import Store
from store.tables import repeats, requests
from tests.store.requests import approved, asking, given, opened, opening, question, store_answer, transactions, write

MORE = 15
ALL = WRITTEN_EACH + MORE


def rejected_input(who: str, person: Person | None = None) -> RejectedInput:
    """A mail that decides nothing, a different one each time."""
    return RejectedInput(
        channel="email", source_id=uuid.uuid4().hex, approval_id=None, who=who, person=person, reason="No token."
    )


def rows(store: Store, kind: str) -> list[AuditEventView]:
    return [row for row in store.events.since(0, 10**6) if row.kind == kind]


def an_hour_later(store: Store) -> None:
    with store.database.transaction() as connection:
        connection.execute(update(repeats).values(begun_at=datetime.now(UTC) - WINDOW - timedelta(seconds=1)))


def test_strangers_have_few_rows_and_one_that_counts_the_rest(store: Store) -> None:
    for number in range(ALL):
        transactions(store).rejected_inputs.record(rejected_input(f"someone-{number}@example.org (unproven)"))
    assert len(rows(store, "answer_refused")) == WRITTEN_EACH
    sum_up(store.database)
    assert len(rows(store, "answer_refused")) == WRITTEN_EACH
    an_hour_later(store)
    for _ in range(2):
        sum_up(store.database)
    summed_up = rows(store, "answer_refused")[WRITTEN_EACH:]
    assert [(row.channel, row.proof) for row in summed_up] == [("email", {"times": str(MORE)})]
    assert summed_up[0].detail.startswith(f"{MORE} more like the rows before, from ")


def test_what_comes_in_the_next_hour_is_written_and_the_last_hour_summed_up(store: Store) -> None:
    for _ in range(ALL):
        transactions(store).rejected_inputs.record(rejected_input("a stranger"))
    an_hour_later(store)
    transactions(store).rejected_inputs.record(rejected_input("a stranger"))
    *_, summed_up, newest = rows(store, "answer_refused")
    assert (summed_up.proof["times"], newest.detail) == (str(MORE), "No token.")


def test_few_need_no_summary(store: Store) -> None:
    for _ in range(WRITTEN_EACH):
        transactions(store).rejected_inputs.record(rejected_input("a stranger"))
    an_hour_later(store)
    sum_up(store.database)
    assert len(rows(store, "answer_refused")) == WRITTEN_EACH


def test_strangers_hide_nothing_of_a_person_nor_one_person_of_another(store: Store) -> None:
    bob = Person(id="bob", name="Bob", email="bob@example.test")
    for _ in range(ALL):
        transactions(store).rejected_inputs.record(rejected_input("a stranger"))
    transactions(store).rejected_inputs.record(rejected_input("bob", bob))
    assert rows(store, "answer_refused")[-1].who == "bob"


def test_answers_that_never_count_are_all_stored_and_counted_for_each_request(store: Store) -> None:
    first, second = opened(store).approval_id, opened(store, device="web-2").approval_id
    for number in (first, second):
        write(store, asking(number, "grace"))
        for _ in range(ALL):
            with pytest.raises(Refused):
                store_answer(store, given(number, "zoe"))
        of_request = [row for row in rows(store, "answer_refused") if row.approval_id == number]
        assert len(of_request) == WRITTEN_EACH


def test_who_answers_again_and_again_gets_no_mail_for_each(store: Store) -> None:
    number = opened(store).approval_id
    for _ in range(REFUSALS_AT_MOST + 5):
        answer = store_answer(store, given(number, "bob", channel="email"))
        transactions(store).answers.refuse(answer.id, Refused("Not asked."), notifies_sender=True)
    later = datetime.now(UTC) + timedelta(hours=1)
    refusals = [row for row in Deliveries(store).left_over(later, 1000) if row.event == "answer_refused"]
    assert len(refusals) == REFUSALS_AT_MOST


def test_questions_that_are_refused_or_answered_by_a_grant_are_counted(store: Store) -> None:
    for _ in range(ALL):
        with pytest.raises(Refused):
            transactions(store).opener.open(opening(device="nowhere"))
    assert len(rows(store, "refused")) == WRITTEN_EACH
    number = approved(store)
    for _ in range(ALL):
        assert transactions(store).asking.answer_on_record(question(), "alice") is not None
    assert [row.approval_id for row in rows(store, "asked_again")] == [number] * WRITTEN_EACH


def test_what_was_counted_about_no_request(store: Store) -> None:
    for _ in range(ALL):
        Audit(store).record_attempt("bob", "No.", {})
    assert len(rows(store, "answer_refused")) == WRITTEN_EACH


def test_of_one_person_so_many_requests_are_opened_within_an_hour(store: Store) -> None:
    opener = Transactions(store, most_an_hour=2).opener
    for protocol in ("ssh", "sftp"):
        opener.open(opening(protocol=protocol))
    with pytest.raises(TooMany) as raised:
        opener.open(opening(protocol="rdp"))
    assert raised.value.fields["limit"] == 2
    assert 3500 < raised.value.retry_after <= 3600
    assert "ask again in 60 minutes" in str(raised.value)
    assert [row.detail for row in rows(store, "refused")] == [str(raised.value)]
    opener.open(opening(requester="bob", protocol="rdp"))
    with store.database.transaction() as connection:
        connection.execute(update(requests).values(opened_at=datetime.now(UTC) - timedelta(hours=1)))
    opener.open(opening(protocol="rdp"))
