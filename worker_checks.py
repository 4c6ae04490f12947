"""What `python worker.py` does instead of its work, with `--check` and with `--replay`."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import NoReturn

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from countersign.checks import Check, findings, in_order
from countersign.cli.doctor import page
from countersign.client import Client
from countersign.console import show
from countersign.directory import Policy
from countersign.views import Finding
from notifiers import channels
from settings import Settings
from store.database_errors import for_operators
from store.migrate import is_outdated

OPEN = "ExecutionStatus = 'Running' AND TaskQueue = '{}'"


def checked(settings: Settings) -> int:
    """Print the findings of all checks; returns the exit code."""
    own = [
        Check("database", "database", partial(_check_database, settings)),
        Check("Temporal", "server", partial(_check_temporal, settings)),
    ]
    checks = [*own, *(check for one in channels(settings) for check in one.checks)]
    found = in_order(asyncio.run(findings(checks, None, say=for_operators)))
    show(page(found))
    return int(any(one.state == "problem" for one in found))


async def _check_database(settings: Settings, _: Policy | None) -> list[Finding]:
    later = await asyncio.to_thread(is_outdated, settings.database_url)
    message = "can be reached" + ("; its tables are made, or brought up to date, at the next start" if later else "")
    return [Finding(part="database", state="ok", about="database", message=message)]


async def _check_temporal(settings: Settings, _: Policy | None) -> list[Finding]:
    client = await Client.connect(**settings.temporal)
    await client.check()
    return [Finding(part="Temporal", state="ok", about="server", message="can be reached, and knows the namespace")]


def end_with_replay(settings: Settings, workflows: Sequence[type]) -> NoReturn:
    """Print for each open workflow whether it goes on under this version, and end the process with the exit code.

    It ends at once: threads of the replayer may crash an interpreter that shuts down normally (temporalio 1.35).
    """
    code = asyncio.run(replayed(settings, workflows))
    sys.stdout.flush()
    os._exit(code)


async def replayed(settings: Settings, workflows: Sequence[type]) -> int:
    """Print for each open workflow whether it goes on under this version; returns 1 if one does not."""
    client = await Client.connect(**settings.temporal)
    await client.check()
    replayer = Replayer(
        workflows=workflows, workflow_runner=UnsandboxedWorkflowRunner(), data_converter=client.temporal.data_converter
    )
    histories = client.temporal.list_workflows(OPEN.format(settings.task_queue)).map_histories()
    stuck = 0
    async with replayer.workflow_replay_iterator(_begun(histories)) as results:
        async for result in results:
            stuck += result.replay_failure is not None
            print(f"{result.history.workflow_id}: {result.replay_failure or 'replays'}")
    print(f"{stuck} would not go on." if stuck else "All that is open goes on under this version.")
    return int(stuck > 0)


async def _begun(histories: AsyncIterator[WorkflowHistory]) -> AsyncIterator[WorkflowHistory]:
    """The histories of workflows that have begun. A grant's begins at its end, and any version can begin it.

    For a history without a workflow task the SDK's replayer never gives a result (temporalio 1.35).
    """
    async for history in histories:
        if any(event.HasField("workflow_task_completed_event_attributes") for event in history.events):
            yield history
        else:
            print(f"{history.workflow_id}: has not begun")
