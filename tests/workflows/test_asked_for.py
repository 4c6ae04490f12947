"""Who asked for somebody else is recorded and shown to all who are notified, and the requester is notified of it."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import update

from countersign.error_codes import ErrorCode
from countersign.errors import NotAllowed
from countersign.models import STARTED_IN_TEMPORAL, Status
from countersign.permissions import Principal
from store.tables import requests
from tests.workflows.deployment import Deployment, Request

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMES = {"ada": "Ada A.", "gateway:bastion": "Gateway bastion", STARTED_IN_TEMPORAL: "Temporal (raw start)"}


async def asked_by(deployment: Deployment, who: str, requester: str = "alice", group: str = "web") -> Request:
    question = deployment.question(requester, group, reason="deploy")
    if who == STARTED_IN_TEMPORAL:
        return Request(deployment, question, await deployment.client.ask(question))
    return Request(deployment, question, await deployment.ask_as(who, question))


async def mail_to(request: Request, login: str, saying: str) -> str:
    mail = await asyncio.to_thread(request.deployment.person(login).wait_for_mail, request.id, saying)
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


@pytest.mark.parametrize("who", NAMES)
async def test_who_asks_for_somebody_else_is_on_record_and_shown(deployment: Deployment, who: str) -> None:
    request = await asked_by(deployment, who)
    assert request.lines()[0] == f"opened {who}"
    view = deployment.store.reading.request(request.id)
    assert (view.question.requester, view.asked_by, view.asked_by_name) == ("alice", who, NAMES[who])
    assert f"{NAMES[who]} asks for Alice A. to connect" in await mail_to(request, "grace", "asks for")
    told = await mail_to(request, "alice", "in your name")
    assert told.startswith(f"{NAMES[who]} asked in your name to connect to {request.question.subject.target}")
    assert f"countersign cancel {request.id}" in told
    await request.says("grace")
    await request.until_mailed(alice=["opened", "settled"], grace=["asked", "settled"])
    assert f", by {NAMES[who]}" in await mail_to(request, "alice", "you may connect")


async def test_who_asks_for_themselves_is_told_nothing_that_they_know(deployment: Deployment) -> None:
    request = await asked_by(deployment, "alice")
    assert deployment.store.reading.request(request.id).asked_by == "alice"
    assert (await mail_to(request, "grace", "deploy")).startswith("Alice A. asks to connect")
    await request.says("grace")
    await request.until_mailed(alice=["settled"])


async def test_where_nobody_has_to_agree_the_outcome_says_who_asked(deployment: Deployment) -> None:
    request = await asked_by(deployment, "gateway:bastion", "carol")
    assert request.asked.status is Status.APPROVED
    assert ", by Gateway bastion" in await mail_to(request, "carol", "you may connect")
    await request.until_mailed(carol=["settled"])


async def test_who_repeats_a_question_is_on_record_by_their_own_name(deployment: Deployment) -> None:
    request = await asked_by(deployment, "alice")
    again = await deployment.ask_as("gateway:bastion", request.question)
    assert (again.approval_id, again.joined) == (request.id, True)
    assert request.lines("opened", "asked_again") == ["opened alice", "asked_again gateway:bastion"]
    assert deployment.store.reading.request(request.id).asked_by == "alice"


@pytest.mark.parametrize(
    ("who", "code"), [("bob", ErrorCode.OTHER_REQUESTER), ("gateway:bastion", ErrorCode.OTHER_DEVICE)]
)
async def test_nobody_asks_for_somebody_else_but_admins_and_gateways_in_their_scope(
    deployment: Deployment, who: str, code: str
) -> None:
    question = deployment.question("alice")
    with pytest.raises(NotAllowed) as refused:
        await deployment.engine.ask(question, Principal(who), "")
    assert refused.value.code == code
    assert deployment.store.requests.waiting_for(question) is None


async def test_a_refusal_names_who_asked(deployment: Deployment) -> None:
    question = deployment.question("zoe")
    await asyncio.gather(deployment.ask_as("gateway:bastion", question), return_exceptions=True)
    row = [line for line in deployment.store.events.since(0, 10**6) if line.kind == "refused"][-1]
    assert (row.who, row.proof["requester"]) == ("gateway:bastion", "zoe")


async def test_a_request_of_before_that_was_known_is_taken_for_the_requesters_own(deployment: Deployment) -> None:
    request = await asked_by(deployment, "alice")
    with deployment.store.database.transaction() as connection:
        connection.execute(update(requests).where(requests.c.approval_id == request.id).values(asked_by=""))
    view = deployment.store.reading.request(request.id)
    assert (view.asked_by, view.asked_by_name) == ("alice", "Alice A.")
