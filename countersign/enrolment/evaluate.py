"""Evaluates the enrolment rules: which one matches these facts, and why each one tried before it does not.

An unknown fact never matches. In `exclude` it keeps a rule that lets somebody in from matching, as it might be what is
excluded; so what cannot be known never lets anybody in (docs/decisions/0019-enrolment-rules.md).
"""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from countersign.enrolment.facts import Facts
from countersign.enrolment.rules import IDENTITY, Action, EnrolmentRule, ExternalEvaluation, Selectors, selector_text
from countersign.fields import folded_address
from countersign.models import Model

Values = frozenset[Any]
NONE: Values = frozenset()
ALWAYS: Values = frozenset({True})
EXTERNAL = "external_evaluations"


class ExternalResult(NamedTuple):
    """The result of an external evaluation: yes, no, or None for neither; `why` is the reason."""

    yes: bool | None
    why: str = ""


NOT_ASKED = ExternalResult(None, "it was not asked")
External = Callable[[ExternalEvaluation], ExternalResult]


@dataclass(slots=True)
class Tried:
    """A rule that was tried and did not match, and why."""

    rule: str
    action: Action
    why: str


class EnrolmentVerdict(Model):
    """The rule that matches. If `action` is None, none does, and the device is refused.

    `tried` are the rules tried before it, in that order. `session`: how long the device may connect; None for no limit.
    """

    action: Action | None = None
    rule: str = ""
    approval_required: bool = False
    justification: bool = False
    session: timedelta | None = None
    tried: list[Tried] = []

    @property
    def admits(self) -> bool:
        """Whether the device may enrol, perhaps after an approval."""
        return self.action is not None and self.action != "block"


def in_order(rules: Sequence[EnrolmentRule]) -> list[EnrolmentRule]:
    """The rules as they are tried: `service_auth` and `bypass` from top to bottom, then `allow` and `block`."""
    return sorted(rules, key=lambda rule: rule.action in {"allow", "block"})


def evaluate(rules: Sequence[EnrolmentRule], facts: Facts, external: External) -> EnrolmentVerdict:
    """The first rule that matches. `external` gives the result of each external evaluation that is needed for it."""
    known = _Known(facts, external)
    tried: list[Tried] = []
    for rule in in_order(rules):
        if why := known.why_not(rule):
            tried.append(Tried(rule.name, rule.action, why))
        else:
            return EnrolmentVerdict(
                action=rule.action,
                rule=rule.name,
                approval_required=rule.approval_required,
                justification=rule.justification,
                session=rule.session,
                tried=tried,
            )
    return EnrolmentVerdict(tried=tried)


class _Known:
    """What is known about whoever enrols, in the form that rules are compared with."""

    def __init__(self, facts: Facts, external: External) -> None:
        self._external = external
        self._address = ipaddress.ip_address(facts.source_address) if facts.source_address else None
        self._claims = {} if facts.is_machine else facts.claims
        self._pairs = frozenset((name, one) for name, values in self._claims.items() for one in values)
        self._by_selector = _by_selector(facts)

    def why_not(self, rule: EnrolmentRule) -> str:
        """Why a rule does not match; empty if it does."""
        blocks = rule.action == "block"
        return (
            self._nothing_of(rule.include, blocks)
            or self._lacking(rule.require, blocks)
            or self._excluded(rule.exclude, blocks)
        )

    def _nothing_of(self, include: Selectors, blocks: bool) -> str:
        unknown = ""
        for selector, values in include.conditions.items():
            holding, open_ = self._split(selector, values)
            if holding or (open_ and blocks and selector == EXTERNAL):
                return ""
            if open_:
                unknown += f"; {self._not_known(selector, open_)}"
        return f"include: none of this holds: {include}{unknown}"

    def _lacking(self, require: Selectors, blocks: bool) -> str:
        for selector, values in require.conditions.items():
            holding, open_ = self._split(selector, values)
            if blocks and selector == EXTERNAL:
                holding |= open_
            if missing := values - holding:
                not_known = self._not_known(selector, missing & open_)
                return f"require: {not_known or f'{selector_text(selector, missing)} does not hold'}"
        return ""

    def _excluded(self, exclude: Selectors, blocks: bool) -> str:
        for selector, values in exclude.conditions.items():
            holding, open_ = self._split(selector, values)
            if holding:
                return f"exclude: {selector_text(selector, holding)} holds"
            if open_ and not blocks:
                return f"exclude: {self._not_known(selector, open_)}, so it might hold"
        return ""

    def _not_known(self, selector: str, values: Values) -> str:
        if not values:
            return ""
        whys = {self._external(one).why for one in values} if selector == EXTERNAL else ()
        return f"{selector_text(selector, values)} is not known" + (f" ({', '.join(sorted(whys))})" if whys else "")

    def _split(self, selector: str, values: Values) -> tuple[Values, Values]:
        """The values that hold, and those that are unknown; all others do not hold."""
        if selector in self._by_selector:
            known = self._by_selector[selector]
            return (NONE, values) if known is None else (values & known, NONE)
        if selector == "source_networks":
            address = self._address
            return (frozenset({one for one in values if address in one}), NONE) if address else (NONE, values)
        if selector == "claims":
            unknown = {one for one in values if one[0] not in self._claims}
            return values & self._pairs, frozenset(unknown) if unknown else NONE
        answers = {one: self._external(one).yes for one in values}
        return _with(answers, True), _with(answers, None)


def _with(answers: Mapping[ExternalEvaluation, bool | None], yes: bool | None) -> Values:
    return frozenset(one for one, said_yes in answers.items() if said_yes is yes)


def _by_selector(facts: Facts) -> dict[str, Values | None]:
    """What holds, for each selector whose values are simply compared; None if that is unknown."""
    certificate = facts.certificate
    valid = certificate is not None and certificate.valid
    known: dict[str, Values | None] = {
        "everyone": ALWAYS,
        "countries": frozenset({facts.country}) if facts.country else None,
        "service_tokens": frozenset({facts.service_token}),
        "any_service_token": ALWAYS if facts.service_token is not None else NONE,
        "valid_certificate": ALWAYS if valid else NONE,
        # An invalid certificate proves nothing, not even that it is another one.
        "common_names": None if certificate and not valid else frozenset({certificate and certificate.common_name}),
    }
    return known | (dict.fromkeys(IDENTITY) if facts.is_machine else _of_person(facts))


def _of_person(facts: Facts) -> dict[str, Values | None]:
    email = folded_address(facts.email or "")
    return {
        "emails": frozenset({email}),
        "email_domains": frozenset({email.rpartition("@")[2]}),
        "user_groups": facts.user_groups,
        "roles": facts.roles,
        "login_methods": frozenset({facts.login_method.lower()}) if facts.login_method else None,
    }
