"""Says which enrolment rule would match, and why each one before it would not, before any device is registered."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from countersign.directory import Policy
from countersign.enrolment.evaluate import EnrolmentVerdict, External, Tried, evaluate
from countersign.enrolment.facts import Certificate, Country, Facts
from countersign.enrolment.rules import Action
from countersign.errors import BadQuestion
from countersign.fields import LONGEST_NAME
from countersign.models import LONGEST_ID, Id, Model, PlainText, SourceAddress
from countersign.policy.route import must_be_enabled
from countersign.times import SECOND

MOST_CLAIMS = 50
WHAT_IT_DOES = {
    "allow": "it may enrol",
    "block": "it may not enrol",
    "service_auth": "it may enrol as a machine",
    "bypass": "it may enrol, whoever it is",
}

Text = Annotated[PlainText, Field(max_length=LONGEST_NAME)]
Claim = Annotated[list[Text], Field(max_length=MOST_CLAIMS)]


class EnrolmentQuestion(Model):
    """Whose device would register, from where and with what. What is left out is unknown, or not presented.

    With a service token, or without a person, it is a machine. `common_name` is that of a valid client certificate.
    """

    person: Id | None = None
    source_address: SourceAddress = ""
    country: Country = ""
    login_method: Text = ""
    claims: Annotated[dict[Text, Claim], Field(max_length=MOST_CLAIMS)] = {}
    service_token: Annotated[PlainText, Field(max_length=LONGEST_ID)] = ""
    common_name: Text = ""


class EnrolmentExplained(Model):
    """Which rule matches, and why each rule that was tried before it does not.

    `action` and `rule` are empty if no rule matches; `session_seconds` is 0 if the device may connect for good.
    `facts` are what the rules were evaluated for.
    """

    message: str
    admitted: bool
    action: Action | None
    rule: str
    approval_required: bool
    justification: bool
    session_seconds: int
    tried: list[Tried]
    facts: Facts


def facts_of(policy: Policy, asked: EnrolmentQuestion) -> Facts:
    """What the rules are evaluated for. Raises Refused for a person who is disabled, or not in the directory."""
    about: dict[str, Any] = {
        "claims": asked.claims,
        "login_method": asked.login_method or None,
        "source_address": asked.source_address,
        "country": asked.country,
        "service_token": asked.service_token or None,
        "certificate": _valid(asked.common_name) if asked.common_name else None,
    }
    if asked.person is None:
        return Facts(**about)
    must_be_enabled(policy, asked.person)
    user = policy.users[asked.person]
    groups, roles = frozenset(policy.groups_of(asked.person)), frozenset(policy.roles_of(asked.person))
    return Facts(email=user.email, user_groups=groups, roles=roles, **about)


def claims_of(written: Iterable[str]) -> dict[str, list[str]]:
    """The claims in texts such as `department=sales`. Raises BadQuestion."""
    found: dict[str, list[str]] = {}
    for one in written:
        name, equals, value = (part.strip() for part in one.partition("="))
        if not (name and equals and value):
            raise BadQuestion(f"{one[:40]!r} is not a claim; write its name and value, such as department=sales.")
        found.setdefault(name, []).append(value)
    return found


def _valid(common_name: str) -> Certificate:
    return Certificate(common_name=common_name, serial="", sha256="", valid=True)


def verdict_of(policy: Policy, facts: Facts, external: External) -> EnrolmentVerdict:
    """The verdict of a policy's rules; without rules everybody in the directory may enrol, and no machine may."""
    if policy.enrolment is not None:
        return evaluate(policy.enrolment, facts, external)
    return EnrolmentVerdict(action=None if facts.is_machine else "allow")


def explained(policy: Policy, facts: Facts, external: External) -> EnrolmentExplained:
    """The verdict, for people."""
    verdict = verdict_of(policy, facts, external)
    return EnrolmentExplained(
        message=_message(policy, verdict, facts),
        admitted=verdict.admits and not is_for_others(verdict, facts),
        session_seconds=verdict.session // SECOND if verdict.session else 0,
        facts=facts,
        **verdict.model_dump(include={"action", "rule", "approval_required", "justification"}),
        tried=verdict.tried,
    )


def is_for_others(verdict: EnrolmentVerdict, facts: Facts) -> bool:
    """Whether the rule that matches a machine is an `allow`, which is for people."""
    return facts.is_machine and verdict.action == "allow"


def _message(policy: Policy, verdict: EnrolmentVerdict, facts: Facts) -> str:
    if policy.enrolment is None:
        return "The policy has no enrolment rules: everybody in the directory may enrol a device, but no machine may."
    if verdict.action is None:
        return "No rule matches, so it may not enrol."
    if is_for_others(verdict, facts):
        return f"By the rule {verdict.rule} (allow) people may enrol, and this is a machine."
    also = " once somebody has approved it" if verdict.approval_required else ""
    return f"By the rule {verdict.rule} ({verdict.action}) {WHAT_IT_DOES[verdict.action]}{also}."
