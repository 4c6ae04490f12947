"""Rules 1 to 4 of approval on the whole engine: who must agree, levels and quorum, own approvals, nobody to ask."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from countersign.errors import DISABLED
from countersign.models import GrantStatus, Status
from tests.workflows.deployment import Deployment, Request, refused, until
from tests.workflows.people import policy

pytestmark = pytest.mark.asyncio(loop_scope="session")


# --- rule 1: who must agree -----------------------------------------------------------------------------------------


async def test_rule_1_strangers_and_unknown_devices_are_refused_and_recorded(deployment: Deployment) -> None:
    assert "There is no zoe in the directory" in await refused(deployment.ask("zoe"))
    deployment.apply(policy(disabled=("bob",)))
    assert "bob is disabled" in await refused(deployment.ask("bob"))
    nowhere = deployment.question("alice").model_copy(update={"device": "nowhere-1"})
    assert "nowhere-1 is in no device group" in await refused(deployment.ask_for(nowhere))
    recorded = [deployment.refusals(one)[-1] for one in ("zoe", "bob", "alice")]
    assert [message.split(";")[0] for message in recorded] == [
        "There is no zoe in the directory",
        "bob is disabled and may not ask.",
        "nowhere-1 is in no device group",
    ]


async def test_rule_1a_the_approval_workflow_of_the_two_groups_comes_first(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "databases")
    view = deployment.store.reading.request(request.id)
    assert (view.because, view.levels) == ("approval workflow Engineers to databases", 2)
    assert request.asked_people() == ["grace"]


async def test_rule_1b_the_managers_of_every_group_that_requires_it_are_one_level(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "vaults")
    assert request.asked_people() == ["grace", "ivan"]
    await request.says("grace")
    assert (await request.outcome()).status is Status.APPROVED


async def test_rule_1b_a_device_group_without_managers_brings_those_of_the_requesters_groups(
    deployment: Deployment,
) -> None:
    request = await deployment.ask("carol", "bastions")
    assert request.asked_people() == ["heidi"]
    await request.says("heidi", "reject")
    assert (await request.outcome()).status is Status.REJECTED


async def test_rule_1c_where_nobody_requires_it_the_request_is_approved_at_once(deployment: Deployment) -> None:
    request = await deployment.ask("carol", "web")
    assert request.asked.status is Status.APPROVED
    assert request.asked.grant is not None
    outcome = await request.outcome()
    assert outcome.message == "Approved at once: nobody requires approval."
    assert outcome.decisions == []
    assert request.lines() == ["opened carol", "approved countersign", "granted carol"]


async def test_a_level_of_more_people_than_temporal_can_list_is_asked(deployment: Deployment) -> None:
    many = [f"one.of.the.many.managers.of.engineers-{n:02}" for n in range(60)]
    users = {one: {"name": one, "email": f"{one}@example.test"} for one in many}
    deployment.apply(policy(users=users, user_groups={"engineers": {"managers": ["grace", *many]}}))
    request = await deployment.ask("alice")
    assert request.asked_people() == ["grace", *many]
    assert (await request.says(many[-1])).status is Status.APPROVED


# --- rule 2: levels and quorum --------------------------------------------------------------------------------------


async def test_rule_2_levels_are_passed_in_turn_and_each_needs_its_quorum(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "databases")
    assert (await request.says("heidi", level=2)).message == (
        f"That answer was for level 2; #{request.id} is at level 1."
    )
    assert (await request.says("grace")).status is Status.WAITING
    await until(lambda: request.asked_people(2))
    assert request.asked_people(2) == ["ada", "heidi", "ivan"]
    assert (await request.says("heidi", level=2)).status is Status.WAITING
    last = await request.says("ada", level=2, comment="fine")
    assert (last.accepted, last.status) == (True, Status.APPROVED)
    outcome = await request.outcome()
    assert outcome.message == "Approved by Grace G., Heidi H., Ada A."
    assert request.decided() == ["grace approve 1", "heidi approve 2", "ada approve 2"]


async def test_rule_2_a_person_counts_once_a_level_by_whatever_channel(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "databases")
    await request.says("grace")
    await until(lambda: request.asked_people(2))
    await request.says("heidi", level=2)
    again = await request.says("heidi", level=2, channel="page")
    assert (again.accepted, again.status) == (False, Status.WAITING)
    assert again.message == "Your approval has been counted already; it counts once a level."
    assert request.status is Status.WAITING


async def test_rule_2_one_rejection_ends_the_request(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "databases")
    await request.says("grace")
    await until(lambda: request.asked_people(2))
    await request.says("heidi", level=2)
    judged = await request.says("ivan", "reject", level=2, comment="not today")
    assert (judged.accepted, judged.status) == (True, Status.REJECTED)
    assert (await request.outcome()).message == "Rejected by Ivan I.: not today"
    assert deployment.store.reading.request(request.id).grant is None


@pytest.mark.parametrize("level", [1, 2])
async def test_rule_2_who_approved_may_take_it_back_while_it_waits(deployment: Deployment, level: int) -> None:
    request = await deployment.ask("alice", "databases")
    await request.says("grace")
    await until(lambda: request.asked_people(2))
    await request.says("heidi", level=2)
    person = {1: "grace", 2: "heidi"}[level]
    assert (await request.says(person, "reject", level=level)).status is Status.REJECTED
    assert (await request.outcome()).message == f"Rejected by {person.title()} {person[0].upper()}."


async def test_rule_2_who_was_not_asked_is_refused(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    judged = await request.says("bob")
    assert (judged.accepted, judged.message) == (False, f"You are not asked about #{request.id}.")
    assert request.lines("answer_refused") == ["answer_refused bob"]
    assert request.status is Status.WAITING


async def at_level_2(deployment: Deployment, *approving: str) -> Request:
    """A request for a database that has come to its second level, which needs two of Heidi, Ivan and Ada."""
    request = await deployment.ask("alice", "databases")
    await request.says("grace")
    await until(lambda: request.asked_people(2))
    for person in approving:
        assert (await request.says(person, level=2)).accepted
    return request


async def test_rule_2_the_approval_of_somebody_disabled_since_counts_no_longer(deployment: Deployment) -> None:
    request = await at_level_2(deployment, "heidi")
    deployment.apply(policy(disabled=("heidi",)))
    await deployment.enforce_directory()
    assert request.lines("left_out", "approval_lapsed") == ["left_out heidi", "approval_lapsed heidi"]
    [lapsed] = [one for one in deployment.store.reading.request(request.id).decisions if one.lapsed]
    assert (lapsed.person, lapsed.level) == ("heidi", 2)
    assert (await request.says("ivan", level=2)).status is Status.WAITING
    assert (await request.says("ada", level=2)).status is Status.APPROVED
    outcome = await request.outcome()
    assert outcome.message == "Approved by Grace G., Ivan I., Ada A."
    assert [one.person for one in outcome.decisions if one.lapsed] == ["heidi"]


async def test_rule_2_it_does_not_count_though_nobody_has_looked_since(deployment: Deployment) -> None:
    request = await at_level_2(deployment, "heidi")
    deployment.apply(policy(disabled=("heidi",)))
    judged = await request.says("ivan", level=2)  # the last approval that was needed
    assert (judged.accepted, judged.status) == (True, Status.WAITING)
    assert request.lines("approval_lapsed") == ["approval_lapsed heidi"]
    assert (await request.says("ada", level=2)).status is Status.APPROVED
    assert (await request.outcome()).message == "Approved by Grace G., Ivan I., Ada A."


async def test_rule_2_where_too_few_are_left_by_it_the_fallback_approvers_are_asked(deployment: Deployment) -> None:
    request = await at_level_2(deployment, "heidi")
    deployment.apply_unchecked(policy(disabled=("heidi", "ada")))
    assert (await request.says("ivan", level=2)).status is Status.WAITING
    await until(lambda: request.asked_people(2) == ["ada", "heidi", "ivan", "judy"])
    assert (await request.says("judy", level=2)).status is Status.APPROVED


async def test_rule_2_a_level_that_was_passed_stays_passed(deployment: Deployment) -> None:
    request = await at_level_2(deployment)
    deployment.apply(policy(disabled=("grace",)))
    await deployment.enforce_directory()
    await request.says("heidi", level=2)
    assert (await request.says("ivan", level=2)).status is Status.APPROVED
    assert (await request.outcome()).message == "Approved by Grace G., Heidi H., Ivan I."
    assert request.lines("approval_lapsed") == []


@pytest.mark.parametrize("verdict", ["approve", "reject"])
async def test_rule_6_an_answer_counts_only_if_its_sender_is_enabled_when_it_is_written(
    deployment: Deployment, verdict: str
) -> None:
    request = await deployment.ask("alice", "vaults")
    stored_before = await request.store("ivan", verdict)
    deployment.apply(policy(disabled=("ivan",)))
    judged = await deployment.engine.submit(stored_before)
    assert (judged.accepted, judged.message) == (False, DISABLED)
    assert request.status is Status.WAITING
    assert request.decided() == []
    assert (await request.says("grace")).status is Status.APPROVED


async def test_rule_6_nothing_is_approved_for_a_requester_who_was_disabled(deployment: Deployment) -> None:
    request = await deployment.ask("bob")
    deployment.apply(policy(disabled=("bob",)))
    await asyncio.gather(request.says("grace"), return_exceptions=True)
    outcome = await request.outcome()
    assert (outcome.status, outcome.message, outcome.grant) == (Status.CANCELLED, "The requester was disabled.", None)
    assert request.lines("approved", "granted") == []


# --- rule 3: the requester's own approval ---------------------------------------------------------------------------


async def test_rule_3_a_managers_own_approval_counts_by_itself(deployment: Deployment) -> None:
    request = await deployment.ask("grace")
    assert request.asked.status is Status.APPROVED
    [own] = (await request.outcome()).decisions
    assert (own.person, own.channel, own.comment) == (
        "grace",
        "own approval",
        "The requester is manager of engineers.",
    )
    assert request.lines() == [
        "opened grace",
        "level_started countersign",
        "answered grace",
        "approved countersign",
        "granted grace",
    ]


async def test_rule_3_where_the_policy_does_not_say_so_it_does_not(deployment: Deployment) -> None:
    deployment.apply(policy(auto_approve_when_requester_is_approver=False))
    request = await deployment.ask("grace")
    assert request.asked_people() == ["ada", "judy"]  # she is the only manager: the fallback approvers
    judged = await request.says("grace")
    assert (judged.accepted, judged.message) == (False, "Nobody may decide on their own request.")
    assert (await request.says("judy")).status is Status.APPROVED


async def test_rule_3_a_member_who_may_approve_themselves_is_one_person_of_the_quorum(deployment: Deployment) -> None:
    request = await deployment.ask("dave", "routers")
    assert request.asked.status is Status.WAITING
    assert request.asked_people() == ["erin", "heidi"]
    assert request.decided() == ["dave approve 1"]
    assert (await request.says("dave")).message == "Nobody may decide on their own request."
    assert (await request.says("erin")).status is Status.APPROVED


# --- rule 4: nobody to ask ------------------------------------------------------------------------------------------


async def test_rule_4_too_few_people_bring_the_fallback_approvers(deployment: Deployment) -> None:
    deployment.apply(policy(disabled=("grace",)))
    request = await deployment.ask("alice")
    assert request.asked_people() == ["ada", "judy"]
    await request.until_mailed(ada=["asked"], judy=["asked"], grace=[])
    await request.says("ada")
    assert (await request.outcome()).status is Status.APPROVED


async def test_rule_4_an_approver_whose_mail_is_refused_for_good_brings_them_too(deployment: Deployment) -> None:
    deployment.mail.faults.refused.add("grace@example.test")
    request = await deployment.ask("alice")
    await until(lambda: request.asked_people() == ["ada", "grace", "judy"])
    await request.until_mailed(ada=["asked"], judy=["asked"], grace=[])
    assert request.lines() == [
        "opened alice",
        "level_started countersign",
        "unreachable grace",
        "left_out grace",
        "fallback ada",
        "fallback judy",
    ]
    # Somebody who can't be reached by mail can still answer on another channel.
    assert (await request.says("grace", channel="page")).accepted


async def test_rule_4_the_others_are_still_asked_when_one_of_them_is_unreachable(deployment: Deployment) -> None:
    deployment.mail.faults.refused.add("ivan@example.test")
    request = await deployment.ask("alice", "vaults")
    await until(lambda: request.lines("left_out"))
    await request.until_mailed(grace=["asked"])
    assert request.asked_people() == ["grace", "ivan"]
    assert request.status is Status.WAITING


async def test_rule_4_with_nobody_left_the_request_is_rejected_at_once(deployment: Deployment) -> None:
    deployment.mail.faults.refused |= {f"{one}@example.test" for one in ("grace", "ada", "judy")}
    request = await deployment.ask("alice")
    outcome = await request.outcome()
    assert outcome.status is Status.REJECTED
    assert outcome.message.startswith(
        "There is nobody to ask: level 1 needs 1, too few can answer. No message could reach"
    )
    assert "Grace G., Ada A., Judy J.: the request's record says why" in outcome.message
    assert "rejected countersign" in request.lines()
    await request.until_mailed(alice=["settled"])


async def test_rule_4_a_mail_that_bounces_later_counts_as_unreachable(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await deployment.engine.report("grace", request.id, "unreachable", "550 no such user")
    await until(lambda: request.asked_people() == ["ada", "grace", "judy"])
    await request.until_mailed(ada=["asked"], judy=["asked"])


async def test_rule_4_is_looked_at_again_when_somebody_is_disabled(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    deployment.apply(policy(disabled=("grace",)))
    await deployment.enforce_directory()
    assert request.asked_people() == ["ada", "grace", "judy"]
    assert request.lines()[2:] == ["left_out grace", "fallback ada", "fallback judy"]
    assert deployment.store.reading.request(request.id).grant is None
    assert (await request.says("ada")).status is Status.APPROVED


async def test_rule_4_a_level_that_has_lost_its_people_since_the_opening_is_rejected(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "databases")
    workflow = {"name": "W", "user_group": "engineers", "device_group": "databases"}
    one_level = [workflow | {"levels": [{"approvers": [{"managers_of": "engineers"}]}]}]
    gone = ("ivan", "ada", "judy")
    left = policy(disabled=gone, approval_workflows=one_level, fallback_approvers=["heidi", "erin", "bob"])
    deployment.apply_unchecked(left)  # nobody is an admin any more
    assert (await request.says("grace")).accepted
    outcome = await request.outcome()
    assert (outcome.status, outcome.grant) == (Status.REJECTED, None)
    assert outcome.message == "There is nobody to ask: level 2 needs 2, too few can answer."


TWO_LEVELS = {"name": "W", "user_group": "engineers", "device_group": "routers"}


def two_levels(second: str, *first: str, **changed: Any) -> str:
    """Level 1 is Grace and other named people, level 2 is one named person; there are no fallback approvers."""
    named = [{"user": one} for one in first]
    levels = [{"approvers": [{"managers_of": "engineers"}, *named]}, {"approvers": [{"user": second}]}]
    workflow = TWO_LEVELS | {"levels": levels}
    return policy(approval_workflows=[workflow], fallback_approvers=[], **changed)


async def test_rule_4_nobody_is_bothered_for_a_level_that_a_later_one_makes_worthless(deployment: Deployment) -> None:
    deployment.apply_unchecked(two_levels("heidi", disabled=("heidi",)))
    request = await deployment.ask("alice", "routers")
    assert (request.asked.status, request.asked.message) == (
        Status.REJECTED,
        "There is nobody to ask: level 2 needs 1, too few can answer.",
    )
    assert (await request.outcome()).message == request.asked.message
    assert request.lines() == ["opened alice", "rejected countersign"]
    await request.until_mailed(alice=["settled"], grace=[])


async def test_rule_4_a_later_level_that_only_the_requester_could_pass_is_nobodys(deployment: Deployment) -> None:
    deployment.apply_unchecked(two_levels("alice"))
    assert "level 2 needs 1" in (await deployment.ask("alice", "routers")).asked.message


async def test_rule_4_a_later_level_is_looked_at_again_when_somebody_is_disabled(deployment: Deployment) -> None:
    deployment.apply_unchecked(two_levels("heidi"))
    request = await deployment.ask("alice", "routers")
    assert request.asked_people() == ["grace"]
    # The worker's own sweeper looks, though nobody whom the request asks now has changed.
    deployment.apply_unchecked(two_levels("heidi", disabled=("heidi",)))
    outcome = await request.outcome()
    assert (outcome.status, outcome.message) == (
        Status.REJECTED,
        "There is nobody to ask: level 2 needs 1, too few can answer.",
    )
    assert request.lines() == ["opened alice", "level_started countersign", "rejected countersign"]
    await request.until_mailed(alice=["settled"], grace=["asked", "settled"])


async def test_rule_4_a_later_level_is_looked_at_again_when_somebody_can_not_be_reached(deployment: Deployment) -> None:
    deployment.apply_unchecked(two_levels("grace", "ivan"))
    request = await deployment.ask("alice", "routers")
    assert request.asked_people() == ["grace", "ivan"]
    await deployment.engine.report("grace", request.id, "unreachable", "550 no such user")
    assert (await request.outcome()).message == "There is nobody to ask: level 2 needs 1, too few can answer."


async def test_an_approval_opens_the_grant_that_the_outcome_carries(deployment: Deployment) -> None:
    request = await deployment.ask("alice", source_address="10.0.0.7", minutes=30)
    await request.says("grace")
    grant = (await request.outcome()).grant
    assert grant is not None
    assert grant == deployment.store.reading.request(request.id).grant
    assert (grant.status, grant.source_address) == (GrantStatus.ACTIVE, "10.0.0.7")
