"""Record the histories that tests/workflows/test_replay.py replays: `python -m tests.histories.record`.

Run it after a change to the workflows that open requests need not survive, or with the names of stories to add those.
Otherwise leave the files as they are: they stand for the requests that are open when a new version is deployed. Each
file is the history of one workflow as Temporal's own tools export it, named after its story. A history contains no path
and no secret; what names the worker's process and machine is taken out.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from countersign.client import grant_workflow
from countersign.fingerprints import Fingerprint, Posture
from countersign.kinds.device import DeviceQuestion
from countersign.models import Asked, GrantStatus, Status
from countersign.permissions import Principal
from countersign.registration import DeviceAction, Presented
from engine.devices.registrant import Registrant
from sandbox.device_keys import new_key
from sandbox.temporal_server import TemporalServer
from tests.workflows.deployment import Deployment, Request, new_namespace, until
from tests.workflows.people import policy

FOLDER = Path(__file__).parent
STICKY_QUEUE = re.compile(r"^\d+@.+$")  # named after the process and machine of its worker
VENDORS = {"vendor": {"people": ["alice", "bob", "carol", "dave"], "require_device_approval": True}}
NEVER_TOLD = {"identity": "worker", "binaryChecksum": "", "buildId": "", "stackTrace": ""}


async def approved_by_two_levels(deployment: Deployment) -> str:
    """Asked again, refused answers, two levels, a quorum of two."""
    request = await deployment.ask("alice", "databases", reason="restore")
    await deployment.ask_for(request.question)
    await request.says("bob")
    await request.says("grace", comment="go on")
    await until(lambda: request.asked_people(2))
    await request.says("heidi", level=2)
    await request.says("ivan", level=2)
    return await ended(request, Status.APPROVED)


async def rejected(deployment: Deployment) -> str:
    """One rejection."""
    request = await deployment.ask("alice")
    await request.says("grace", "reject", comment="not today")
    return await ended(request, Status.REJECTED)


async def expired(deployment: Deployment) -> str:
    """Nobody answered."""
    return await ended(await deployment.ask("alice"), Status.EXPIRED)


async def approved_after_the_deadline(deployment: Deployment) -> str:
    """An answer was stored in time, and found at the deadline."""
    request = await deployment.ask("alice")
    await request.store("grace")
    return await ended(request, Status.APPROVED)


async def cancelled(deployment: Deployment) -> str:
    """Withdrawn by the requester."""
    request = await deployment.ask("alice")
    await deployment.engine.cancel(request.id, Principal("alice"), "page", "not needed")
    return await ended(request, Status.CANCELLED)


async def cancelled_with_the_requester_disabled(deployment: Deployment) -> str:
    """Withdrawn by the engine."""
    request = await deployment.ask("bob")
    deployment.apply(policy(disabled=("bob",)))
    await deployment.enforce_directory()
    return await ended(request, Status.CANCELLED)


async def approved_at_once(deployment: Deployment) -> str:
    """Nobody requires approval."""
    return await ended(await deployment.ask("carol"), Status.APPROVED)


async def own_approval(deployment: Deployment) -> str:
    """The requester is the manager."""
    return await ended(await deployment.ask("grace"), Status.APPROVED)


async def fallback(deployment: Deployment) -> str:
    """The approver's mail is refused for good; a fallback approver answers."""
    deployment.mail.faults.refused.add("grace@example.test")
    request = await deployment.ask("alice")
    await until(lambda: "judy" in request.asked_people())
    await request.says("judy")
    return await ended(request, Status.APPROVED)


async def nobody_to_ask(deployment: Deployment) -> str:
    """Neither the approver nor the fallback approvers can be reached."""
    deployment.mail.faults.refused |= {f"{one}@example.test" for one in ("grace", "ada", "judy")}
    return await ended(await deployment.ask("alice"), Status.REJECTED)


