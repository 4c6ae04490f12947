"""Rules 6 to 8 of approval on the whole engine: in flight, cancelled, revoked, and the clock of the grant."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from countersign.errors import DISABLED, NotAllowed, NotFound
from countersign.models import GrantStatus, Status
from countersign.permissions import Principal
from tests.workflows.deployment import Deployment, Request, refused, until, until_after
from tests.workflows.people import policy

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def approved(deployment: Deployment, **fields: Any) -> Request:
    request = await deployment.ask("alice", **fields)
    assert (await request.says("grace")).status is Status.APPROVED
    await request.outcome()
    return request


# --- rule 6: in flight ----------------------------------------------------------------------------------------------


async def test_rule_6_levels_and_rules_stay_as_they_were_when_the_request_opened(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "databases", minutes=90)
    deployment.apply(policy(without=("approval_workflows",), grant_minutes=1))
    await request.says("grace")
    await until(lambda: request.asked_people(2))
    await request.says("heidi", level=2)
    await request.says("ivan", level=2)
    grant = (await request.outcome()).grant
    assert grant is not None
    assert grant.ends_at - grant.starts_at == timedelta(minutes=90)


async def test_rule_6_the_people_of_a_level_are_looked_up_when_it_starts(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "databases")
    deployment.apply(
        policy(
            user_groups={"engineers": {"managers": ["bob"]}},
            device_groups={"databases": {"managers": ["judy", "erin"]}},
        )
    )
    assert request.asked_people(1) == ["grace"]
    await request.says("grace")
    await until(lambda: request.asked_people(2))
    assert request.asked_people(2) == ["ada", "erin", "judy"]


async def test_rule_6_who_was_disabled_since_may_not_decide(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "vaults")
    stored_before = await request.store("ivan")
    deployment.apply(policy(disabled=("ivan",)))
    assert "disabled" in await refused(request.store("ivan"))
    await deployment.enforce_directory()
    judged = await deployment.engine.submit(stored_before)
    assert (judged.accepted, judged.message) == (False, DISABLED)
    assert request.lines("answer_refused") == ["answer_refused ivan", "answer_refused ivan"]
    assert request.status is Status.WAITING
    assert (await request.says("grace")).status is Status.APPROVED


async def test_rule_6_a_disabled_requesters_requests_are_cancelled_and_their_grants_revoked(
    deployment: Deployment,
) -> None:
    waiting = await deployment.ask("alice")
    held = await approved(deployment)
    await until(lambda: "granted alice" in held.lines())
    deployment.apply(policy(disabled=("alice",)))
    why = f"The requester is disabled in policy version {deployment.store.policies.text()[0]}."
    # The worker's own sweeper enforces this.
    outcome = await waiting.outcome()
    assert (outcome.status, outcome.message) == (
        Status.CANCELLED,
        f"Cancelled by countersign: {why}",
    )
    await until(lambda: "grant_revoked countersign" in held.lines())
    grant = deployment.store.reading.request(held.id).grant
    assert grant is not None
    assert (grant.status, grant.message) == (GrantStatus.REVOKED, f"Revoked by countersign: {why}")
    await waiting.until_mailed(alice=["settled"], grace=["asked", "settled"])
    await held.until_mailed(alice=["settled", "grant_ended"], grace=["asked", "settled", "grant_ended"])


# --- rule 7: undo ---------------------------------------------------------------------------------------------------


async def test_rule_7_the_requester_cancels_while_it_waits(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    judged = await deployment.engine.cancel(request.id, Principal("alice"), "page", "not needed any more")
    assert (judged.accepted, judged.status) == (True, Status.CANCELLED)
    outcome = await request.outcome()
    assert (outcome.status, outcome.message) == (Status.CANCELLED, "Cancelled by Alice A.: not needed any more")
    assert request.lines() == ["opened alice", "level_started countersign", "cancelled alice"]
    await request.until_mailed(alice=["settled"], grace=["asked", "settled"])
    assert not (await request.says("grace")).accepted
    assert deployment.store.reading.request(request.id).grant is None
    answer = await refused(deployment.engine.cancel(request.id, Principal("alice"), "page"))
    assert answer == f"#{request.id} is already Cancelled: Cancelled by Alice A.: not needed any more"


async def test_rule_7_nobody_else_cancels_but_an_admin(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    for stranger in ("bob", "grace"):
        with pytest.raises(NotAllowed, match=r"Only Alice A\. or an admin may cancel"):
            await deployment.engine.cancel(request.id, Principal(stranger), "page")
    assert request.status is Status.WAITING
    await deployment.engine.cancel(
        request.id, Principal("ada"), "slack"
    )  # an admin of the directory, by whatever channel
    assert (await request.outcome()).message == "Cancelled by Ada A."


async def test_rule_7_a_gateway_cancels_what_it_alone_asked_for(deployment: Deployment) -> None:
    question = deployment.question("alice")
    asked = await deployment.ask_as("gateway:bastion", question)
    await deployment.ask_as("gateway:bastion", question)
    with pytest.raises(NotAllowed, match="A gateway may cancel only what it opened itself"):
        await deployment.engine.cancel(asked.approval_id, Principal("gateway:other"), "portal")
    judged = await deployment.engine.cancel(
        asked.approval_id, Principal("gateway:bastion"), "portal", "the connection was closed"
    )
    assert (judged.status, judged.message) == (
        Status.CANCELLED,
        "Cancelled by Gateway bastion: the connection was closed",
    )
    request = Request(deployment, question, asked)
    assert request.lines()[-1] == "cancelled gateway:bastion"
    await request.until_mailed(alice=["opened", "settled"], grace=["asked", "settled"])


@pytest.mark.parametrize("who", ["alice", "gateway:other"])
async def test_rule_7_a_gateway_does_not_cancel_what_somebody_else_asked_for_too(
    deployment: Deployment, who: str
) -> None:
    question = deployment.question("alice")
    asked = await deployment.ask_as("gateway:bastion", question)
    await deployment.ask_as(who, question)
    with pytest.raises(NotAllowed, match=r"Only Alice A\. or an admin"):
        await deployment.engine.cancel(asked.approval_id, Principal("gateway:bastion"), "portal")
    own = await deployment.ask("alice")
    await deployment.ask_as("gateway:bastion", own.question)
    with pytest.raises(NotAllowed, match=r"Only Alice A\. or an admin"):
        await deployment.engine.cancel(own.id, Principal("gateway:bastion"), "portal")
    assert (Request(deployment, question, asked).status, own.status) == (Status.WAITING, Status.WAITING)


async def test_rule_7_what_is_decided_is_not_cancelled(deployment: Deployment) -> None:
    request = await approved(deployment)
    assert f"#{request.id} is already Approved" in await refused(
        deployment.engine.cancel(request.id, Principal("alice"), "page")
    )
    with pytest.raises(NotFound):
        await deployment.engine.cancel(request.id + 1000, Principal("alice"), "page")


async def test_rule_7_an_approver_revokes_while_the_grant_lasts(deployment: Deployment) -> None:
    request = await approved(deployment)
    question = request.question
    assert deployment.transactions.granting.ask(question, "alice") is not None
    await deployment.engine.revoke(request.id, Principal("grace"), "page", "enough")
    # At once: the very next question already gets that.
    assert deployment.transactions.granting.ask(question, "alice") is None
    grant = deployment.store.reading.request(request.id).grant
    assert grant is not None
    assert grant.status is GrantStatus.REVOKED
    await request.until_mailed(alice=["settled", "grant_ended"], grace=["asked", "settled", "grant_ended"])
    assert request.lines()[-1] == "grant_revoked grace"
    assert await refused(deployment.engine.revoke(request.id, Principal("grace"), "page")) == (
        f"The grant of #{request.id} is over already."
    )


async def test_rule_7_nobody_else_revokes_but_an_admin(deployment: Deployment) -> None:
    request = await approved(deployment)
    for stranger in ("alice", "bob", "ivan"):
        with pytest.raises(NotAllowed, match="Only an approver"):
            await deployment.engine.revoke(request.id, Principal(stranger), "page")
    assert deployment.transactions.granting.ask(request.question, "alice") is not None
    await deployment.engine.revoke(request.id, Principal("ada"), "page")
    assert deployment.transactions.granting.ask(request.question, "alice") is None


async def test_rule_7_two_revocations_at_once_are_one(deployment: Deployment) -> None:
    request = await approved(deployment)
    people = ("ada", "grace", "heidi", "ivan")
    wishes = [deployment.engine.revoke(request.id, Principal(one, appointed=True), "page") for one in people]
    results = await asyncio.gather(*wishes, return_exceptions=True)
    assert sum(result is None for result in results) == 1
    assert len(request.lines("grant_revoked", "grant_ended")) == 1


async def test_rule_7_what_was_never_approved_has_nothing_to_revoke(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    assert await refused(deployment.engine.revoke(request.id, Principal("grace"), "page")) == (
        f"#{request.id} is Waiting and has no grant to revoke."
    )


# --- rule 8: the grant's clock --------------------------------------------------------------------------------------


async def test_rule_7_a_requester_gives_a_grant_back(deployment: Deployment) -> None:
    request = await approved(deployment)
    await deployment.engine.give_back(request.id, Principal("alice"), "page", "done already")
    grant = deployment.store.reading.request(request.id).grant
    assert grant is not None
    assert (grant.status, grant.message, grant.ended_early) == (
        GrantStatus.ENDED,
        "Given back by Alice A.: done already",
        True,
    )
    assert request.lines("grant_ended", "grant_revoked") == ["grant_ended alice"]
    assert (await deployment.ask_for(request.question)).id > request.id
    await request.until_mailed(grace=["asked", "settled"], alice=["settled", "grant_ended"])
    mail = await asyncio.to_thread(deployment.person("alice").wait_for_mail, request.id, "Given back by Alice A.")
    assert "and would have ended" in str(mail)
    assert "is over already" in await refused(deployment.engine.give_back(request.id, Principal("alice"), "page"))


async def test_rule_7_a_gateway_hands_back_a_grant_that_it_asked_for_and_no_other(deployment: Deployment) -> None:
    question = deployment.question("carol")
    asked = await deployment.ask_as("gateway:bastion", question)
    for who in ("gateway:other", "bob", "ada"):
        with pytest.raises(NotAllowed, match=r"Only Carol C\., or a gateway that asked"):
            await deployment.engine.give_back(asked.approval_id, Principal(who), "portal")
    await deployment.engine.give_back(asked.approval_id, Principal("gateway:bastion"), "portal", "logged out")
    grant = deployment.store.reading.request(asked.approval_id).grant
    assert grant is not None
    assert (grant.status, grant.message) == (GrantStatus.ENDED, "Given back by Gateway bastion: logged out")
    own = await deployment.ask("carol")
    with pytest.raises(NotAllowed, match="Only Carol"):
        await deployment.engine.give_back(own.id, Principal("gateway:bastion"), "portal")


async def test_rule_7_a_gateway_that_joined_a_request_hands_its_grant_back_too(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    joined = await deployment.ask_as("gateway:bastion", request.question)
    assert joined.approval_id == request.id
    await request.says("grace")
    again = await deployment.ask_as("gateway:other", request.question)
    assert again.grant is not None
    with pytest.raises(NotAllowed, match="a gateway that asked"):
        await deployment.engine.give_back(request.id, Principal("gateway:other"), "portal")
    await deployment.engine.give_back(request.id, Principal("gateway:bastion"), "portal", "logged out")
    grant = deployment.store.reading.request(request.id).grant
    assert grant is not None
    assert grant.message == "Given back by Gateway bastion: logged out"


async def test_rule_7_a_requester_who_would_revoke_hears_that_they_may_give_back(deployment: Deployment) -> None:
    request = await approved(deployment)
    with pytest.raises(NotAllowed, match="You may give it back"):
        await deployment.engine.revoke(request.id, Principal("alice"), "page")


async def test_rule_6_who_was_disabled_may_do_nothing_on_any_channel(deployment: Deployment) -> None:
    request = await approved(deployment)
    waiting = await deployment.ask("alice", "vaults")
    deployment.apply(policy(disabled=("grace",)))
    for channel in ("page", "slack", "email"):
        with pytest.raises(NotAllowed, match="Your account is disabled"):
            await deployment.engine.revoke(request.id, Principal("grace"), channel)
        with pytest.raises(NotAllowed, match="Your account is disabled"):
            await deployment.engine.cancel(waiting.id, Principal("grace", appointed=True), channel)
        with pytest.raises(NotAllowed, match="Your account is disabled"):
            await deployment.engine.give_back(request.id, Principal("grace"), channel)
        assert "disabled" in await refused(waiting.store("grace", channel=channel))
    with pytest.raises(NotAllowed, match="Your account is disabled"):
        await deployment.ask_as("grace", deployment.question("alice"))
    assert (await deployment.engine.mine("grace")).active == []
    grant = deployment.store.reading.request(request.id).grant
    assert grant is not None
    assert grant.status is GrantStatus.ACTIVE


async def test_rule_8_the_clock_starts_at_approval_and_ends_by_itself(quick: Deployment) -> None:
    request = await quick.ask("alice")
    opened_at = quick.store.reading.request(request.id).opened_at
    await until_after(opened_at + timedelta(seconds=1))
    before = datetime.now(UTC)
    await request.says("grace")
    grant = (await request.outcome()).grant
    assert grant is not None
    assert grant.ends_at - grant.starts_at == timedelta(seconds=4)
    assert before <= grant.starts_at <= datetime.now(UTC)
    assert quick.transactions.granting.ask(request.question, "alice") is not None
    await until_after(grant.ends_at)
    # The end is compared, even if nothing ran then.
    assert quick.transactions.granting.ask(request.question, "alice") is None
    await until(lambda: "grant_ended the clock" in request.lines())
    ended = quick.store.reading.request(request.id).grant
    assert ended is not None
    assert ended.status is GrantStatus.ENDED
    await request.until_mailed(alice=["settled", "grant_ended"], grace=["asked", "settled"])


async def test_rule_8_an_end_passes_unseen_by_a_worker_that_sleeps_yet_the_answer_is_no(quick: Deployment) -> None:
    request = await quick.ask("alice")
    await request.says("grace")
    grant = (await request.outcome()).grant
    assert grant is not None
    await quick.stop_worker()
    await until_after(grant.ends_at)
    still = quick.store.reading.request(request.id).grant
    assert still is not None
    assert still.status is GrantStatus.ACTIVE
    assert quick.transactions.granting.ask(request.question, "alice") is None
    quick.start_worker()
    await until(lambda: "grant_ended the clock" in request.lines())


async def test_rule_8_no_more_minutes_than_the_policy_grants(deployment: Deployment) -> None:
    message = await refused(deployment.ask("alice", minutes=121))
    assert "121 minutes are too many" in message
