"""Evaluates the enrolment rules for a device.

The facts about its person are fixed when it enrols; address, country, service token and certificate are those of each
registration.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from countersign.directory import Policy
from countersign.enrolment.evaluate import EnrolmentVerdict
from countersign.enrolment.explain import is_for_others, verdict_of
from countersign.enrolment.facts import Facts
from engine.devices.enrolment import has_enrolled
from engine.devices.external_evaluation import ExternalEvaluations
from engine.devices.registrant import Enrolment, Registrant

# The other facts say who somebody is, and are kept with a device that has enrolled.
OF_A_CONNECTION = {"source_address", "country", "service_token", "certificate"}
NO_RULE = "No enrolment rule lets this device in."
NO_MACHINES = "The policy has no enrolment rule that lets machines in."
NOT_FOR_MACHINES = "The enrolment rule {} is for people; machines enrol by `service_auth` or `bypass`."
BLOCKED = "The enrolment rule {} does not let this device in."
NEEDS_REASON = "The enrolment rule {} needs to know why: say it in `justification`."


async def enrolment_of(
    policy: Policy, row: Row[Any], by: Registrant, external_evaluations: ExternalEvaluations
) -> Enrolment:
    """What the policy's rules, and the external evaluations that they need, say about a device that registers."""
    enrolled = has_enrolled(row, datetime.now(UTC))
    facts = _facts(policy, by, row.identity if enrolled else None)
    external = await external_evaluations.answers(policy.enrolment or [], facts)
    verdict = verdict_of(policy, facts, external)
    refused = _why_refused(policy, verdict, facts, by, enrolled)
    return Enrolment(
        refused=refused,
        rule=verdict.rule,
        approval_required=verdict.approval_required,
        session=verdict.session,
        identity=facts.model_dump(mode="json", exclude=OF_A_CONNECTION),
    )


def _facts(policy: Policy, by: Registrant, kept: dict[str, Any] | None) -> Facts:
    """What is known now; the facts about its person are those from when the device enrolled, if it has."""
    who = _identity(policy, by) if kept is None else Facts.model_validate(kept)
    now = Facts(
        source_address=by.source_address,
        country=by.country,
        service_token=by.service_token or None,
        certificate=by.certificate,
    )
    return who.model_copy(update={name: getattr(now, name) for name in OF_A_CONNECTION})


def _identity(policy: Policy, by: Registrant) -> Facts:
    if by.person not in policy.users:  # a machine, or somebody who was just removed, and is refused for that
        return Facts()
    return Facts(
        email=policy.users[by.person].email,
        user_groups=frozenset(policy.groups_of(by.person)),
        roles=frozenset(policy.roles_of(by.person)),
        claims=by.claims,
        login_method=by.login_method or None,
    )


def _why_refused(policy: Policy, verdict: EnrolmentVerdict, facts: Facts, by: Registrant, enrolled: bool) -> str:
    if verdict.action is None:
        return NO_MACHINES if policy.enrolment is None else NO_RULE
    if not verdict.admits:
        return BLOCKED.format(verdict.rule)
    if is_for_others(verdict, facts):
        return NOT_FOR_MACHINES.format(verdict.rule)
    if verdict.justification and not by.justification and not enrolled:
        return NEEDS_REASON.format(verdict.rule)
    return ""
