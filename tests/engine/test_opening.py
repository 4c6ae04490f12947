"""A request is opened once a run, with its route and people, or refused on record."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from pydantic_core import to_json

from countersign.errors import Refused
from countersign.transitions import Opened
from engine.policy import apply_policy
from store import Store
from store.listing import Wanted
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
from tests.workflows.people import policy


def test_numbers_rise(store: Store) -> None:
    first, second, third = (opened(store, device=f"web-{n}").approval_id for n in range(1, 4))
    assert FIRST_APPROVAL_ID <= first < second < third


def test_the_same_run_is_opened_once(store: Store) -> None:
    run = opening()
    first, second = transactions(store).opener.open(run), transactions(store).opener.open(run)
    assert first == second
    assert first.opened is not None
    assert kinds(store, first.opened.approval_id) == ["opened"]


def test_a_policy_may_say_seconds(store: Store) -> None:
    apply_policy(
        store, policy(approval_status_change_to_expire="90s", reminder_minutes="3s", grant_minutes="2s"), "ada"
    )
    request = opened(store)
    assert request.deadline - request.opened_at == timedelta(seconds=90)
    assert request.remind_after == timedelta(seconds=3)
    write(store, asking(request.approval_id, "grace"))
    grant = write(store, approving(store_answer(store, given(request.approval_id)))).grant
    assert grant is not None
    assert grant.ends_at == grant.starts_at + timedelta(seconds=2)
    # Whole minutes, rounded up, where a number of minutes is needed.
    view = store.reading.request(request.approval_id)
    assert (view.grant_minutes, view.grant_seconds) == (1, 2)


def test_what_was_opened_by_a_policy_of_minutes_is_stored_and_sent_as_it_always_was(store: Store) -> None:
    apply_policy(store, policy(approval_status_change_to_expire=60, reminder_minutes="30m", grant_minutes="2h"), "ada")
    sent = json.loads(to_json(opened(store)))
    assert "minute" not in sent
    route = sent["route"]
    assert (route["expire_minutes"], route["reminder_minutes"], route["grant_minutes"]) == (60, 30, 120)


def test_a_request_of_before_whose_minutes_were_made_short_is_reminded_when_it_was_to_be(store: Store) -> None:
    apply_policy(store, policy(reminder_minutes=3), "ada")
    sent = json.loads(to_json(opened(store)))
    assert Opened.model_validate(sent | {"minute": "PT1S"}).remind_after == timedelta(seconds=3)
    assert Opened.model_validate(sent | {"minute": "PT1M"}).remind_after == timedelta(minutes=3)


def test_a_question_that_the_rules_refuse_gets_no_number_but_a_row_in_the_record(store: Store) -> None:
    before = store.events.last_version()
    with pytest.raises(Refused, match="There is no zoe"):
        transactions(store).opener.open(opening(requester="zoe", source_address="10.0.0.7"))
    [row] = store.events.since(before)
    assert (row.kind, row.who, row.approval_id) == ("refused", "zoe", None)
    asked = {"requester": "zoe", "device": "web-1", "protocol": "ssh"}
    assert row.proof == asked | {"source_address": "10.0.0.7"}
    assert store.reading.page(Wanted())[0] == []


def test_without_a_policy_the_refusal_names_the_remedy(database_url: str) -> None:
    store = Store(database_url)
    with pytest.raises(Refused, match="countersign policy apply"):
        transactions(store).opener.open(opening())
    store.close()
