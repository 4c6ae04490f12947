"""Judges who registers a device by the enrolment rules: who they are once, and all else at each connection."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from countersign.directory import Policy
from countersign.enrolment.explain import verdict_of
from countersign.enrolment.facts import Facts
from countersign.enrolment.judge import EnrolmentVerdict
from engine.external_evaluation import ExternalEvaluations
from engine.registering import Enrolment, Registrant, has_enrolled

# The facts that are kept with a device that has enrolled.
IDENTITY = {"email", "user_groups", "roles", "claims", "login_method"}
NO_RULE = "No enrolment rule lets this device in."
NO_MACHINES = "The policy has no enrolment rule that lets machines in."
NOT_FOR_MACHINES = "The enrolment rule {} is for people; machines enrol by `service_auth` or `bypass`."
BLOCKED = "The enrolment rule {} does not let this device in."
NEEDS_REASON = "The enrolment rule {} needs to know why: say it in `justification`."


class Enrolling:
    """Asks the external evaluations that the rules come to, and judges; changes nothing."""

    def __init__(self, external: ExternalEvaluations) -> None:
        self._external = external

    async def judge(self, policy: Policy, row: Row[Any], by: Registrant) -> Enrolment:
        """What the rules of the policy say of a device that registers now."""
        enrolled = has_enrolled(row, datetime.now(UTC))
        facts = _facts(policy, by, row.identity if enrolled else None)
        external = await self._external.answers(policy.enrolment or [], facts)
        verdict = verdict_of(policy, facts, external)
        refused = _why_refused(policy, verdict, facts, by, enrolled)
        return Enrolment(
            refused=refused,
            rule=verdict.rule,
            approval_required=verdict.approval_required,
            session=verdict.session,
            identity=facts.model_dump(mode="json", include=IDENTITY),
        )


def _facts(policy: Policy, by: Registrant, identity: dict[str, Any] | None) -> Facts:
    """What is known now, with who they were when the device enrolled, if it has."""
    now = {
        "source_address": by.source_address,
        "country": by.country,
        "service_token": by.service_token or None,
        "certificate": by.certificate,
    }
    return Facts.model_validate(now | (_identity(policy, by) if identity is None else identity))


def _identity(policy: Policy, by: Registrant) -> dict[str, Any]:
    if not by.person:
        return {}
    return {
        "email": policy.users[by.person].email,
        "user_groups": policy.groups_of(by.person),
        "roles": policy.roles_of(by.person),
        "claims": by.claims,
        "login_method": by.login_method or None,
    }


def _why_refused(policy: Policy, verdict: EnrolmentVerdict, facts: Facts, by: Registrant, enrolled: bool) -> str:
    if verdict.action is None:
        return NO_MACHINES if policy.enrolment is None else NO_RULE
    if not verdict.admits:
        return BLOCKED.format(verdict.rule)
    if facts.is_machine and verdict.action == "allow":
        return NOT_FOR_MACHINES.format(verdict.rule)
    if verdict.justification and not by.justification and not enrolled:
        return NEEDS_REASON.format(verdict.rule)
    return ""
