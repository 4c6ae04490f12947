"""A level's people are those of the directory now; those who may no longer act, or can't be reached, are found."""

from __future__ import annotations

import pytest

from countersign.errors import NotFound
from countersign.notifications import RejectedInput
from countersign.transitions import (
    LevelStart,
    Recheck,
)
from engine.notifications.deliveries import Deliveries
from engine.policy import apply_policy
from store import Store
from tests.store.requests import (
    a_transition,
    asking,
    given,
    kinds,
    lost,
    opened,
    sent,
    store_answer,
    transactions,
    unsent,
    write,
)
from tests.workflows.people import policy


def test_the_people_of_a_level_are_those_of_now(store: Store) -> None:
    request = opened(store, device="databases-1")
    level = LevelStart(approval_id=request.approval_id, level=2)
    assert [one.person for one in transactions(store).people.of_level(level).approvers] == ["heidi", "ivan", "ada"]
    apply_policy(store, policy(disabled=("heidi",)), "ada")
    assert [one.person for one in transactions(store).people.of_level(level).approvers] == ["ivan", "ada"]
    with pytest.raises(NotFound):
        transactions(store).people.of_level(LevelStart(approval_id=1, level=1))


def test_availability_says_who_may_no_longer_act_or_cannot_be_reached(store: Store) -> None:
    request = opened(store, device="vaults-1")
    number = request.approval_id
    write(store, asking(number, "ivan", "grace"))
    ids = [row.id for row in unsent(store, number, 1) if row.person == "ivan"]
    Deliveries(store).mark(number, [lost(ids[0], "550 no such user")])
    availability = transactions(store).people.recheck(Recheck(approval_id=number, people=["ivan", "grace"]))
    assert (availability.requester_disabled, availability.disabled, availability.unreachable) == (False, [], ["ivan"])
    transactions(store).signals.add("grace", number, "unreachable", "bounced")
    apply_policy(store, policy(disabled=("alice", "ivan")), "ada")
    availability = transactions(store).people.recheck(Recheck(approval_id=number, people=["ivan", "grace"]))
    assert (availability.requester_disabled, availability.disabled) == (True, ["ivan"])
    assert sorted(availability.unreachable) == ["grace", "ivan"]
    assert transactions(store).rechecks.due() == [number]


def test_who_was_left_out_as_disabled_is_not_looked_at_again(store: Store) -> None:
    number = opened(store, device="vaults-1").approval_id
    write(store, asking(number, "ivan", "grace"))
    apply_policy(store, policy(disabled=("ivan",)), "ada")
    assert transactions(store).rechecks.due() == [number]
    write(store, a_transition(number, "transition 2", availability={"ivan": "disabled"}))
    assert transactions(store).rechecks.due() == []


def test_who_no_notification_reached_is_looked_at_until_that_is_done(store: Store) -> None:
    number = opened(store, device="vaults-1").approval_id
    write(store, asking(number, "ivan", "grace"))
    asked = {row.person: row.id for row in unsent(store, number, 1)}
    Deliveries(store).mark(number, [sent(asked["grace"], "<sent@here>"), lost(asked["ivan"], "550 no such user")])
    assert transactions(store).rechecks.due() == [number]
    write(store, a_transition(number, "1.ivan.unreachable", availability={"ivan": "unreachable"}))
    assert transactions(store).rechecks.due() == []


def test_who_is_out_of_office_is_looked_at_once(store: Store) -> None:
    number = opened(store, device="vaults-1").approval_id
    write(store, asking(number, "ivan", "grace"))
    transactions(store).signals.add("ivan", number, "away", "Out of office")
    transactions(store).signals.add("ivan", number, "away", "Out of office")
    assert kinds(store, number).count("away") == 1
    assert transactions(store).people.recheck(Recheck(approval_id=number, people=["ivan", "grace"])).away == ["ivan"]
    assert transactions(store).rechecks.due() == [number]
    write(store, a_transition(number, "transition 2", availability={"ivan": "away"}))
    assert transactions(store).rechecks.due() == []
    transactions(store).signals.add("ivan", number, "unreachable", "bounced")
    assert transactions(store).rechecks.due() == [number]


def test_who_has_written_about_a_request_can_be_reached(store: Store) -> None:
    number = opened(store, device="vaults-1").approval_id
    write(store, asking(number, "ivan", "grace", "heidi"))
    store_answer(store, given(number, "ivan"))
    transactions(store).rejected_inputs.record(
        RejectedInput(channel="email", source_id="<m1>", approval_id=number, who="grace", reason="?")
    )
    transactions(store).rejected_inputs.record(
        RejectedInput(channel="email", source_id="<m2>", approval_id=None, who="heidi", reason="?")
    )
    for person in ("ivan", "grace", "heidi"):
        transactions(store).signals.add(person, number, "unreachable", "a mail that says it is a bounce")
        transactions(store).signals.add(person, number, "away", "a mail that says it is an absence")
    look = Recheck(approval_id=number, people=["ivan", "grace", "heidi"])
    assert transactions(store).people.recheck(look).unreachable == ["heidi"]
    assert transactions(store).people.recheck(look).away == ["heidi"]


def test_an_availability_gets_no_better_and_is_kept_at_the_next_level(store: Store) -> None:
    number = opened(store, device="databases-1").approval_id
    write(store, asking(number, "ivan", "grace"))
    for signal in ("unreachable", "away"):
        transactions(store).signals.add("ivan", number, signal, "bounced, and out of office")
    write(store, a_transition(number, "transition 2", availability={"ivan": "unreachable"}))
    write(store, a_transition(number, "transition 3", availability={"ivan": "away"}))
    assert transactions(store).rechecks.due() == []
    write(store, asking(number, "ivan", "heidi", key="2.level_started").model_copy(update={"level": 2}))
    assert transactions(store).rechecks.due() == []
