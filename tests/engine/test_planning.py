"""What is open, as the plan of a new policy sees it, and how the grants that it ends are revoked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from countersign.models import GrantStatus
from countersign.policy.plan import to_end
from countersign.transitions import GrantEnd
from engine import planning
from engine.planning import Planning, all_of
from engine.policy import ReadPolicy, apply_policy, put_in_force
from store import Store
from tests.store.requests import approved, asking, opened, transactions, write
from tests.workflows.people import ADMIN, policy


def test_before_the_first_policy_nothing_is_in_force(database_url: str) -> None:
    store = Store(database_url)
    assert Planning(store).in_force() == (0, None)
    assert (Planning(store).waiting(), Planning(store).active_grants()) == ([], [])
    store.close()


def test_what_waits_and_what_lasts(store: Store) -> None:
    waiting = opened(store, device="web-2").approval_id
    write(store, asking(waiting, "grace"))
    lasting = approved(store, minutes=30)
    over = approved(store, device="web-3")
    end = GrantEnd(approval_id=over, status=GrantStatus.ENDED, at=datetime.now(UTC), who="the clock", message="over")
    transactions(store).granting.end(end)
    assert [(one.approval_id, one.requester, one.what) for one in Planning(store).waiting()] == [
        (waiting, "alice", "connection web-2 ssh")
    ]
    [held] = Planning(store).active_grants()
    assert (held.approval_id, held.question.subject.target, held.lasts) == (lasting, "web-1", timedelta(minutes=30))
    assert held.approved_by == ["grace"]


def test_grants_are_read_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [approved(store, device=f"web-{n}") for n in range(1, 6)]
    monkeypatch.setattr(planning, "AT_ONCE", 2)
    assert len(Planning(store).active_grants()) == 2
    assert [one.approval_id for one in all_of(Planning(store).active_grants)] == numbers


def test_requests_that_wait_are_read_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [opened(store, device=f"web-{n}").approval_id for n in range(1, 6)]
    approved(store, device="web-6")
    monkeypatch.setattr(planning, "AT_ONCE", 2)
    assert [one.approval_id for one in Planning(store).waiting(after=numbers[1])] == numbers[2:4]
    assert [one.approval_id for one in all_of(Planning(store).waiting)] == numbers


def test_a_grant_that_a_policy_ends_is_to_be_revoked_for_who_applied_it(store: Store, migrated_url: str) -> None:
    ended, kept = approved(store, device="web-1"), approved(store, device="vaults-1", minutes=30)
    read = ReadPolicy.of(policy(grant_minutes=60))
    end = to_end(read.policy, all_of(Planning(store).active_grants))
    assert [number for number, _ in end] == [ended]
    assert transactions(store).granting.to_revoke() == []
    version = put_in_force(store, read, ADMIN, end=end)
    # Another process finds it, as when the portal that applied the policy dies at once.
    other = Store(migrated_url)
    for each in (store, other):
        [revocation] = transactions(each).granting.to_revoke()
        assert (revocation.approval_id, revocation.who) == (ended, ADMIN)
        assert revocation.reason == f"Policy version {version} would not give it. It lasts 2 hours; 1 hour is the most."
    other.close()
    grant = store.reading.request(kept).grant
    assert grant is not None
    assert grant.status is GrantStatus.ACTIVE


def test_the_grants_of_who_is_disabled_or_gone_are_to_be_revoked_with_the_policys_version(store: Store) -> None:
    number = approved(store)
    apply_policy(store, policy(disabled=("alice",)), "ada")
    [revocation] = transactions(store).granting.to_revoke()
    assert (revocation.approval_id, revocation.reason) == (number, "The requester is disabled in policy version 2.")
