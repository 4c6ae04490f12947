"""What Temporal's own pages say about a run: whom it waits for, by name, and what each timer and activity is for."""

from __future__ import annotations

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowHandle

from countersign.client import grant_workflow
from tests.workflows.deployment import Deployment, Request, until
from workflows.temporal_summary import plain

pytestmark = pytest.mark.asyncio(loop_scope="session")


def run_of(request: Request) -> WorkflowHandle[object, object]:
    return request.deployment.client.temporal.get_workflow_handle(request.question.workflow_id)


async def details(request: Request) -> str:
    metadata = await run_of(request).query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    said: str = metadata.current_details.replace("\\", "")
    return said


async def summaries(request: Request) -> set[str]:
    """The summaries of all timers and activities in a run's history."""
    converter = request.deployment.client.temporal.data_converter
    found = set()
    async for event in run_of(request).fetch_history_events():
        if event.HasField("user_metadata") and not event.HasField("workflow_execution_started_event_attributes"):
            [summary] = await converter.decode([event.user_metadata.summary])
            found.add(summary)
    return found


async def test_the_page_of_a_request_names_whom_it_waits_for(deployment: Deployment) -> None:
    request = await deployment.ask("bob", "databases")
    description = await run_of(request).describe()
    assert await description.static_summary() == f"bob asks for connection {request.question.subject.target} ssh"
    said = await details(request)
    assert f"#{request.id}: Waits for Grace G., level 1 of 2" in said
    assert f"bob asks for connection {request.question.subject.target} ssh, until " in said
    await request.says("grace", comment="fine *with* me")
    await until(lambda: request.asked_people(2))
    assert f"#{request.id}: Waits for Heidi H., Ivan I., Ada A., level 2 of 2" in await details(request)
    assert "Grace G.: approve (level 1, by test)" in await details(request)
    assert {"the request expires", "Open a request, or answer its question by a grant that lasts"} <= await summaries(
        request
    )
    await request.says("ivan", "reject", level=2)
    await request.outcome()
    assert f"#{request.id}: Rejected. " in await details(request)


async def test_the_page_of_a_grant_says_whose_it_is_and_until_when(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await request.says("grace")
    outcome = await request.outcome()
    assert outcome.grant
    grant = grant_workflow(request.id, deployment.store.reading.request(request.id).token_run)
    summary = await (await deployment.client.temporal.get_workflow_handle(grant).describe()).static_summary()
    assert summary == f"The grant of #{request.id}, until {outcome.grant.ends_at:%Y-%m-%d %H:%M:%S} UTC"


async def test_what_somebody_wrote_is_no_markup() -> None:
    assert plain("a [link](https://example.com)\n# <b>Approved</b>") == (
        r"a \[link\]\(https://example.com\) \# \<b\>Approved\</b\>"
    )
