"""A grant answers the question it was given for, ends once, and ends with its requester's account."""

from __future__ import annotations

from countersign.models import GrantStatus, Status
from countersign.transitions import (
    GRANT_STEP,
    GrantEnd,
)
from engine.policy import apply_policy
from store import Store
from tests.store.requests import (
    approved,
    kinds,
    opening,
    question,
    soon,
    transactions,
)
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
    assert sorted(row.person for row in store.notifications.of_step(number, GRANT_STEP)) == ["alice", "grace"]
    grant = store.reading.request(number).grant
    assert grant is not None
    assert grant.status is GrantStatus.REVOKED
    assert transactions(store).granting.ask(question(), "alice") is None


def test_the_grants_of_the_disabled_and_the_deleted_are_found(store: Store) -> None:
    number = approved(store)
    assert transactions(store).granting.to_revoke() == []
    apply_policy(store, policy(disabled=("alice",)), "ada")
    assert [one.approval_id for one in transactions(store).granting.to_revoke()] == [number]
