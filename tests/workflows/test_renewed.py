"""A grant is renewed: another request while it lasts, whose grant goes on beside it (rule 10)."""

from __future__ import annotations

import pytest

from countersign.models import Asked, GrantStatus, Question, Status
from countersign.permissions import Principal
from tests.workflows.deployment import Deployment, Request, refused
from tests.workflows.people import policy
from tests.workflows.test_asked_for import mail_to

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def asked(deployment: Deployment, question: Question, who: str = "") -> Asked:
    return await deployment.ask_as(who or question.requester, question)


async def approved(deployment: Deployment, question: Question) -> Request:
    request = Request(deployment, question, await asked(deployment, question))
    assert (await request.says("grace")).status is Status.APPROVED
    return request


def renewal(question: Question, **changes: object) -> Question:
    return question.model_copy(update={"renew": True, "source_address": "", "reason": "still at it", **changes})


async def test_a_renewal_is_decided_as_a_request_of_its_own_and_its_grant_begins_at_its_approval(
    deployment: Deployment,
) -> None:
    question = deployment.question("alice", source_address="10.0.0.7", minutes=30)
    first = await approved(deployment, question)
    await deployment.client.wait(question)
    opened = await asked(deployment, renewal(question, minutes=60))
    again = await asked(deployment, renewal(question, minutes=60), "gateway:bastion")
    assert (opened.status, opened.joined, opened.source_address) == (Status.WAITING, False, "10.0.0.7")
    assert (again.approval_id, again.joined) == (opened.approval_id, True)
    # The gateway asks as before, and still gets the grant that lasts.
    assert (await asked(deployment, question, "gateway:bastion")).approval_id == first.id

    second = Request(deployment, question, opened)
    mail = await mail_to(second, "grace", "to go on after")
    assert mail.startswith(f"Alice A. asks to connect to {question.subject.target} by SSH for 1 hour, to go on after ")
    assert (await second.says("grace")).status is Status.APPROVED
    grants = [deployment.store.reading.request(number).grant for number in (first.id, opened.approval_id)]
    assert all(grant is not None and grant.status is GrantStatus.ACTIVE for grant in grants)
    yes = await asked(deployment, question, "gateway:bastion")
    assert yes.approval_id == opened.approval_id
    await deployment.engine.give_back(opened.approval_id, Principal("alice"), "page")
    assert (await asked(deployment, question)).approval_id == first.id
    await deployment.engine.revoke(first.id, Principal("grace"), "page")
    assert (await asked(deployment, question)).status is Status.WAITING


async def test_who_is_disabled_loses_a_grant_and_the_renewal_that_waits(deployment: Deployment) -> None:
    question = deployment.question("alice")
    first = await approved(deployment, question)
    second = Request(deployment, question, await asked(deployment, renewal(question)))
    deployment.apply(policy(disabled=("alice",)))
    await deployment.enforce_directory()
    grant = deployment.store.reading.request(first.id).grant
    assert grant is not None
    assert (grant.status, second.status) == (GrantStatus.REVOKED, Status.CANCELLED)


async def test_a_renewal_may_last_no_longer_than_the_policy_says(deployment: Deployment) -> None:
    question = deployment.question("alice")
    await approved(deployment, question)
    assert "121 minutes are too many" in await refused(asked(deployment, renewal(question, minutes=121)))
