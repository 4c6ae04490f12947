"""Rule 11 of approval: the record tells each request's whole story, in order, and its versions have no gaps."""

from __future__ import annotations

import pytest

from countersign.models import Status
from countersign.permissions import Principal
from tests.workflows.deployment import Deployment, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_rule_11_the_record_of_a_request_from_the_question_to_the_revocation(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "databases", source_address="10.0.0.7", reason="restore")
    await deployment.ask_for(request.question)
    await request.says("bob")
    await request.says("grace", channel="email", comment="ok")
    await until(lambda: request.asked_people(2))
    await request.says("heidi", level=2)
    await request.says("ada", level=2)
    await request.outcome()
    await deployment.engine.revoke(request.id, Principal("heidi"), "page", "enough")
    assert request.lines() == [
        "opened alice",
        "level_started countersign",
        "asked_again alice",
        "answer_refused bob",
        "answered grace",
        "level_started countersign",
        "answered heidi",
        "answered ada",
        "approved ada",
        "granted alice",
        "grant_revoked heidi",
    ]
    rows = {row.kind: row for row in deployment.store.events.of(request.id)}
    assert rows["opened"].detail == "approval workflow Engineers to databases"
    assert rows["asked_again"].proof == {"source_address": "10.0.0.7", "reason": "restore"}
    assert rows["approved"].detail == "Approved by Grace G., Heidi H., Ada A."
    assert (rows["grant_revoked"].channel, rows["grant_revoked"].detail) == ("page", "Revoked by Heidi H.: enough")
    [grace] = [row for row in deployment.store.events.of(request.id) if (row.kind, row.who) == ("answered", "grace")]
    assert (grace.channel, grace.detail) == ("email", "approved: ok")
    assert deployment.store.answers.outcome(grace.proof["answer"])[0] == "accepted"


async def test_rule_11_what_is_decided_is_on_record_before_anybody_is_told(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await request.says("grace")
    await request.until_mailed(alice=["settled"], grace=["asked", "settled"])
    await until(lambda: len(request.lines("noticed")) == 3)
    versions = {(row.kind, row.detail): row.version for row in deployment.store.events.of(request.id)}
    assert (
        versions["level_started", "level 1 of 1"]
        < versions["noticed", "asked"]
        < versions["approved", "Approved by Grace G."]
    )
    assert (
        versions["granted", next(message for kind, message in versions if kind == "granted")]
        < versions["noticed", "settled"]
    )


async def test_rule_11_the_versions_of_the_whole_record_have_no_gaps(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    assert request.status is Status.WAITING
    rows = deployment.store.events.since(0, limit=100_000)
    assert [row.version for row in rows] == list(range(1, len(rows) + 1))
    assert deployment.store.events.last_version() >= len(rows)
    view = deployment.store.reading.request(request.id)
    assert view.version == deployment.store.events.of(request.id)[-1].version
