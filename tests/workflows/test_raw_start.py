"""Starting a request with Temporal's own command line tool, as a program in any language could: well, and badly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from string import Template
from typing import Any

import pytest
import pytest_asyncio

from countersign.client import TASK_QUEUE
from countersign.models import Asked, Status
from store.listing import Wanted
from tests.workflows.deployment import Deployment, Request

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLI_SECONDS = 120
Cli = Callable[..., Awaitable[tuple[int, str]]]


@pytest_asyncio.fixture(loop_scope="session")
async def temporal(deployment: Deployment, temporal_tool: Path) -> AsyncIterator[Cli]:
    """Runs the real `temporal` tool in the engine's namespace; returns its exit code and all it printed."""

    async def run(*words: str) -> tuple[int, str]:
        where = ("--address", deployment.address, "--namespace", deployment.namespace)
        process = await asyncio.create_subprocess_exec(
            temporal_tool, *words, *where, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        printed, _ = await asyncio.wait_for(process.communicate(), CLI_SECONDS)
        return process.returncode or 0, printed.decode()

    yield run


def start(workflow_id: str, *inputs: str, verb: str = "execute") -> list[str]:
    words = ["workflow", verb, "--type", "ConnectionApproval", "--task-queue", TASK_QUEUE]
    words += ["--workflow-id", workflow_id]
    return words + [word for one in inputs for word in ("--input", one)]


def asked(device: str, **changed: Any) -> str:
    return json.dumps({"requester": "alice", "device": device, "protocol": "ssh", "reason": "raw"} | changed)


async def test_a_good_start_opens_a_request_and_its_result_is_the_decision(
    deployment: Deployment, temporal: Cli
) -> None:
    question = deployment.question("alice")
    code, printed = await temporal(*start(question.workflow_id, asked(question.device), verb="start"))
    assert code == 0, printed
    request = await deployment.ask_for(question)
    assert request.asked.joined
    assert request.lines()[0] == "opened temporal:start"
    await request.says("grace", comment="go")
    code, printed = await temporal("workflow", "result", "--workflow-id", question.workflow_id, "--output", "json")
    assert code == 0, printed
    result = json.loads(printed)["result"]
    assert (result["approval_id"], result["status"]) == (request.id, "Approved")
    assert [(one["person"], one["comment"]) for one in result["decisions"]] == [("grace", "go")]
    assert result["grant"]["status"] == "Active"


async def test_what_somebody_typed_is_folded_before_it_is_compared_with_the_id(
    deployment: Deployment, temporal: Cli
) -> None:
    question = deployment.question("carol")
    raw = asked(question.device.upper(), requester=" Carol ")
    code, printed = await temporal(*start(question.workflow_id, raw))
    assert code == 0, printed
    newest = deployment.store.reading.page(Wanted(requester="carol", limit=1))[0][0]
    assert (newest.subject.target, newest.status) == (question.device, Status.APPROVED)


async def test_the_state_of_an_open_request_can_be_queried(deployment: Deployment, temporal: Cli) -> None:
    request = await deployment.ask("alice")
    code, printed = await temporal(
        *("workflow", "query", "--workflow-id", request.question.workflow_id, "--name", "state", "--output", "json")
    )
    assert code == 0, printed
    [state] = json.loads(printed)["queryResult"]
    assert (state["approval_id"], state["status"], list(state["seats"])) == (request.id, "Waiting", ["grace"])


async def test_search_attributes_find_it_in_temporal_s_own_lists(deployment: Deployment, temporal: Cli) -> None:
    request = await deployment.ask("alice")
    query = f"CountersignStatus = 'Waiting' AND CountersignDevice = '{request.question.subject.target}'"
    query += " AND CountersignRequester = 'alice' AND CountersignApprovers = 'grace'"
    for _ in range(100):
        code, printed = await temporal("workflow", "list", "--query", query, "--output", "json")
        assert code == 0, printed
        if found := json.loads(printed):
            break
    [one] = found
    assert one["execution"]["workflowId"] == request.question.workflow_id


REFUSED = {
    "a wrong id": ("connection:alice:$device:rdp", [asked("$device")], "must be connection:alice:$device:ssh"),
    "no known form of id": ("my-request", [asked("$device")], "must be connection:alice:$device:ssh"),
    "a missing field": ("$id", ['{"requester": "alice", "device": "$device"}'], "protocol is missing; add it"),
    "an unknown field": ("$id", [asked("$device", minute=5)], "minute is not a field; use requester, device"),
    "an unknown protocol": ("$id", [asked("$device", protocol="telnet")], "protocol must be ssh, sftp"),
    "a field of a wrong type": ("$id", [asked("$device", minutes="soon")], "minutes"),
    "true for a number": ("$id", [asked("$device", minutes=True)], "minutes must be a whole number, not true or false"),
    "an id that is none": ("$id", [asked("$device", requester="al ice")], "requester"),
    "an address that is none": ("$id", [asked("$device", source_address="here")], "source_address"),
    "an unknown device": ("connection:alice:nope-1:ssh", [asked("nope-1")], "nope-1 is in no device group"),
    "an unknown requester": ("connection:zoe:$device:ssh", [asked("$device", requester="zoe")], "There is no zoe"),
    "text": ("$id", ['"alice"'], "must be one JSON object"),
    "a list": ("$id", [f"[{asked('$device')}]"], "must be one JSON object"),
    "null": ("$id", ["null"], "must be one JSON object"),
    "a number": ("$id", ["1e400"], "must be one JSON object"),
    "nothing": ("$id", [], "must be one JSON object"),
    "two inputs": ("$id", [asked("$device"), asked("$device")], "takes one input"),
    "two inputs, one of them text": ("$id", ['"alice"', "2"], "takes one input"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_bad_start_fails_at_once_with_words(deployment: Deployment, temporal: Cli, case: str) -> None:
    workflow_id, inputs, words = REFUSED[case]
    question = deployment.question("alice")

    def filled(text: str) -> str:
        return Template(text).substitute(device=question.device, id=question.workflow_id)

    code, printed = await temporal(*start(filled(workflow_id), *map(filled, inputs)))
    assert code == 1
    assert filled(words) in printed


async def test_a_question_that_joins_a_bad_start_is_refused_with_its_words(deployment: Deployment) -> None:
    question = deployment.question("alice")
    temporal = deployment.client.temporal
    bad = question.model_dump(mode="json") | {"protocol": "telnet"}
    await deployment.stop_worker()
    await temporal.start_workflow("ConnectionApproval", bad, id=question.workflow_id, task_queue=TASK_QUEUE)
    joining = asyncio.create_task(deployment.client.ask(question))
    deployment.start_worker()
    result: Asked | BaseException = (await asyncio.gather(joining, return_exceptions=True))[0]
    # It either got the bad start's error, or came after its end and opened a request of its own.
    if isinstance(result, Asked):
        assert Request(deployment, question, result).status is Status.WAITING
    else:
        assert "protocol must be" in str(result)
