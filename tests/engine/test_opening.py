"""A request is opened once a run, with its route and people, or refused on record."""

from __future__ import annotations

from datetime import timedelta

import pytest

from countersign.errors import Refused
from engine.transactions import Transactions
from store import Store
from store.tables import FIRST_APPROVAL_ID
from tests.store.requests import (
    approving,
    asking,
    given,
    kinds,
    opened,
    opening,
    store_answer,
    transactions,
    write,
)


def test_numbers_rise(store: Store) -> None:
    first, second, third = (opened(store, device=f"web-{n}").approval_id for n in range(1, 4))
    assert FIRST_APPROVAL_ID <= first < second < third


def test_the_same_run_is_opened_once(store: Store) -> None:
    run = opening()
    first, second = transactions(store).opener.open(run), transactions(store).opener.open(run)
    assert first == second
    assert first.opened is not None
    assert kinds(store, first.opened.approval_id) == ["opened"]


@pytest.mark.usefixtures("store")
def test_a_policys_minutes_may_be_made_short(migrated_url: str) -> None:
    store, second = Store(migrated_url), timedelta(seconds=1)
    transactions = Transactions(store, minute=second)
    request = transactions.opener.open(opening()).opened
    assert request is not None
    assert request.deadline - request.opened_at == timedelta(seconds=60)
    assert request.minute == second
    write(store, asking(request.approval_id, "grace"))
    written = transactions.transitions.write(approving(store_answer(store, given(request.approval_id))))
    assert written.grant is not None
    assert written.grant.ends_at == written.grant.starts_at + timedelta(seconds=120)
    store.close()


def test_a_question_that_the_rules_refuse_gets_no_number_but_a_row_in_the_record(store: Store) -> None:
    before = store.events.last_version()
    with pytest.raises(Refused, match="There is no zoe"):
        transactions(store).opener.open(opening(requester="zoe", source_address="10.0.0.7"))
    [row] = store.events.since(before)
    assert (row.kind, row.who, row.approval_id) == ("refused", "zoe", None)
    asked = {"requester": "zoe", "device": "web-1", "protocol": "ssh"}
    assert row.proof == asked | {"source_address": "10.0.0.7"}
    assert store.reading.newest() == []


def test_without_a_policy_the_refusal_names_the_remedy(database_url: str) -> None:
    store = Store(database_url)
    with pytest.raises(Refused, match="countersign policy apply"):
        transactions(store).opener.open(opening())
    store.close()
