"""Somebody out of office decides nothing, but brings the fallback approvers and the reminder forward."""

from __future__ import annotations

import pytest

from countersign.models import Status
from tests.workflows.deployment import Deployment, until
from tests.workflows.people import policy

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_fallback_is_asked_when_the_only_approver_is_out_of_office(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await deployment.engine.report("grace", request.id, "away", "Out of office")
    await until(lambda: request.asked_people() == ["ada", "grace", "judy"])
    await request.until_mailed(ada=["asked"], judy=["asked"], grace=["asked"])
    assert request.lines("away", "fallback") == ["away grace", "fallback ada", "fallback judy"]
    assert request.status is Status.WAITING
    assert (await request.says("grace")).status is Status.APPROVED


async def test_the_others_are_reminded_at_once_and_only_once(deployment: Deployment) -> None:
    deployment.apply(policy(reminder_minutes=30))
    request = await deployment.ask("alice", "vaults")
    await deployment.engine.report("ivan", request.id, "away", "Out of office")
    await deployment.engine.report("ivan", request.id, "away", "Out of office")
    await request.until_mailed(grace=["asked", "reminded"], ivan=["asked"])
    assert request.asked_people() == ["grace", "ivan"]
    assert request.lines("away", "reminder_due") == ["away ivan", "reminder_due countersign"]
    assert (await request.says("grace")).status is Status.APPROVED
