"""Today's workflows replay earlier histories: a change of workflow code keeps open requests alive."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowRunner

import worker
from countersign.client import grant_workflow
from countersign.client.library import DATA_CONVERTER
from countersign.kinds import kind_named
from countersign.question import read_question_by
from tests.histories.record import STORIES
from tests.workflows.deployment import MAIL_KEYS
from tests.workflows.sandboxed import sandboxed

SAVED = {path.stem: path.read_text() for path in sorted((Path(__file__).parents[1] / "histories").glob("*.json"))}
PROCESS = re.compile(r"\d+@(?!example)")  # how an SDK identifies itself: its process id and the name of the machine
PATH = re.compile(r"/(bin|etc|home|opt|root|tmp|usr|var|work|Users)/|[A-Z]:\\")


def replayer(runner: WorkflowRunner) -> Replayer:
    return Replayer(workflows=worker.WORKFLOWS, workflow_runner=runner, data_converter=DATA_CONVERTER)


def workflow_id(saved: str) -> str:
    """The id that a workflow ran under, which isn't in its history but follows from its input."""
    [payload] = json.loads(saved)["events"][0]["workflowExecutionStartedEventAttributes"]["input"]["payloads"]
    asked = json.loads(b64decode(payload["data"]))
    if "approval_id" in asked:
        return grant_workflow(asked["approval_id"], asked.get("run", ""))
    kind = kind_named(asked.get("kind"))
    assert kind
    return read_question_by(asked, kind).question.workflow_id


@pytest.mark.parametrize("runner", [sandboxed(), UnsandboxedWorkflowRunner()], ids=["sandboxed", "as in production"])
@pytest.mark.parametrize("story", SAVED)
async def test_a_saved_history_replays(story: str, runner: WorkflowRunner) -> None:
    await replayer(runner).replay_workflow(WorkflowHistory.from_json(workflow_id(SAVED[story]), SAVED[story]))


async def test_a_start_whose_minutes_were_taken_before_they_had_to_be_a_number_replays() -> None:
    history = json.loads(SAVED["still_open"])
    [payload] = history["events"][0]["workflowExecutionStartedEventAttributes"]["input"]["payloads"]
    raw = json.loads(b64decode(payload["data"])) | {"minutes": True}
    payload["data"] = b64encode(json.dumps(raw).encode()).decode()
    saved = json.dumps(history)
    await replayer(sandboxed()).replay_workflow(WorkflowHistory.from_json(workflow_id(SAVED["still_open"]), saved))


def test_every_story_has_its_history() -> None:
    assert SAVED.keys() >= {story.__name__ for story in STORIES}


@pytest.mark.parametrize("story", SAVED)
def test_a_saved_history_holds_no_path_and_no_secret(story: str) -> None:
    payloads = [b64decode(data).decode() for data in re.findall(r'"data": "([^"]*)"', SAVED[story])]
    assert payloads
    for text in (SAVED[story], *payloads):
        assert not PATH.search(text)
        assert not PROCESS.search(text)
        assert MAIL_KEYS.partition(":")[2] not in text


async def test_a_history_that_the_workflow_would_not_write_is_noticed() -> None:
    another_s = SAVED["grant_ended"].replace('"Grant"', '"ConnectionApproval"')
    with pytest.raises(Exception, match=r"(?i)nondetermin"):
        await replayer(sandboxed()).replay_workflow(WorkflowHistory.from_json("another's", another_s))