async def disabled_approver(deployment: Deployment) -> str:
    """An approver is disabled while the request waits; another one answers."""
    request = await deployment.ask("alice", "vaults")
    deployment.apply(policy(disabled=("ivan",)))
    await deployment.enforce_directory()
    await request.says("grace")
    return await ended(request, Status.APPROVED)


async def reminded(deployment: Deployment) -> str:
    """Reminded, then approved."""
    deployment.apply(policy(reminder_minutes="1s"))
    request = await deployment.ask("alice")
    await until(lambda: request.lines("reminder_due"))
    await request.says("grace")
    return await ended(request, Status.APPROVED)


async def answered_by_a_grant(deployment: Deployment) -> str:
    """A grant lasts, and answers the question."""
    request = await deployment.ask("carol")
    await request.outcome()
    return await ended(await deployment.ask_for(request.question), Status.APPROVED)


async def refused(deployment: Deployment) -> str:
    """The rules refuse the question."""
    question = deployment.question("zoe")
    await asyncio.gather(deployment.ask_for(question), return_exceptions=True)
    return question.workflow_id


async def still_open(deployment: Deployment) -> str:
    """One level is passed; the next one waits."""
    request = await deployment.ask("alice", "databases")
    await request.says("grace")
    await until(lambda: request.asked_people(2))
    await request.says("heidi", level=2)
    return request.question.workflow_id


async def approval_lapsed(deployment: Deployment) -> str:
    """An approver of an open level is disabled after they approved; others approve."""
    request = await deployment.ask("alice", "databases")
    await request.says("grace")
    await until(lambda: request.asked_people(2))
    await request.says("heidi", level=2)
    deployment.apply(policy(disabled=("heidi",)))
    await deployment.enforce_directory()
    await request.says("ivan", level=2)
    await request.says("ada", level=2)
    return await ended(request, Status.APPROVED)


async def relied_on_somebody_disabled(deployment: Deployment) -> str:
    """The last approval comes before anybody has seen that the first one's approver is disabled."""
    request = await deployment.ask("alice", "databases")
    await request.says("grace")
    await until(lambda: request.asked_people(2))
    await request.says("heidi", level=2)
    deployment.apply(policy(disabled=("heidi",)))
    await request.says("ivan", level=2)
    await request.says("ada", level=2)
    return await ended(request, Status.APPROVED)


async def nobody_at_a_later_level(deployment: Deployment) -> str:
    """The people of a level to come are disabled while the first one waits."""
    request = await deployment.ask("alice", "databases")
    deployment.apply_unchecked(policy(disabled=("heidi", "ivan", "ada", "judy")))
    await deployment.enforce_directory()
    return await ended(request, Status.REJECTED)


async def grant_revoked(deployment: Deployment) -> str:
    """Revoked by an approver."""
    request = await deployment.ask("alice")
    await request.says("grace")
    await request.outcome()
    await deployment.engine.revoke(request.id, Principal("grace"), "page", "enough")
    return await grant_over(request, GrantStatus.REVOKED)


async def grant_given_back(deployment: Deployment) -> str:
    """Given back by the requester."""
    request = await deployment.ask("carol")
    await request.outcome()
    await deployment.engine.give_back(request.id, Principal("carol"), "page", "done")
    return await grant_over(request, GrantStatus.ENDED)


async def grant_ended(deployment: Deployment) -> str:
    """Ended by the clock."""
    request = await deployment.ask("carol", minutes=1)
    await request.outcome()
    return await grant_over(request, GrantStatus.ENDED)


async def device_approved(deployment: Deployment) -> str:
    """A new device of somebody whose devices have to be approved."""
    return await ended(await about_device(deployment, "alice", "ada", "approve"), Status.APPROVED)


async def device_denied(deployment: Deployment) -> str:
    """The same, denied."""
    return await ended(await about_device(deployment, "bob", "ada", "reject"), Status.REJECTED)


