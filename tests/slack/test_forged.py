"""Forged, replayed and foreign clicks: at least a hundred kinds for each way Slack may reach us, and none counts.

Each family of kinds is sent at a request, in the way in which Slack sends; after each kind everything has to be as it
was. Then a genuine action is sent the same way, and counts, which shows that it could have counted all along.
"""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from countersign.views import AuditEventView
from sandbox.slack.workspace import Mode
from tests.slack.context import Context
from tests.slack.forge.aim import Aim, Genuine
from tests.slack.forge.families import FAMILIES, Family, families
from tests.slack.forge.kinds import Kind

pytestmark = pytest.mark.asyncio(loop_scope="session")
# What may be recorded while nothing is decided.
HARMLESS = {"answer_refused", "noticed"}
SECONDS = 5.0


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_there_are_more_than_100_kinds(mode: Mode) -> None:
    names = [(family.name, kind.name) for family in families(mode) for kind in family.kinds]
    assert len(names) == len(set(names)) >= 100
    print(f"{len(names)} kinds by {mode}")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
async def test_none_is_accepted(
    context: Context, genuine: Genuine, family: Family, caplog: pytest.LogCaptureFixture
) -> None:
    mode = context.slack.workspace.mode
    if mode not in family.modes:
        pytest.skip(f"Slack sends nothing of the kind by {mode}")
    aim = await family.aim(context, genuine)
    wrong = []
    for kind in family.kinds:
        caplog.clear()
        if problem := await problem_with(aim, kind) or spoken_of(caplog.records):
            wrong.append(f"{kind.name}: {problem}")
            aim = await family.aim(context, genuine)
    assert not wrong, "\n".join([f"{len(wrong)} of {len(family.kinds)} kinds", *wrong])
    await family.control(aim)


async def problem_with(aim: Aim, kind: Kind) -> str:
    """What went wrong with a forgery; "" if it was refused as it should be."""
    events = aim.context.deployment.store.events
    aim.context.count_anew()
    stood, version = aim.status_lines(), events.last_version()
    status = await kind.act(aim)
    lines = await recorded(aim, version) if kind.recorded else events.since(version)
    await aim.judged()
    if aim.status_lines() != stood:
        return f"it counted: {[line for line in aim.status_lines() if line not in stood]}"
    if other := [f"{line.kind} {line.who}" for line in events.since(version) if line.kind not in HARMLESS]:
        return f"it was recorded as {other}"
    if status not in kind.answers:
        return f"it was answered with {status}"
    refusals = [line.detail for line in lines if line.kind == "answer_refused"]
    if kind.recorded == (not refusals):
        return f"the record says {refusals}"
    return ""


async def recorded(aim: Aim, version: int) -> list[AuditEventView]:
    """What was recorded since, once there is a refusal among it; after SECONDS, whatever there is."""
    deadline = time.monotonic() + SECONDS
    while True:
        lines = aim.context.deployment.store.events.since(version)
        if time.monotonic() > deadline or any(line.kind == "answer_refused" for line in lines):
            return lines
        await asyncio.sleep(0.1)


def spoken_of(records: list[logging.LogRecord]) -> str:
    """The failures in the log, but for Temporal's library: it may log those of another test's worker that is ending."""
    ours = [one for one in records if not one.name.startswith("temporalio")]
    failures = [one for one in ours if one.levelno >= logging.ERROR or one.exc_info]
    return "; ".join(f"{one.name}: {one.getMessage()[:300]} {one.exc_info or ''}" for one in failures)
