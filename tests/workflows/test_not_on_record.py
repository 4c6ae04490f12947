"""Requests whose rows a restored database lacks, or has given to others: they end by themselves, with a reason."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import delete
from temporalio.client import WorkflowFailureError

from countersign.errors import NotFound, Refused
from countersign.models import Status
from store.tables import approvers, requests, transition_keys
from tests.workflows.deployment import Deployment, Request, until_after

pytestmark = pytest.mark.asyncio(loop_scope="session")


def refusal(request: Request) -> str:
    number = f"#{request.id} is no longer on record"
    return f"{number}: the database was restored to an earlier moment, or is another one. Ask again."


def lose(request: Request) -> None:
    """Take the request out of the database, as if it were from before."""
    with request.deployment.store.database.transaction() as connection:
        for table in (transition_keys, approvers, requests):
            connection.execute(delete(table).where(table.c.approval_id == request.id))


def give_number_to_another(request: Request) -> None:
    """Give the request's number to another run."""
    with request.deployment.store.database.transaction() as connection:
        own = requests.c.approval_id == request.id
        connection.execute(requests.update().where(own).values(run_id=f"another than that of #{request.id}"))


async def ended(request: Request) -> str:
    """How its workflow failed."""
    with pytest.raises(Refused) as refusal:
        await request.outcome()
    return str(refusal.value)


def copy(source: Path, to: Path) -> None:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(to)) as other:
        one.backup(other)


async def test_a_question_asked_again_after_an_older_backup_opens_a_new_request(
    asleep: Deployment, tmp_path: Path
) -> None:
    database, backup = Path(asleep.database_url.removeprefix("sqlite:///")), tmp_path / "backup.db"
    asleep.start_worker()
    first = await asleep.ask("alice")
    copy(database, backup)
    lost = await asleep.ask("bob")
    temporal, workflow_id = asleep.client.temporal, lost.question.workflow_id
    old_run = (await temporal.get_workflow_handle(workflow_id).describe()).run_id
    await asleep.stop_worker()
    copy(backup, database)
    asleep.start_worker()
    anew = await asleep.ask_for(lost.question)
    assert (anew.asked.joined, anew.status) == (False, Status.WAITING)
    assert (await anew.says("grace")).status is Status.APPROVED
    assert (await first.says("grace")).status is Status.APPROVED
    with pytest.raises(WorkflowFailureError) as failure:
        await temporal.get_workflow_handle(workflow_id, run_id=old_run).result()
    assert str(failure.value.cause) == f"Refused: {refusal(lost)}"


async def test_a_request_that_is_not_on_record_ends_in_words_at_its_deadline(quick: Deployment) -> None:
    request = await quick.ask("alice")
    deadline = request.deadline
    lose(request)
    await until_after(deadline)
    assert await ended(request) == refusal(request)


@pytest.mark.parametrize("how", [lose, give_number_to_another])
async def test_what_comes_to_a_request_that_is_not_on_record_ends_it(
    deployment: Deployment, how: Callable[[Request], None]
) -> None:
    request = await deployment.ask("alice")
    answer = await request.store("grace")
    how(request)
    with pytest.raises(NotFound):
        await deployment.client.decide(request.question.workflow_id, answer)
    assert await ended(request) == refusal(request)


async def test_nothing_is_written_to_another_request_of_the_same_number(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "databases")
    answer = await request.store("grace")
    record = request.lines()
    give_number_to_another(request)
    with pytest.raises(NotFound):
        await deployment.client.recheck(request.question.workflow_id, request.id)
    with pytest.raises(NotFound):
        await deployment.client.decide(request.question.workflow_id, answer)
    assert (request.status, request.lines(), request.decided()) == (Status.WAITING, record, [])
    assert await ended(request) == refusal(request)
