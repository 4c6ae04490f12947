"""What applying a policy would change: in the policy in force, and for requests and grants that are open."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from countersign.directory import Policy
from countersign.errors import Refused
from countersign.kinds import AnyQuestion
from countersign.kinds.routes import route_of
from countersign.models import Answer, Model, Verdict
from countersign.policy.changes import Item, Part, changes
from countersign.policy.route import people
from countersign.times import duration
from countersign.who_approves import NOW, preview_ballot

LOSES_ADMIN = "You would no longer be an admin: another admin would have to apply the next policy."
NOTHING = "Nothing changes but the text."


class Waiting(Model):
    """A request that waits."""

    approval_id: int
    requester: str
    what: str


class ActiveGrant(Model):
    """A grant that lasts: for what, for how long in all, and who approved it."""

    approval_id: int
    question: AnyQuestion
    lasts: timedelta
    approved_by: list[str] = []


class PolicyPlan(Model):
    """What applying a policy would do. `version` is the one in force that it would replace; 0 for none.

    `warnings` name what is allowed, but won't work as this installation is set up now, or is surely not intended.
    """

    version: int
    parts: list[Part]
    warnings: list[str] = []
    author_loses_admin: bool = False

    @property
    def takes_away(self) -> bool:
        """Whether anybody loses anything by it."""
        return self.author_loses_admin or any(part.takes_away for part in self.parts)


def plan(
    version: int,
    old: Policy | None,
    new: Policy,
    waiting: Iterable[Waiting],
    grants: Sequence[ActiveGrant],
    end_grants: bool,
) -> PolicyPlan:
    """The plan for a new policy, given what is open now. `end_grants`: the grants that it would not give are to end."""
    empty = Policy(users={})
    of_disabled = [one for one in grants if not new.enabled(one.question.requester)]
    cancelled = [
        Item(name=one.requester, description=one.what, approval_id=one.approval_id)
        for one in waiting
        if not new.enabled(one.requester)
    ]
    revoked = [
        Item(name=one.question.requester, description=str(one.question.subject), approval_id=one.approval_id)
        for one in of_disabled
    ]
    not_given = [
        Item(name=one.question.requester, description=f"{one.question.subject}: {why}", approval_id=one.approval_id)
        for one, why in not_given_by(new, grants)
    ]
    parts = [
        *changes(old or empty, new),
        *Part.of("requests_cancelled", cancelled, takes_away=True),
        *Part.of("grants_revoked", revoked, takes_away=True),
        *Part.of("grants_not_given", not_given, takes_away=end_grants),
    ]
    return PolicyPlan(version=version, parts=parts)


def not_given_by(policy: Policy, grants: Iterable[ActiveGrant]) -> list[tuple[ActiveGrant, str]]:
    """The grants of enabled people that this policy would not give, each with the reason."""
    checked = ((one, why_not(policy, one)) for one in grants if policy.enabled(one.question.requester))
    return [(one, why) for one, why in checked if why]


def to_end(policy: Policy, grants: Iterable[ActiveGrant]) -> list[tuple[int, str]]:
    """The approval ids of the same grants, each with the reason, as they are stored to be ended."""
    return [(one.approval_id, why) for one, why in not_given_by(policy, grants)]


def why_not(policy: Policy, grant: ActiveGrant) -> str:
    """Why a policy would not give this grant with the approvals that it had; empty if it would."""
    question = grant.question
    try:
        by = route_of(policy, question.model_copy(update={"minutes": None}))
    except Refused as error:
        return str(error)
    if grant.lasts > by.grant_lasts:
        return f"It lasts {duration(grant.lasts)}; {duration(by.grant_lasts)} is the most."
    ballot = preview_ballot(by, by.levels, question.requester, grant.approval_id)
    for n in range(1, len(by.levels) + 1):
        ballot.start_level(people(policy, by, n, question.requester), NOW)
        for person in grant.approved_by:
            answer = _approval(grant, person, n)
            if not ballot.level_passed and ballot.judge(answer) is None:
                ballot.count(answer)
        if not ballot.level_passed:
            return f"Level {n} needs {ballot.quorum}, and {len(ballot.approved_by)} approved who may ({by.because})."
    return ""


def _approval(grant: ActiveGrant, person: str, level: int) -> Answer:
    return Answer(
        id=f"{person}.{level}",
        approval_id=grant.approval_id,
        level=level,
        person=person,
        verdict=Verdict.APPROVE,
        channel="",
        at=NOW,
    )
