"""What is cancelled, revoked or given back while no worker runs takes effect at once; its workflow learns later."""

from __future__ import annotations

import pytest

from countersign.models import GrantStatus, Status
from countersign.permissions import Principal
from countersign.transitions import Cancel, withdrawn
from tests.workflows.deployment import Deployment

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_request_is_cancelled_and_the_same_question_opens_another(asleep: Deployment) -> None:
    asleep.start_worker()
    request = await asleep.ask("alice")
    await asleep.stop_worker()
    judged = await asleep.engine.cancel(request.id, Principal("alice"), "page", "not needed", undo_id="key-1")
    name = asleep.store.reading.person("alice").name
    assert (judged.status, judged.message) == (Status.CANCELLED, f"Cancelled by {name}: not needed")
    assert request.status is Status.CANCELLED
    asleep.start_worker()
    assert (await request.outcome()).message == judged.message
    assert request.lines("cancelled") == ["cancelled alice"]
    await request.until_mailed(alice=["settled"], grace=["asked", "settled"])
    again = await asleep.engine.cancel(request.id, Principal("alice"), "page", "not needed", undo_id="key-1")
    assert again.message == judged.message
    newer = await asleep.ask_for(request.question)
    assert (newer.id != request.id, newer.status) == (True, Status.WAITING)


async def test_a_request_that_was_cancelled_on_record_alone_makes_way_for_the_next(asleep: Deployment) -> None:
    asleep.start_worker()
    request = await asleep.ask("alice")
    view = asleep.store.reading.request(request.id)
    cancellation = Cancel(approval_id=request.id, who="alice", channel="page", id="key-1")
    asleep.transactions.transitions.write(withdrawn(cancellation, view.token_run, view.level, "alice"))
    newer = await asleep.ask_for(request.question)
    assert (newer.id != request.id, newer.asked.joined, newer.status) == (True, False, Status.WAITING)


async def test_a_grant_is_revoked_or_given_back(asleep: Deployment) -> None:
    asleep.start_worker()
    revoked, returned = await asleep.ask("alice"), await asleep.ask("alice")
    for request in (revoked, returned):
        assert (await request.says("grace")).status is Status.APPROVED
        await request.outcome()
    await asleep.stop_worker()
    await asleep.engine.revoke(revoked.id, Principal("grace"), "page", "enough", undo_id="key-1")
    await asleep.engine.give_back(returned.id, Principal("alice"), "page", undo_id="key-2")
    grants = [asleep.store.reading.request(request.id).grant for request in (revoked, returned)]
    assert [grant and grant.status for grant in grants] == [GrantStatus.REVOKED, GrantStatus.ENDED]
    asleep.start_worker()
    await revoked.until_mailed(grace=["asked", "settled", "grant_ended"])
    assert revoked.lines("grant_revoked", "grant_ended") == ["grant_revoked grace"]
    assert returned.lines("grant_revoked", "grant_ended") == ["grant_ended alice"]
