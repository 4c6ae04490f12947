"""Rule 10 of approval on the whole engine: one open request, and a grant that answers while it lasts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import update

from countersign.kinds.connection import ConnectionQuestion
from countersign.models import GrantView, Status
from countersign.permissions import Principal
from store.listing import Wanted
from store.tables import grants
from tests.workflows.deployment import Deployment, Request, refused
from tests.workflows.people import policy

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def granted(deployment: Deployment, **fields: Any) -> Request:
    request = await deployment.ask("alice", **fields)
    assert (await request.says("grace")).status is Status.APPROVED
    await request.outcome()
    return request


def again(request: Request, **changed: object) -> ConnectionQuestion:
    return ConnectionQuestion.model_validate(request.question.model_dump() | changed)


# --- while it waits -------------------------------------------------------------------------------------------------


async def test_rule_10_who_asks_again_joins_and_no_second_mail_goes_out(deployment: Deployment) -> None:
    request = await deployment.ask("alice", reason="deploy")
    repeat = await deployment.ask_for(again(request, reason="deploy, please"))
    assert (repeat.id, repeat.asked.joined, repeat.asked.status) == (request.id, True, Status.WAITING)
    assert not request.asked.joined
    assert request.lines() == ["opened alice", "level_started countersign", "asked_again alice"]
    [row] = [line for line in deployment.store.events.of(request.id) if line.kind == "asked_again"]
    assert row.proof == {"reason": "deploy, please"}
    await request.says("grace")
    await request.until_mailed(grace=["asked", "settled"], alice=["settled"])


async def test_rule_10_who_joins_hears_what_is_being_decided_and_the_record_keeps_what_they_said(
    deployment: Deployment,
) -> None:
    first = deployment.question("alice", reason="deploy", ticket="OPS-1", minutes=30, source_address="10.0.0.7")
    request = await deployment.ask_for(first)
    assert (request.asked.message, request.asked.minutes) == ("", 30)
    same = await deployment.ask_for(first)
    assert same.asked.message == (
        f"#{request.id} was asked for before and waits: 30 minutes, with the reason “deploy”, ticket OPS-1."
    )
    said = {"reason": "backup", "ticket": "OPS-2", "minutes": 60, "source_address": "10.0.0.8"}
    other = (await deployment.ask_for(again(request, **said))).asked
    decided = (other.reason, other.ticket, other.minutes, other.source_address)
    assert decided == ("deploy", "OPS-1", 30, "10.0.0.7")
    assert other.message.startswith(same.asked.message)
    assert other.message.endswith(f"changes nothing; to ask anew, have #{request.id} cancelled.")
    rows = [line.proof for line in deployment.store.events.of(request.id) if line.kind == "asked_again"]
    assert rows[1] == {name: str(value) for name, value in said.items()}


async def test_rule_10_what_is_said_while_the_grant_lasts_is_on_record_too(deployment: Deployment) -> None:
    request = await granted(deployment, reason="deploy")
    await deployment.ask_for(again(request, reason="again", ticket="OPS-3", minutes=5))
    [row] = [line for line in deployment.store.events.of(request.id) if line.kind == "asked_again"]
    assert row.proof == {"reason": "again", "ticket": "OPS-3", "minutes": "5"}


async def test_rule_10_of_many_who_ask_at_once_one_opens_and_each_repeat_is_recorded(deployment: Deployment) -> None:
    question = deployment.question("alice")
    requests = await asyncio.gather(*(deployment.ask_for(question) for _ in range(8)))
    assert len({one.id for one in requests}) == 1
    assert sorted(one.asked.joined for one in requests) == [False] + [True] * 7
    assert requests[0].lines("opened", "asked_again") == ["opened alice"] + ["asked_again alice"] * 7
    await requests[0].until_mailed(grace=["asked"])


async def test_the_same_request_id_asks_once(deployment: Deployment) -> None:
    question = deployment.question("alice")
    first, second = [await deployment.client.ask(question, "key-1", "alice") for _ in range(2)]
    assert first == second
    assert Request(deployment, question, first).lines() == ["opened alice", "level_started countersign"]


async def test_another_protocol_is_another_question(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    other = await deployment.ask_for(again(request, protocol="sftp"))
    assert other.id != request.id
    assert not other.asked.joined


async def test_after_a_refusal_the_question_may_be_asked_anew(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await request.says("grace", "reject")
    await request.outcome()
    anew = await deployment.ask_for(request.question)
    assert anew.id > request.id
    assert (anew.asked.joined, anew.asked.status) == (False, Status.WAITING)


# --- while its grant lasts ------------------------------------------------------------------------------------------


async def test_rule_10_while_the_grant_lasts_the_answer_is_yes_without_a_number_or_a_mail(
    deployment: Deployment,
) -> None:
    request = await granted(deployment, source_address="10.0.0.7")
    repeat = await deployment.ask_for(request.question)
    assert (repeat.id, repeat.asked.joined, repeat.asked.status) == (request.id, True, Status.APPROVED)
    assert isinstance(repeat.asked.grant, GrantView)
    outcome = await repeat.outcome()
    assert (outcome.approval_id, outcome.status) == (request.id, Status.APPROVED)
    assert deployment.store.reading.page(Wanted(limit=1))[0][0].approval_id == request.id
    read = deployment.transactions.granting.ask(request.question, "gate-1")
    assert read is not None
    assert read.grant == repeat.asked.grant
    assert request.lines("asked_again") == ["asked_again alice", "asked_again gate-1"]
    await request.until_mailed(grace=["asked", "settled"], alice=["settled"])


async def test_rule_10_another_source_address_is_refused_in_words(deployment: Deployment) -> None:
    request = await granted(deployment, source_address="10.0.0.7")
    message = await refused(deployment.ask_for(again(request, source_address="10.0.0.8")))
    assert message.startswith(f"The grant of #{request.id} is for another source address")
    [row] = [line for line in deployment.store.events.of(request.id) if line.kind == "asked_again"]
    assert row.detail == message


async def test_rule_10_who_joined_from_another_address_is_told_no_when_it_is_approved(deployment: Deployment) -> None:
    request = await deployment.ask("alice", source_address="10.0.0.7")
    joined = again(request, source_address="10.0.0.8")
    assert (await deployment.ask_for(joined)).asked.status is Status.WAITING
    await request.says("grace")
    assert (await deployment.client.wait(request.question)).status is Status.APPROVED
    message = await refused(deployment.client.wait(joined))
    assert message.startswith(f"The grant of #{request.id} is for another source address")


async def test_rule_10_who_joined_is_told_yes_where_the_policy_waives_that(deployment: Deployment) -> None:
    deployment.apply(policy(same_source_address=False))
    request = await deployment.ask("alice", source_address="10.0.0.7")
    await request.says("grace")
    outcome = await deployment.client.wait(again(request, source_address="10.0.0.8"))
    assert (outcome.status, outcome.grant and outcome.grant.same_source_address) == (Status.APPROVED, False)


async def test_rule_10_unless_the_policy_waives_it(deployment: Deployment) -> None:
    request = await granted(deployment, source_address="10.0.0.7")
    deployment.apply(policy(same_source_address=False))
    repeat = await deployment.ask_for(again(request, source_address="10.0.0.8"))
    assert (repeat.id, repeat.asked.status) == (request.id, Status.APPROVED)


async def test_rule_10_the_very_question_repeated_gets_yes_with_the_end_as_it_is(deployment: Deployment) -> None:
    request = await granted(deployment, minutes=30, source_address="10.0.0.7")
    for question in (request.question, again(request, minutes=None), again(request, source_address="::ffff:10.0.0.7")):
        repeat = await deployment.ask_for(question)
        assert (repeat.id, repeat.asked.status) == (request.id, Status.APPROVED)
        assert repeat.asked.grant == deployment.store.reading.request(request.id).grant


async def test_rule_10_a_grant_that_was_stored_with_a_mapped_address_answers_too(deployment: Deployment) -> None:
    request = await granted(deployment, source_address="10.0.0.7")
    with deployment.store.database.transaction() as connection:
        mine = update(grants).where(grants.c.approval_id == request.id)
        connection.execute(mine.values(source_address="::ffff:a00:7"))
    repeat = await deployment.ask_for(request.question)
    assert repeat.asked.grant is not None
    assert (repeat.id, repeat.asked.grant.source_address) == (request.id, "10.0.0.7")


async def test_rule_10_who_took_the_policys_minutes_may_ask_for_as_many(deployment: Deployment) -> None:
    request = await granted(deployment)
    assert (await deployment.ask_for(again(request, minutes=120))).id == request.id
    assert "121 minutes are too many" in await refused(deployment.ask(request.question.requester, minutes=121))


async def test_rule_10_more_minutes_than_were_granted_are_refused_in_words(deployment: Deployment) -> None:
    request = await granted(deployment, minutes=30)
    message = await refused(deployment.ask_for(again(request, minutes=60)))
    assert message.startswith(f"60 minutes are more than the 30 minutes that #{request.id} was granted for; it lasts ")
    assert message.endswith(f"or give #{request.id} back and ask again.")


async def test_rule_10_a_disabled_person_hears_no_yes_from_a_grant(deployment: Deployment) -> None:
    request = await granted(deployment)
    deployment.apply(policy(disabled=("alice",)))
    assert "alice is disabled" in await refused(deployment.ask_for(request.question))


async def test_after_the_revocation_the_question_opens_a_new_request(deployment: Deployment) -> None:
    request = await granted(deployment)
    await deployment.engine.revoke(request.id, Principal("grace"), "page")
    anew = await deployment.ask_for(request.question)
    assert anew.id > request.id
    assert (anew.asked.status, anew.asked.joined) == (Status.WAITING, False)
