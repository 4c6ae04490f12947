"""Answers on the whole engine: stored first, judged once, refused with a reason, never lost."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from countersign.errors import DISABLED, NotFound
from countersign.models import Answer, Asked, Judgement, Status
from countersign.permissions import Principal
from countersign.transitions import Opening
from tests.store.requests import approving
from tests.workflows.deployment import Deployment, Request, refused, until
from tests.workflows.people import policy

pytestmark = pytest.mark.asyncio(loop_scope="session")

MANY = ["ada", "bob", "dave", "erin", "grace", "heidi", "ivan", "judy"]


def settling_lines(request: Request) -> list[str]:
    return request.lines("approved", "rejected", "expired", "cancelled", "granted")


async def all_at_once(deployment: Deployment, answers: list[Answer]) -> list[Judgement]:
    return list(await asyncio.gather(*(deployment.engine.submit(one) for one in answers)))


# --- once -----------------------------------------------------------------------------------------------------------


async def test_the_same_answer_delivered_and_submitted_many_times_counts_once(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "databases")
    stored = [await request.store("grace", source_id="<the-same@mail>") for _ in range(3)]
    assert len({one.id for one in stored}) == 1
    judged = await all_at_once(deployment, stored * 3)
    assert {one.accepted for one in judged} == {True}
    assert (await deployment.engine.submit(stored[0])).accepted
    assert request.lines("answered", "answer_refused") == ["answered grace"]
    assert request.decided() == ["grace approve 1"]


async def test_of_many_who_answer_at_the_same_instant_one_settles_it(deployment: Deployment) -> None:
    deployment.apply(policy(device_groups={"vaults": {"managers": MANY}}))
    request = await deployment.ask("carol", "vaults")
    verdicts = ["approve", "reject"] * 4
    answers = [await request.store(one, verdict) for one, verdict in zip(MANY, verdicts, strict=True)]
    judged = await all_at_once(deployment, answers)
    [winner] = [one for one, judgement in zip(answers, judged, strict=True) if judgement.accepted]
    outcome = await request.outcome()
    status = Status.APPROVED if winner.verdict == "approve" else Status.REJECTED
    assert (outcome.status, request.status) == (status, status)
    assert {one.status for one in judged} == {status}
    assert [one.answer_id for one in outcome.decisions] == [winner.id]
    assert request.decided() == [f"{winner.person} {winner.verdict} 1"]
    settled = (
        [f"approved {winner.person}", "granted carol"] if status is Status.APPROVED else [f"rejected {winner.person}"]
    )
    assert settling_lines(request) == settled
    assert len(request.lines("answer_refused")) == len(MANY) - 1


async def test_a_quorum_takes_as_many_as_it_needs_and_no_more(deployment: Deployment) -> None:
    workflow = {"name": "Three of eight", "user_group": "finance", "device_group": "vaults"}
    level = {"approvers": [{"managers_of": "vaults"}], "quorum": 3}
    deployment.apply(
        policy(device_groups={"vaults": {"managers": MANY}}, approval_workflows=[workflow | {"levels": [level]}])
    )
    request = await deployment.ask("carol", "vaults")
    judged = await all_at_once(deployment, [await request.store(one) for one in MANY])
    assert sum(one.accepted for one in judged) == 3
    outcome = await request.outcome()
    assert outcome.status is Status.APPROVED
    assert len({one.person for one in outcome.decisions}) == 3
    assert settling_lines(request)[1:] == ["granted carol"]


async def test_a_cancellation_and_an_approval_at_the_same_instant_leave_one_outcome(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    answer = await request.store("grace")
    judged, cancelled = await asyncio.gather(
        deployment.engine.submit(answer),
        deployment.engine.cancel(request.id, Principal("alice"), "page"),
        return_exceptions=True,
    )
    outcome = await request.outcome()
    assert isinstance(judged, Judgement)
    assert judged.accepted == (outcome.status is Status.APPROVED)
    assert isinstance(cancelled, Judgement) == (outcome.status is Status.CANCELLED)
    assert request.status is outcome.status
    assert (deployment.store.reading.request(request.id).grant is not None) == judged.accepted


# --- refused --------------------------------------------------------------------------------------------------------


async def test_an_answer_to_an_earlier_request_is_refused_by_a_later_one_of_the_same_question(
    deployment: Deployment,
) -> None:
    first = await deployment.ask("alice")
    await first.says("grace", "reject")
    await first.outcome()
    second = await deployment.ask_for(first.question)
    assert second.id != first.id
    judged = await first.says("grace", comment="I have changed my mind")
    assert not judged.accepted
    assert judged.message == f"That answer was for #{first.id}, not for this request."
    assert (first.status, second.status) == (Status.REJECTED, Status.WAITING)
    assert first.lines()[-1] == "answer_refused grace"
    assert second.lines("answered", "answer_refused") == []


async def test_a_refusal_is_kept_with_the_answer_and_in_the_record_with_its_proof(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    answer = await request.store("bob", channel="page", proof={"session": "s-1"})
    judged = await deployment.engine.submit(answer)
    reason = f"You are not asked about #{request.id}."
    assert (judged.accepted, judged.message) == (False, reason)
    assert deployment.store.answers.outcome(answer.id)[:2] == ("refused", reason)
    [row] = [line for line in deployment.store.events.of(request.id) if line.kind == "answer_refused"]
    assert (row.who, row.channel, row.detail) == ("bob", "page", reason)
    assert row.proof == {"answer": answer.id, "verdict": "approve", "session": "s-1"}


async def test_who_is_disabled_or_unknown_is_refused_when_the_answer_is_stored(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "vaults")
    deployment.apply(policy(disabled=("ivan",)))
    for person in ("ivan", "zoe"):
        message = await refused(request.store(person, source_id=f"from-{person}"))
        assert message == DISABLED
    assert request.lines("answer_refused") == ["answer_refused ivan", "answer_refused zoe"]
    # Once refused, it stays refused, even if they are enabled again and the channel delivers it again.
    deployment.apply(policy())
    again = await request.store("ivan", source_id="from-ivan")
    assert not (await deployment.engine.submit(again)).accepted
    assert request.status is Status.WAITING


async def test_an_answer_to_a_request_that_never_was_is_refused_and_recorded(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    before = deployment.store.events.last_version()
    with pytest.raises(NotFound, match="There is no request #999999"):
        await request.store("grace", approval_id=999999)
    [row] = deployment.store.events.since(before)
    assert (row.kind, row.who, row.approval_id) == ("answer_refused", "grace", None)


# --- never lost -----------------------------------------------------------------------------------------------------


async def test_the_sweeper_submits_what_a_crash_left_between_storing_and_judging(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    answer = await request.store("grace", at=datetime.now(UTC) - timedelta(seconds=20))
    assert (await request.outcome()).status is Status.APPROVED
    await until(lambda: deployment.store.answers.outcome(answer.id)[0] == "accepted")


async def test_who_is_disabled_before_their_stored_answer_is_judged_decides_nothing(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "vaults")
    await deployment.stop_worker()
    answer = await request.store("ivan", at=datetime.now(UTC) - timedelta(seconds=20))
    deployment.apply(policy(disabled=("ivan",)))
    deployment.start_worker()
    await until(lambda: deployment.store.answers.outcome(answer.id)[0] != "open")
    assert deployment.store.answers.outcome(answer.id)[:2] == ("refused", DISABLED)
    assert request.status is Status.WAITING


async def test_a_request_that_can_not_answer_holds_up_no_other(deployment: Deployment) -> None:
    request, held = await deployment.ask("alice"), await deployment.ask("bob")
    await held.says("grace")
    stuck = deployment.question("bob")
    temporal = deployment.client.temporal
    # Its task queue has no worker, which is like one whose workflow always fails.
    run = await temporal.start_workflow(
        "ConnectionApproval", stuck.model_dump(mode="json"), id=stuck.workflow_id, task_queue="nobody's"
    )
    assert run.result_run_id is not None
    opening = Opening(question=stuck, workflow_id=stuck.workflow_id, run_id=run.result_run_id)
    opened = deployment.transactions.opener.open(opening).opened
    assert opened is not None
    long_ago = datetime.now(UTC) - timedelta(seconds=30)
    behind = Request(deployment, stuck, Asked(approval_id=opened.approval_id, status=Status.WAITING, joined=False))
    await behind.store("grace", at=long_ago)
    answer = await request.store("grace", at=long_ago + timedelta(seconds=1))
    deployment.apply(policy(disabled=("bob",)))
    sweeping = [
        asyncio.create_task(task())
        for task in (deployment.engine.submit_left_over, deployment.engine.enforce_directory)
    ]
    try:
        await until(lambda: deployment.store.answers.outcome(answer.id)[0] == "accepted")
        await until(lambda: "grant_revoked countersign" in held.lines())
        assert not any(sweep.done() for sweep in sweeping)
    finally:
        await run.terminate()
        await asyncio.gather(*sweeping, return_exceptions=True)


async def test_the_sweeper_refuses_what_came_for_a_request_that_has_ended(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await request.says("grace", "reject")
    await request.outcome()
    answer = await request.store("grace", at=datetime.now(UTC) - timedelta(seconds=20))
    await deployment.engine.submit_left_over()
    assert deployment.store.answers.outcome(answer.id)[:2] == (
        "refused",
        f"#{request.id} is already Rejected: Rejected by Grace G.",
    )


async def test_what_is_on_record_counts_again_where_temporal_never_heard_of_it(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await deployment.stop_worker()
    # As if the machine died after the transition was written: neither worker, server nor channel remembers the update.
    deployment.transactions.transitions.write(approving(await request.store("grace")))
    deployment.start_worker()
    assert (await request.outcome()).status is Status.APPROVED
    assert settling_lines(request) == ["approved grace", "granted alice"]
    await deployment.engine.revoke(request.id, Principal("grace"), "page")
    assert deployment.transactions.granting.ask(request.question, "alice") is None


async def test_an_answer_given_while_no_worker_runs_counts_when_one_does(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await deployment.stop_worker()
    answer = await request.store("grace")
    judging = asyncio.create_task(deployment.engine.submit(answer))
    deployment.start_worker()
    assert (await judging).accepted
    assert (await request.outcome()).status is Status.APPROVED
    assert settling_lines(request) == ["approved grace", "granted alice"]
