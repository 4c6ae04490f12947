"""Who may do what: the one place that says so, for every channel, page, command and route (rules 2, 6 and 7).

Whether an answer counts is decided by the ballot; this says what can be known about an answer before.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from countersign.directory import Policy
from countersign.error_codes import ErrorCode
from countersign.errors import (
    DISABLED,
    NotAllowed,
    Refused,
    channel_not_allowed,
    confirmation_needed,
    counted_already,
    counted_at,
    not_asked,
    other_level,
    own_request,
    reason_needed,
)
from countersign.kinds import kind_of
from countersign.models import (
    GATEWAY,
    NO_SCOPE,
    PROVISIONING,
    SERVICE,
    ChannelUse,
    Confirm,
    Question,
    Scope,
    Status,
    Verdict,
)
from countersign.notifications import ProposedAnswer
from countersign.views import Explained, RequestView
from countersign.visibility import Visibility

# An approval that needs a fresh sign-in, or confirmation that it is them, counts for this long after it.
CONFIRMED_FOR = timedelta(minutes=5)


class Action(StrEnum):
    """What may be done to a request, besides answering it."""

    CANCEL = "cancel"
    REVOKE = "revoke"
    GIVE_BACK = "give back"
    INQUIRE = "ask the requester about"
    COMMENT = "comment on"


@dataclass(frozen=True)
class Principal:
    """Who calls: a person, by id; `gateway:<name>`, which asks for what is in its `scope`; or a machine, by credential.

    A machine registers itself, and may do nothing else.
    """

    name: str
    enabled: bool = True
    admin: bool = False
    # An admin by their token, whatever the policy says.
    appointed: bool = False
    scope: Scope = NO_SCOPE
    # The requests that it joined while they waited, as far as that was looked up.
    joined: frozenset[int] = frozenset()
    # The requests that it opened and that nobody else asked for, as far as that was looked up.
    asked_alone: frozenset[int] = frozenset()

    @property
    def is_person(self) -> bool:
        """Whether it is a person."""
        return not (self.is_gateway or self.is_machine)

    @property
    def is_gateway(self) -> bool:
        """Whether it is a gateway."""
        return self.name.startswith(GATEWAY)

    @property
    def is_machine(self) -> bool:
        """Whether it is a machine, by its service token or provisioning key."""
        return self.name.startswith((SERVICE, PROVISIONING))


def principal(policy: Policy, name: str, appointed: bool = False) -> Principal:
    """A person of the directory, or a gateway."""
    return as_of(policy, Principal(name, appointed=appointed))


def as_of(policy: Policy, who: Principal) -> Principal:
    """The same principal by this policy: somebody disabled since they were identified may do nothing (rule 6)."""
    if who.is_gateway:
        return who
    enabled = policy.enabled(who.name)
    return replace(who, enabled=enabled, admin=enabled and (who.appointed or policy.is_admin(who.name)))


def must_be_allowed(who: Principal, action: Action, request: RequestView) -> None:
    """Raise NotAllowed, which names who may, if this principal may not do this."""
    if why := why_not(who, action, request):
        raise why


def why_not(who: Principal, action: Action, request: RequestView) -> NotAllowed | None:
    """Why somebody may not do this to a request.

    None if they may. Whether it would change anything is not checked.
    """
    if not who.enabled:
        return disabled()
    if _may(who, action, request):
        return None
    return NotAllowed(_who_may(who, action, request), ErrorCode.NOT_THEIRS, approval_id=request.approval_id)


def disabled() -> NotAllowed:
    """The refusal for somebody who was disabled, on every channel (rule 6)."""
    return NotAllowed(DISABLED, ErrorCode.DISABLED_PERSON)


def must_be_person(who: Principal) -> None:
    """Raise NotAllowed for a gateway or machine."""
    if not who.is_person:
        raise NotAllowed("A gateway's token asks and reads; this needs a person's token.", ErrorCode.PERSON_ONLY)


def must_be_admin(who: Principal) -> None:
    """Raise NotAllowed unless this is an admin."""
    if not (who.enabled and who.admin):
        raise admin_only()


def admin_only() -> NotAllowed:
    """The refusal of what only admins may do."""
    return NotAllowed("Only an admin may do this.", ErrorCode.ADMIN_ONLY)


def may_end(who: Principal, owner: str) -> bool:
    """Whether they may end a session or token of this owner: people end their own, admins everybody's."""
    return (who.enabled and who.admin) or (who.is_person and who.name == owner)


def visible_to(who: Principal) -> Visibility:
    """What they may see: an admin everything, a person what they made or were asked about, a gateway its scope."""
    if not who.enabled or who.is_machine:
        return Visibility()
    if who.is_gateway:
        return Visibility(scope=who.scope)
    return Visibility(everything=who.admin, person=who.name)


def why_not_ask(who: Principal, question: Question) -> NotAllowed | None:
    """Why somebody may not ask this: a person asks for themselves, an admin for all, a gateway in its scope.

    A disabled person who asks for themselves is not refused here but by the rules, on record.
    """
    if not who.enabled and who.name != question.requester:
        return disabled()
    if not who.is_gateway:
        if question.requester == who.name or who.admin:
            return None
        message = f"This token can ask only for {who.name}; leave the requester out."
        return NotAllowed(message, ErrorCode.OTHER_REQUESTER, requester=question.requester)
    return kind_of(question).why_not_in(who.name.removeprefix(GATEWAY), who.scope, question.subject)


def may_ask_for(who: Principal, target: str, variant: str) -> bool:
    """Whether they may ask for such subjects at all: a gateway for those in its scope, a person for all."""
    return who.enabled and (who.is_person or who.scope.includes(target, variant))


