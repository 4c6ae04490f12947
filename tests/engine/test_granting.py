"""A grant answers the question it was given for, ends once, and ends with its requester's account."""

from __future__ import annotations

from datetime import timedelta

import pytest

from countersign.errors import Refused
from countersign.models import Asked, GrantStatus, Question, Status
from countersign.transitions import (
    GRANT_TRANSITION,
    GrantEnd,
)
from engine.policy import apply_policy
from store import Store
from tests.store.requests import approved, kinds, messages, opened, opening, question, soon, transactions, unsent
from tests.workflows.people import policy


def test_while_a_grant_lasts_it_answers_the_question_in_place_of_a_new_request(store: Store) -> None:
    number = approved(store)
    reply = transactions(store).opener.open(opening())
    assert reply.opened is None
    assert reply.outcome is not None
    assert (reply.outcome.approval_id, reply.outcome.status) == (number, Status.APPROVED)
    assert kinds(store, number)[-1] == "asked_again"
    assert transactions(store).granting.ask(question(device="web-2"), "alice") is None
    other_requester = transactions(store).granting.ask(question(requester="bob"), "bob")
    assert other_requester is None


def test_a_grant_ends_once(store: Store) -> None:
    number = approved(store)
    end = GrantEnd(approval_id=number, status=GrantStatus.REVOKED, at=soon(0), who="grace", message="enough")
    late = end.model_copy(update={"status": GrantStatus.ENDED, "who": "the clock"})
    assert [transactions(store).granting.end(one) for one in (end, end, late)] == [True, False, False]
    assert kinds(store, number)[-1] == "grant_revoked"
    assert sorted(row.person for row in unsent(store, number, GRANT_TRANSITION)) == [
        "alice",
        "grace",
    ]
    grant = store.reading.request(number).grant
    assert grant is not None
    assert grant.status is GrantStatus.REVOKED
    assert transactions(store).granting.ask(question(), "alice") is None


def test_the_grants_of_the_disabled_and_the_deleted_are_found(store: Store) -> None:
    number = approved(store)
    assert transactions(store).granting.to_revoke() == []
    apply_policy(store, policy(disabled=("alice",)), "ada")
    assert [one.approval_id for one in transactions(store).granting.to_revoke()] == [number]


HERE = {"source_address": "192.0.2.7"}


def answered(store: Store, asked: Question) -> Asked | None:
    return transactions(store).granting.ask(asked, "alice")


def ended(store: Store, number: int) -> None:
    end = GrantEnd(approval_id=number, status=GrantStatus.REVOKED, at=soon(0), who="grace", message="enough")
    assert transactions(store).granting.end(end)


def test_a_renewal_opens_a_request_while_a_grant_lasts_and_its_grant_goes_on_beside_it(store: Store) -> None:
    first = approved(store, **HERE, minutes=30)
    renewal = transactions(store).granting.with_address(question(renew=True))
    assert renewal.source_address == "192.0.2.7"
    assert answered(store, renewal) is None
    waiting = opened(store, **HERE, renew=True, minutes=20)
    view, old = store.reading.request(waiting.approval_id), store.reading.request(first)
    assert old.grant is not None
    assert (view.status, view.renews, view.goes_on_after) == (Status.WAITING, first, old.grant.ends_at)
    # What is not a renewal is still answered by the grant that lasts.
    assert (yes := answered(store, question(**HERE))) is not None
    assert yes.approval_id == first
    [line, *_] = store.events.of(waiting.approval_id)
    assert line.detail.startswith(f"to go on after #{first}: ")


def test_of_a_grant_and_its_renewal_the_one_that_ends_last_answers_and_each_ends_for_itself(store: Store) -> None:
    first, second = approved(store, **HERE, minutes=30), approved(store, **HERE, renew=True, minutes=60)
    assert first != second
    assert (yes := answered(store, question(**HERE))) is not None
    assert yes.approval_id == second
    ended(store, second)
    assert (yes := answered(store, question(**HERE))) is not None
    assert yes.approval_id == first
    ended(store, first)
    assert answered(store, question(**HERE)) is None
    old = store.reading.request(first).grant
    assert old is not None
    assert store.reading.request(second).goes_on_after == old.ended_at


def test_a_grant_answers_from_its_own_address_also_beside_one_that_ends_later(store: Store) -> None:
    here = approved(store, **HERE, minutes=30)
    there = approved(store, source_address="192.0.2.8", renew=True, minutes=60)
    assert store.reading.request(there).renews is None  # there is no grant for that address to go on after
    for address, number in (("192.0.2.7", here), ("192.0.2.8", there)):
        assert (yes := answered(store, question(source_address=address))) is not None
        assert yes.approval_id == number
    with pytest.raises(Refused, match=f"#{there} is for another source address"):
        answered(store, question(source_address="192.0.2.9"))
    with pytest.raises(Refused, match=f"45 minutes are more than the 30 minutes that #{here} was granted for"):
        answered(store, question(**HERE, minutes=45))


def test_a_renewal_where_nothing_lasts_is_a_question_like_any_other(store: Store) -> None:
    request = opened(store, renew=True)
    view = store.reading.request(request.approval_id)
    assert (view.renews, view.goes_on_after, view.question.renew) == (None, None, True)


def test_both_grants_of_who_is_disabled_end(store: Store) -> None:
    numbers = [approved(store, **HERE), approved(store, **HERE, renew=True)]
    apply_policy(store, policy(disabled=("alice",)), "ada")
    assert sorted(one.approval_id for one in transactions(store).granting.to_revoke()) == numbers


def test_a_message_about_a_renewal_knows_after_what_it_goes_on(store: Store) -> None:
    first = approved(store, **HERE, minutes=30)
    second = approved(store, **HERE, renew=True)
    [(_, notification), *_] = messages(store, unsent(store, second, 2))
    grant = store.reading.request(first).grant
    assert grant is not None
    assert notification.goes_on_after == grant.ends_at
    assert notification.goes_on_after - grant.starts_at == timedelta(minutes=30)
