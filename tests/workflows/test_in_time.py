"""Rule 5 of approval on the whole engine: the deadline is compared even if nothing ran then; and reminders."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from countersign.models import Status
from countersign.times import moment
from engine import deadline
from tests.workflows.deployment import Deployment, Request, until, until_after
from tests.workflows.people import policy

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def asleep_over_the_deadline(quick: Deployment, request: Request) -> None:
    await quick.stop_worker()
    await until_after(request.deadline)


async def test_rule_5_what_still_waits_at_the_deadline_becomes_expired(quick: Deployment) -> None:
    request = await quick.ask("alice")
    assert request.deadline - quick.store.reading.request(request.id).opened_at == timedelta(seconds=5)
    outcome = await request.outcome()
    assert outcome.status is Status.EXPIRED
    assert outcome.message == f"Nobody decided by {moment(request.deadline)}."
    assert quick.store.reading.request(request.id).grant is None
    await request.until_mailed(alice=["settled"], grace=["asked", "settled"])

    late = await request.says("grace", channel="email")
    assert (late.accepted, late.status) == (False, Status.EXPIRED)
    assert late.message == f"#{request.id} is already Expired: {outcome.message}"
    assert request.lines() == [
        "opened alice",
        "level_started countersign",
        "expired countersign",
        "answer_refused grace",
    ]
    await request.until_mailed(grace=["asked", "settled", "answer_refused"], alice=["settled"])


async def test_rule_5_a_device_group_may_expire_sooner(quick: Deployment) -> None:
    quick.apply(policy(device_groups={"vaults": {"approval_status_change_to_expire": "1s"}}))
    request = await quick.ask("alice", "vaults")
    assert (await request.outcome()).status is Status.EXPIRED


async def test_rule_5_a_late_answer_changes_nothing_though_nobody_was_awake(quick: Deployment) -> None:
    request = await quick.ask("alice")
    await asleep_over_the_deadline(quick, request)
    assert request.status is Status.WAITING
    late = await request.store("grace")
    submitting = asyncio.create_task(quick.engine.submit(late))
    quick.start_worker()
    judged = await submitting
    assert not judged.accepted
    assert (await request.outcome()).status is Status.EXPIRED
    assert request.lines("answered", "granted", "expired") == ["expired countersign"]


async def test_rule_5_an_answer_in_time_counts_though_the_worker_wakes_after_the_deadline(quick: Deployment) -> None:
    request = await quick.ask("alice")
    await quick.stop_worker()
    in_time = await request.store("grace")
    await until_after(request.deadline)
    quick.start_worker()  # nobody submits the answer: the request looks for it
    outcome = await request.outcome()
    assert outcome.status is Status.APPROVED
    assert [one.answer_id for one in outcome.decisions] == [in_time.id]
    assert request.lines("answered", "granted", "approved") == ["answered grace", "approved grace", "granted alice"]
    assert (await quick.engine.submit(in_time)).accepted


async def test_rule_5_a_rejection_in_time_counts_too_and_the_first_of_two_answers(quick: Deployment) -> None:
    request = await quick.ask("alice", "vaults")
    await quick.stop_worker()
    no = await request.store("ivan", "reject")
    yes = await request.store("grace")
    await until_after(request.deadline)
    quick.start_worker()
    outcome = await request.outcome()
    assert (outcome.status, outcome.message) == (Status.REJECTED, "Rejected by Ivan I.")
    assert [(await quick.engine.submit(one)).accepted for one in (no, yes)] == [True, False]


async def test_rule_5_a_level_passed_in_time_does_not_carry_the_next_one_over_the_deadline(quick: Deployment) -> None:
    request = await quick.ask("alice", "databases")
    await quick.stop_worker()
    await request.store("grace")
    await until_after(request.deadline)
    quick.start_worker()
    assert (await request.outcome()).status is Status.EXPIRED
    assert request.decided() == ["grace approve 1"]
    assert request.asked_people(2) == []


async def test_rule_5_expiry_waits_until_the_mailbox_was_read_up_to_the_deadline(quick: Deployment) -> None:
    request = await quick.ask("alice")
    lost = await quick.ask("bob")
    quick.store.inboxes.read_through("INBOX", request.deadline - timedelta(seconds=1))
    await until_after(lost.deadline + timedelta(seconds=1))
    assert (request.status, lost.status) == (Status.WAITING, Status.WAITING)
    # A mail that had arrived in time is read only now.
    await request.store("grace", at=request.deadline - timedelta(milliseconds=1))
    await lost.store("grace", at=lost.deadline + timedelta(milliseconds=1))
    quick.store.inboxes.read_through("INBOX", datetime.now(UTC))
    assert (await request.outcome()).status is Status.APPROVED
    assert (await lost.outcome()).status is Status.EXPIRED


async def test_rule_5_an_expiry_waits_for_a_mailbox_only_for_so_long(
    quick: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline, "LONGEST_WAIT", timedelta(seconds=2))
    request = await quick.ask("alice")
    quick.store.inboxes.read_through("INBOX", request.deadline - timedelta(days=1))
    await until_after(request.deadline + timedelta(seconds=1))
    assert request.status is Status.WAITING
    assert (await request.outcome()).status is Status.EXPIRED


async def test_nobody_dates_an_answer_into_the_future(quick: Deployment) -> None:
    request = await quick.ask("alice")
    now = datetime.now(UTC)
    stored = await request.store("grace", at=now + timedelta(days=1))
    assert now <= stored.at <= datetime.now(UTC)


async def test_who_has_not_answered_is_reminded_once(quick: Deployment) -> None:
    quick.apply(policy(approval_status_change_to_expire="7s", reminder_minutes="3s"))
    request = await quick.ask("alice", "databases")
    await request.says("grace")
    await until(lambda: request.asked_people(2))
    await request.says("heidi", level=2)
    await until(lambda: request.lines("reminder_due"))
    assert (await request.outcome()).status is Status.EXPIRED
    await request.until_mailed(
        grace=["asked", "settled"],
        heidi=["asked", "settled"],
        ivan=["asked", "reminded", "settled"],
        ada=["asked", "reminded", "settled"],
        alice=["settled"],
    )
    [reminded] = [line for line in quick.store.events.of(request.id) if line.kind == "reminder_due"]
    assert sorted(reminded.detail.split(", ")) == ["ada", "ivan"]
