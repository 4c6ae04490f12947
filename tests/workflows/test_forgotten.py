"""What a dead worker wrote and Temporal never heard of: the record stays true, and the request comes back to it.

Each test writes what the worker had written when it died, or does what came in while it was dead.
"""

from __future__ import annotations

import asyncio

import pytest

from countersign.client import TASK_QUEUE
from countersign.models import Answer, Decision, Status
from countersign.steps import Opening, Step
from tests.store.requests import a_step, approving, line
from tests.workflows.engine import Engine, refused, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


def counting(answer: Answer) -> Step:
    """The step that counts an answer of the first level, with nothing settled yet."""
    decision = Decision(answer_id=answer.id, **answer.model_dump(exclude={"id", "approval_id"}))
    key = f"{answer.level}.answer.{answer.id}"
    return a_step(answer.approval_id, key, decision=decision, lines=[line("answered", answer.person)])


async def test_a_forgotten_reminder_does_not_stand_in_the_way_of_an_answer(engine: Engine) -> None:
    request = await engine.ask("alice")
    engine.store.requests.write(a_step(request.id, "1.reminded", lines=[line("reminded")]))
    assert (await request.says("grace")).status is Status.APPROVED
    outcome = await request.outcome()
    assert (outcome.status, request.status) == (Status.APPROVED, Status.APPROVED)
    assert outcome.grant == engine.store.grants.of(request.id)
    assert outcome.grant is not None


async def test_a_forgotten_approval_is_not_overruled_by_a_later_answer(engine: Engine) -> None:
    request = await engine.ask("alice", "vaults")
    engine.store.requests.write(approving(await request.store("grace")))
    judged = await request.says("ivan", "reject")
    assert (judged.accepted, judged.status) == (False, Status.APPROVED)
    assert judged.words == f"#{request.id} is already Approved: Approved by grace."
    outcome = await request.outcome()
    assert (outcome.status, outcome.words) == (Status.APPROVED, "Approved by grace.")
    assert [one.person for one in outcome.decisions] == ["grace"]
    assert outcome.grant == engine.store.grants.of(request.id)
    await engine.door.revoke(request.id, "grace", "page")  # its grant's own workflow runs
    assert request.lines("approved", "rejected", "granted", "grant_revoked") == [
        "approved grace",
        "granted alice",
        "grant_revoked grace",
    ]


async def test_a_forgotten_approval_is_not_cancelled(engine: Engine) -> None:
    request = await engine.ask("alice")
    engine.store.requests.write(approving(await request.store("grace")))
    assert "already Approved" in await refused(engine.door.cancel(request.id, "alice", "page"))
    assert (await request.outcome()).status is request.status is Status.APPROVED


async def test_a_forgotten_approval_outlives_the_deadline(quick: Engine) -> None:
    request = await quick.ask("alice")
    quick.store.requests.write(approving(await request.store("grace")))
    outcome = await request.outcome()
    assert (outcome.status, request.status) == (Status.APPROVED, Status.APPROVED)
    assert "expired countersign" not in request.lines()


async def test_a_forgotten_answer_counts_once_when_it_is_submitted_again(engine: Engine) -> None:
    request = await engine.ask("alice", "databases")
    answer = await request.store("grace")
    engine.store.requests.write(counting(answer))
    judgement = await engine.client.decide(request.question.workflow_id, answer)
    assert judgement.accepted
    await until(lambda: request.asked_people(2))
    assert request.decided() == ["grace approve 1"]
    assert request.lines("answered") == ["answered grace"]


async def test_an_answer_that_meets_the_opening_taken_again_is_judged_when_that_is_over(engine: Engine) -> None:
    question = engine.question("alice")
    await engine.stop_worker()
    raw = question.model_dump(mode="json")
    temporal = engine.client.temporal
    handle = await temporal.start_workflow(
        "ConnectionApproval", raw, id=question.workflow_id, task_queue=TASK_QUEUE, result_type=dict
    )
    assert handle.first_execution_run_id is not None
    run_id = handle.first_execution_run_id
    reply = engine.store.requests.open(Opening(question=question, workflow_id=question.workflow_id, run_id=run_id))
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
    deciding = asyncio.create_task(engine.client.decide(question.workflow_id, answer))
    engine.start_worker()
    assert (await deciding).status is Status.APPROVED
    assert (await handle.result())["status"] == "Approved"