def must_be_gateway(who: Principal) -> None:
    """Raise NotAllowed unless this is a gateway, as only gateways redeem routing tokens."""
    if not who.is_gateway:
        raise NotAllowed("Only a gateway's token redeems routing tokens.")


def why_not_connect(who: Principal, approval_id: int, requester: str) -> NotAllowed | None:
    """Why somebody may not connect by the grant of a request; None for its requester."""
    if not who.enabled:
        return disabled()
    if who.name == requester:
        return None
    return NotAllowed(f"Only the requester of #{approval_id} may connect with it.", ErrorCode.NOT_THEIRS)


def why_not_explain(who: Principal, mail: Explained) -> NotAllowed | None:
    """Why somebody may not have a mail explained: they would learn other people's addresses and tokens.

    A person may if its sender and the token in it are theirs or missing; an admin always may.
    """
    is_own = mail.token_of in ("", who.name) and (mail.sender == who.name or not mail.has_sender)
    if who.enabled and (who.admin or (who.is_person and is_own)):
        return None
    message = (
        "This mail is not from your address, or holds the token of somebody else's copy; ask an admin to explain it."
    )
    return NotAllowed(message, ErrorCode.OTHER_MAIL)


class AnswerTerms(Protocol):
    """On what terms a request may be answered: both its route and the view of it have them."""

    @property
    def channels(self) -> Mapping[str, ChannelUse]:
        """What each channel of the policy may be used for."""

    @property
    def confirm(self) -> Confirm:
        """How an approver has to prove who they are."""

    @property
    def rejection_needs_reason(self) -> bool:
        """Whether a rejection counts only with a comment."""


def may_decide_by(channel: str, terms: AnswerTerms) -> bool:
    """Whether answers by this channel may decide; the policy has to name it."""
    return terms.channels.get(channel) == "decide"


def why_not_answer(who: Principal, request: RequestView, answer: ProposedAnswer) -> Refused | None:
    """Why this answer could not count, as the request is now; None if it may."""
    number = request.approval_id
    if why := _why_no_approver(who):
        return why
    if request.status is not Status.WAITING:
        return request.ended()
    if who.name == request.question.requester:
        return own_request()
    if who.name not in {one.person for one in request.approvers if one.level == answer.level}:
        return not_asked(number)
    mine = [one for one in request.decisions if (one.person, one.level) == (who.name, answer.level)]
    if answer.level != request.level:
        states = {"lapsed" if one.lapsed else "accepted" for one in mine}
        passed = why_not_at_passed_level(number, request.level, answer, states)
    else:
        counted = any(one.verdict is answer.verdict and not one.lapsed for one in mine)
        passed = counted_already(answer.level) if counted else None
    return why_never(who, number, request, answer) or passed


def why_never(who: Principal, approval_id: int, terms: AnswerTerms, answer: ProposedAnswer) -> Refused | None:
    """Why this answer can't count, whatever happens to the request; None if it may."""
    if why := _why_no_approver(who):
        return why
    if not (answer.signed_in or may_decide_by(answer.channel, terms)):
        return channel_not_allowed(approval_id, answer.channel)
    if answer.verdict is Verdict.APPROVE and terms.confirm and not answer.confirmed:
        return confirmation_needed(approval_id)
    is_unexplained = answer.comment is not None and not answer.comment.strip()
    if answer.verdict is Verdict.REJECT and terms.rejection_needs_reason and is_unexplained:
        return reason_needed(approval_id)
    return None


def _why_no_approver(who: Principal) -> Refused | None:
    """Why no answer of theirs can count: only enabled people may answer."""
    return None if who.enabled and who.is_person else Refused(DISABLED, ErrorCode.DISABLED_PERSON)


def why_not_at_passed_level(
    approval_id: int, at_level: int, answer: ProposedAnswer, states: Collection[str]
) -> Refused | None:
    """Why an answer to a level that was passed can't count; None if it takes an approval back (rule 2).

    `states` are the states of their answers to that level, without the refused ones.
    """
    if answer.verdict is Verdict.REJECT and states:
        return None
    return (counted_at if "accepted" in states else other_level)(approval_id, answer.level, at_level)


def _may(who: Principal, action: Action, request: RequestView) -> bool:
    is_requester = who.name == request.question.requester
    if action is Action.CANCEL:
        return is_requester or who.admin or (who.is_gateway and request.approval_id in who.asked_alone)
    if action is Action.COMMENT:
        return is_requester
    is_asked = who.name in {one.person for one in request.approvers}
    if action is Action.INQUIRE:
        return is_asked and not is_requester
    if action is Action.REVOKE:
        return who.admin or is_asked
    asked = who.name == request.asked_by or request.approval_id in who.joined
    return is_requester or (who.is_gateway and asked)


def _who_may(who: Principal, action: Action, request: RequestView) -> str:
    number, requester = request.approval_id, request.requester_name
    if action is Action.CANCEL:
        alone = (
            " A gateway may cancel only what it opened itself, if nobody else asked for it." if who.is_gateway else ""
        )
        return f"Only {requester} or an admin may cancel #{number}.{alone}"
    if action is Action.REVOKE:
        instead = " You may give it back." if who.name == request.question.requester else ""
        return f"Only an approver of #{number} or an admin may revoke it.{instead}"
    if action is Action.INQUIRE:
        return f"Only an approver of #{number} may ask {requester} about it."
    if action is Action.COMMENT:
        return f"Only {requester} may comment on #{number}."
    return (
        f"Only {requester}, or a gateway that asked for #{number}, may give it back; "
        "an approver or an admin may revoke it."
    )
