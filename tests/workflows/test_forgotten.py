"""What a dead worker wrote and Temporal never learned: the record stays true, and the request catches up with it.

Each test writes what the worker had written when it died, or sends what came in while it was dead.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial

import pytest

from countersign.client import TASK_QUEUE
from countersign.models import Answer, Approver, Decision, GrantStatus, Status
from countersign.permissions import Principal
from countersign.transitions import GrantEnd, Opening, Transition
from engine import recovery
from tests.store.requests import a_transition, approving, audit_event
from tests.workflows.deployment import Deployment, Request, refused, until, until_after

pytestmark = pytest.mark.asyncio(loop_scope="session")


def counting(answer: Answer) -> Transition:
    """The transition that counts an answer of the first level, with nothing settled yet."""
    decision = Decision(answer_id=answer.id, **answer.model_dump(exclude={"id", "approval_id"}))
    key = f"{answer.level}.answer.{answer.id}"
    return a_transition(answer.approval_id, key, decision=decision, events=[audit_event("answered", answer.person)])


def second_level(approval_id: int) -> Transition:
    """The transition that starts the second level of a request for a database."""
    people = [Approver(person=one, because="manager of databases") for one in ("ada", "heidi", "ivan")]
    return a_transition(approval_id, "2.level_started", level=2, asked=people, events=[audit_event("level_started")])


def cancelling(approval_id: int, who: str, undo_id: str) -> Transition:
    """The transition that cancels a request at its first level."""
    reason = f"Cancelled by {who}: not needed"
    cancelled = audit_event("cancelled", who).model_copy(update={"detail": reason, "proof": {"wish": undo_id}})
    return a_transition(approval_id, "1.cancelled", status=Status.CANCELLED, message=reason, events=[cancelled])


async def forgotten_level(deployment: Deployment) -> Request:
    """A request at its second level on record, while its workflow still waits at the first."""
    request = await deployment.ask("alice", "databases")
    deployment.transactions.transitions.write(counting(await request.store("grace")))
    deployment.transactions.transitions.write(second_level(request.id))
    return request


async def test_answers_to_a_forgotten_level_count(deployment: Deployment) -> None:
    request = await forgotten_level(deployment)
    assert (await request.says("heidi", level=2)).accepted
    assert (await request.says("ivan", level=2)).status is Status.APPROVED
    assert request.decided() == ["grace approve 1", "heidi approve 2", "ivan approve 2"]
    assert request.lines("answer_refused", "answered") == ["answered grace", "answered heidi", "answered ivan"]


async def test_who_answers_again_after_a_forgotten_approval_counts_once(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "databases")
    assert (await request.says("grace")).accepted
    await until(lambda: request.asked_people(2), "level 2 starts")
    forgotten = counting(await request.store("heidi", level=2))
    deployment.transactions.transitions.write(forgotten.model_copy(update={"level": 2}))
    again = await request.says("heidi", level=2)
    assert (again.accepted, again.details["code"]) == (False, "counted-already")
    assert (await request.says("ivan", level=2)).status is Status.APPROVED
    assert request.decided() == ["grace approve 1", "heidi approve 2", "ivan approve 2"]


async def test_answers_to_two_levels_that_come_in_one_task_count(asleep: Deployment) -> None:
    asleep.start_worker()
    request = await asleep.ask("alice", "databases")
    await asleep.stop_worker()
    asleep.transactions.transitions.write(counting(await request.store("grace")))
    asleep.transactions.transitions.write(second_level(request.id))
    [counted] = asleep.store.answers.counted_of(request.id)
    deciding = [asyncio.create_task(asleep.client.decide(request.question.workflow_id, counted))]
    for person in ("heidi", "ivan"):
        deciding.append(asyncio.create_task(asleep.engine.submit(await request.store(person, level=2))))
    asleep.start_worker()
    assert [one.accepted for one in await asyncio.gather(*deciding)] == [True, True, True]
    assert (await request.outcome()).status is Status.APPROVED


async def test_an_answer_in_time_to_a_forgotten_level_counts_after_the_deadline(quick: Deployment) -> None:
    request = await quick.ask("alice", "databases")
    await quick.stop_worker()
    quick.transactions.transitions.write(counting(await request.store("grace")))
    quick.transactions.transitions.write(second_level(request.id))
    for person in ("heidi", "ivan"):
        await request.store(person, level=2)
    await until_after(request.deadline)
    quick.start_worker()
    assert (await request.outcome()).status is request.status is Status.APPROVED
    assert request.decided() == ["grace approve 1", "heidi approve 2", "ivan approve 2"]


async def test_nobody_decides_by_an_answer_to_a_level_that_was_passed_and_forgotten(deployment: Deployment) -> None:
    request = await forgotten_level(deployment)
    message = f"That answer was for level 1; #{request.id} is at level 2."
    assert await refused(request.store("judy", "reject")) == message
    counted = f"Your approval of level 1 has been counted already; #{request.id} is at level 2."
    assert await refused(request.store("grace")) == counted
    taken_back = await request.says("grace", "reject")
    assert (taken_back.accepted, taken_back.status) == (True, Status.REJECTED)


async def test_an_answer_to_a_level_at_which_nobody_was_asked_is_refused(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "databases")
    for level in (2, 3):
        judged = await request.says("heidi", level=level)
        assert (judged.accepted, judged.message) == (
            False,
            f"That answer was for level {level}; #{request.id} is at level 1.",
        )


async def test_all_who_were_asked_at_a_forgotten_level_hear_of_the_end(deployment: Deployment) -> None:
    request = await forgotten_level(deployment)
    await deployment.engine.cancel(request.id, Principal("alice"), "page")
    await request.until_mailed(alice=["settled"], grace=["asked", "settled"], heidi=["settled"], ivan=["settled"])


async def test_who_joins_while_an_approval_is_being_written_gets_its_grant(asleep: Deployment) -> None:
    asleep.start_worker()
    request = await asleep.ask("alice")
    await asleep.stop_worker()
    answer = await request.store("grace")
    joining = asyncio.create_task(asleep.client.ask(request.question))
    deciding = asyncio.create_task(asleep.client.decide(request.question.workflow_id, answer))
    asleep.mail.faults.delay = 0.2  # so that notifying of the approval takes longer than recording that somebody joined
    asleep.start_worker()
    assert (await deciding).status is Status.APPROVED
    asked = await joining
    assert (asked.status, asked.grant) == (Status.APPROVED, asleep.store.reading.request(request.id).grant)


async def test_who_answers_while_another_end_is_being_written_hears_the_end_on_record(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "vaults")
    yes = await request.store("grace")
    no, also_yes = await request.store("ivan", "reject"), await request.store("grace")
    await deployment.stop_worker()
    deployment.transactions.transitions.write(approving(yes))
    deciding = [asyncio.create_task(deployment.engine.submit(one)) for one in (no, also_yes)]
    deployment.start_worker()
    approved = f"#{request.id} is already Approved: Approved by grace."
    assert [one.message for one in await asyncio.gather(*deciding)] == [approved, approved]


async def test_a_forgotten_reminder_does_not_stand_in_the_way_of_an_answer(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    deployment.transactions.transitions.write(a_transition(request.id, "1.reminded", events=[audit_event("reminded")]))
    assert (await request.says("grace")).status is Status.APPROVED
    outcome = await request.outcome()
    assert (outcome.status, request.status) == (Status.APPROVED, Status.APPROVED)
    assert outcome.grant == deployment.store.reading.request(request.id).grant
    assert outcome.grant is not None


async def test_a_forgotten_approval_is_not_overruled_by_a_later_answer(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "vaults")
    deployment.transactions.transitions.write(approving(await request.store("grace")))
    judged = await request.says("ivan", "reject")
    assert (judged.accepted, judged.status) == (False, Status.APPROVED)
    assert judged.message == f"#{request.id} is already Approved: Approved by grace."
    outcome = await request.outcome()
    assert (outcome.status, outcome.message) == (Status.APPROVED, "Approved by grace.")
    assert [one.person for one in outcome.decisions] == ["grace"]
    assert outcome.grant == deployment.store.reading.request(request.id).grant
    await deployment.engine.revoke(request.id, Principal("grace"), "page")  # its grant's own workflow runs
    assert request.lines("approved", "rejected", "granted", "grant_revoked") == [
        "approved grace",
        "granted alice",
        "grant_revoked grace",
    ]


async def test_a_forgotten_approval_is_not_cancelled(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    deployment.transactions.transitions.write(approving(await request.store("grace")))
    assert "already Approved" in await refused(deployment.engine.cancel(request.id, Principal("alice"), "page"))
    assert (await request.outcome()).status is request.status is Status.APPROVED


async def test_a_cancellation_made_again_after_its_worker_died_hears_that_it_worked(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    again = partial(deployment.engine.cancel, request.id, Principal("alice"), "page", "not needed", undo_id="key-1")
    deployment.transactions.transitions.write(cancelling(request.id, "alice", "key-1"))
    assert (await again()).message == "Cancelled by alice: not needed"
    await request.outcome()
    newer = await deployment.ask_for(request.question)  # whose workflow has the same id
    assert (await again()).status is Status.CANCELLED
    other = deployment.engine.cancel(request.id, Principal("alice"), "page", undo_id="key-2")
    assert await refused(other) == f"#{request.id} is already Cancelled: Cancelled by alice: not needed"
    assert newer.status is Status.WAITING
    assert request.lines("cancelled") == ["cancelled alice"]


async def test_a_cancellation_that_was_forgotten_is_not_taken_for_another_persons(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    deployment.transactions.transitions.write(cancelling(request.id, "alice", "key-1"))
    await deployment.engine.cancel(request.id, Principal("ada"), "page")
    assert (await request.outcome()).message == "Cancelled by alice: not needed"


@pytest.mark.parametrize("how", ["revoke", "give_back"])
async def test_a_grants_end_wished_again_after_a_crash_hears_that_it_worked(deployment: Deployment, how: str) -> None:
    request = await deployment.ask("alice")
    await request.says("grace")
    await request.outcome()
    who = {"revoke": "grace", "give_back": "alice"}[how]
    end = partial(getattr(deployment.engine, how), request.id, Principal(who), "page")
    for _ in range(2):
        await end(undo_id="key-1")
    assert await refused(end(undo_id="key-2")) == f"The grant of #{request.id} is over already."
    assert len(request.lines("grant_revoked", "grant_ended")) == 1


async def test_who_revokes_what_was_revoked_and_forgotten_hears_that_it_is_over(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await request.says("grace")
    await request.outcome()
    end = GrantEnd(
        approval_id=request.id,
        status=GrantStatus.REVOKED,
        at=datetime.now(UTC),
        who="grace",
        message="Revoked by grace.",
        undo_id="key-1",
    )
    deployment.transactions.granting.end(end)
    await deployment.engine.revoke(request.id, Principal("grace"), "page", undo_id="key-1")
    over = f"The grant of #{request.id} is over already."
    assert await refused(deployment.engine.revoke(request.id, Principal("ada"), "page")) == over


async def test_a_forgotten_approval_outlives_the_deadline(quick: Deployment) -> None:
    request = await quick.ask("alice")
    quick.transactions.transitions.write(approving(await request.store("grace")))
    outcome = await request.outcome()
    assert (outcome.status, request.status) == (Status.APPROVED, Status.APPROVED)
    assert "expired countersign" not in request.lines()


async def test_a_forgotten_answer_counts_once_when_it_is_submitted_again(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "databases")
    answer = await request.store("grace")
    deployment.transactions.transitions.write(counting(answer))
    judgement = await deployment.client.decide(request.question.workflow_id, answer)
    assert judgement.accepted
    await until(lambda: request.asked_people(2))
    assert request.decided() == ["grace approve 1"]
    assert request.lines("answered") == ["answered grace"]


async def test_all_workflows_are_reminded_of_what_counted_some_requests_after_others(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "REMINDED_AT_ONCE", 1)
    requests = [await deployment.ask("alice") for _ in range(3)]
    for request in requests:
        deployment.transactions.transitions.write(approving(await request.store("grace")))
    await deployment.engine.remind_workflows()
    assert [(await request.outcome()).status for request in requests] == 3 * [Status.APPROVED]


async def test_an_answer_that_meets_the_opening_taken_again_is_judged_when_that_is_over(deployment: Deployment) -> None:
    question = deployment.question("alice")
    await deployment.stop_worker()
    raw = question.model_dump(mode="json")
    temporal = deployment.client.temporal
    handle = await temporal.start_workflow(
        "ConnectionApproval", raw, id=question.workflow_id, task_queue=TASK_QUEUE, result_type=dict
    )
    assert handle.first_execution_run_id is not None
    run_id = handle.first_execution_run_id
    opening = Opening(question=question, workflow_id=question.workflow_id, run_id=run_id)
    reply = deployment.transactions.opener.open(opening)
    assert reply.opened is not None
    answer = Answer(
        id="from-a-mail",
        approval_id=reply.opened.approval_id,
        level=1,
        person="grace",
        verdict="approve",
        channel="email",
        at=reply.opened.opened_at,
    )
    deciding = asyncio.create_task(deployment.client.decide(question.workflow_id, answer))
    deployment.start_worker()
    assert (await deciding).status is Status.APPROVED
    assert (await handle.result())["status"] == "Approved"