async def device_blocked_while_it_waited(deployment: Deployment) -> str:
    """Blocked by an admin before anybody has answered."""
    request = await about_device(deployment, "carol")
    assert isinstance(request.question, DeviceQuestion)
    ada = Principal("ada", admin=True)
    await deployment.engine.devices.act(request.question.device, DeviceAction.BLOCK, ada, "stolen")
    return await ended(request, Status.CANCELLED)


async def device_still_waiting(deployment: Deployment) -> str:
    """Nobody has answered yet."""
    deployment.apply(policy(roles=VENDORS))
    return (await about_device(deployment, "dave")).question.workflow_id


STORIES: list[Callable[[Deployment], Awaitable[str]]] = [
    approved_by_two_levels,
    rejected,
    expired,
    approved_after_the_deadline,
    cancelled,
    cancelled_with_the_requester_disabled,
    approved_at_once,
    own_approval,
    fallback,
    nobody_to_ask,
    disabled_approver,
    reminded,
    answered_by_a_grant,
    refused,
    still_open,
    grant_revoked,
    grant_ended,
    approval_lapsed,
    relied_on_somebody_disabled,
    nobody_at_a_later_level,
    grant_given_back,
    device_approved,
    device_denied,
    device_blocked_while_it_waited,
    device_still_waiting,
]


async def about_device(deployment: Deployment, person: str, answers: str = "", verdict: str = "") -> Request:
    """The request about a device that has just registered, answered with `verdict` by the person `answers`, if any."""
    fingerprint = Fingerprint(hostname="carbon", os="Debian", serial="PF-1", posture=Posture(tpm=True))
    presented = Presented(key=new_key(), fingerprint=fingerprint)
    found = await deployment.engine.devices.register(presented, Registrant(person, person=person))
    assert found.approval_id is not None, found
    view = deployment.store.reading.request(found.approval_id)
    asked = Asked(approval_id=view.approval_id, status=view.status, joined=False)
    request = Request(deployment, view.question, asked)
    if answers:
        await request.says(answers, verdict)
    return request


async def ended(request: Request, status: Status) -> str:
    """The id of the request's workflow, once it has ended with this status."""
    outcome = await request.outcome()
    assert outcome.status is status, outcome
    return request.question.workflow_id


async def grant_over(request: Request, status: GrantStatus) -> str:
    """The id of the grant's workflow, once it has ended with this status."""
    workflow_id = grant_workflow(request.id, request.deployment.store.reading.request(request.id).token_run)
    assert await request.deployment.client.temporal.get_workflow_handle(workflow_id).result() == status
    return workflow_id


async def main(*only: str) -> None:
    """Play every story, or only these, on an engine whose requests expire within seconds, and save its history."""
    with tempfile.TemporaryDirectory() as folder:
        async with TemporalServer() as server:
            namespace = await new_namespace(server.address)
            url = f"sqlite:///{folder}/countersign.db"
            async with Deployment(server.address, namespace, url) as deployment:
                for story in [one for one in STORIES if not only or one.__name__ in only]:
                    deployment.apply(policy(approval_status_change_to_expire="4s", grant_minutes="60s", roles=VENDORS))
                    deployment.mail.faults.refused.clear()
                    await save(deployment, story.__name__, await story(deployment))


async def save(deployment: Deployment, name: str, workflow_id: str) -> None:
    """Write one history."""
    history = await deployment.client.temporal.get_workflow_handle(workflow_id).fetch_history()
    cleaned = without_machine(json.loads(history.to_json()))
    (FOLDER / f"{name}.json").write_text(json.dumps(cleaned, indent=1, sort_keys=True) + "\n")


def without_machine(value: object) -> object:
    """The same without what names the process and machine that recorded it."""
    if isinstance(value, dict):
        return {key: NEVER_TOLD.get(key, without_machine(each)) for key, each in value.items()}
    if isinstance(value, str):
        return STICKY_QUEUE.sub("worker", value)
    return [without_machine(each) for each in value] if isinstance(value, list) else value


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
