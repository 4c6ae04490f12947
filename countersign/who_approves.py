"""Who would have to approve a question, and why, as the policy is now: rules 1 to 4, before anybody is asked."""

from datetime import UTC, datetime
from typing import Literal

from countersign.ballot import Ballot
from countersign.directory import Policy
from countersign.errors import Refused
from countersign.kinds.routes import route_of
from countersign.models import Approver, Confirm, LevelRule, Model, Question, Route, SentAsWords
from countersign.policy.route import level_without_people, people
from countersign.times import SECOND

# Any moment will do: nothing expires while it is worked out who is asked, or who has approved.
NOW = datetime(2000, 1, 1, tzinfo=UTC)
MOST_NAMES = 5
OWN_COUNTS = "the requester's own approval is counted"


class LevelPreview(Model):
    """One level: how many must agree, and who would be asked, including fallback approvers if they are needed.

    `own_approval`: the requester's own approval would be counted (rule 3).
    """

    level: int
    quorum: int
    asked: list[Approver]
    own_approval: bool = False

    @property
    def needed(self) -> int:
        """How many of those who are asked must agree."""
        return self.quorum - self.own_approval if self.asked else 0


class WhoApproves(Model):
    """Who would have to agree to a question if it was asked now, and why.

    `outcome`: it waits for people; it is approved or rejected at once; or it is refused, so that no request is opened.
    `confirm` is `sign_in_again` if an approval counts only after a fresh sign-in.
    """

    requester: str
    requester_name: str = ""
    outcome: Literal["waits", "approved", "rejected", "refused"]
    message: SentAsWords
    because: str = ""
    levels: list[LevelPreview] = []
    confirm: Confirm = ""
    expires_seconds: int = 0
    grant_seconds: int = 0


def who_approves(policy: Policy, question: Question) -> WhoApproves:
    """Who would have to approve this question, if it was asked now.

    Open requests and grants that last are ignored (rule 10).
    """
    requester = question.requester
    name = policy.users[requester].name if requester in policy.users else ""
    try:
        route = route_of(policy, question)
    except Refused as error:
        return WhoApproves(requester=requester, requester_name=name, outcome="refused", message=str(error))
    found = WhoApproves(
        requester=requester,
        requester_name=name,
        outcome="waits",
        message="",
        because=route.because,
        levels=[_level(policy, route, n, requester) for n in range(1, len(route.levels) + 1)],
        confirm=route.confirm,
        expires_seconds=route.expires_after // SECOND,
        grant_seconds=route.grant_lasts // SECOND,
    )
    if nobody_at := level_without_people(policy, route, requester):
        ballot = preview_ballot(route, route.levels, requester)
        ballot.give_up(nobody_at)
        found.outcome, found.message, found.levels = "rejected", ballot.message, []
    elif not any(level.asked for level in found.levels):
        found.outcome = "approved"
        found.message = f"Approved at once: {f'{OWN_COUNTS}; ' if route.levels else ''}{route.because}."
    else:
        found.message = f"{_who_must_agree(found.levels)}: {route.because}."
    return found


def _level(policy: Policy, route: Route, number: int, requester: str) -> LevelPreview:
    """One level as the ballot would start it, as if it was the only one."""
    rule = route.levels[number - 1]
    ballot = preview_ballot(route, [rule], requester)
    asked = ballot.start_level(people(policy, route, number, requester), NOW)
    return LevelPreview(level=number, quorum=rule.quorum, asked=asked, own_approval=bool(ballot.decisions))


def preview_ballot(route: Route, levels: list[LevelRule], requester: str, approval_id: int = 0) -> Ballot:
    """A ballot over these levels of a route at `NOW`, to see how it goes."""
    return Ballot(
        approval_id=approval_id,
        requester=requester,
        levels=levels,
        own_approval_counts=route.auto_approve_when_requester_is_approver,
        deadline=NOW + route.expires_after,
    )


def _who_must_agree(levels: list[LevelPreview]) -> str:
    """Such as `Grace must agree, then 2 of Heidi, Ivan and Ada`."""
    first, *rest = [_some_of(level) for level in levels if level.asked]
    return ", then ".join([f"{first} must agree", *rest])


def _some_of(level: LevelPreview) -> str:
    names = [one.name for one in level.asked[:MOST_NAMES]]
    if more := len(level.asked) - len(names):
        names.append(f"{more} more")
    if level.needed == len(level.asked):
        return _joined(names, "and")
    return _joined(names, "or") if level.needed == 1 else f"{level.needed} of {_joined(names, 'and')}"


def _joined(names: list[str], word: str) -> str:
    *others, last = names
    return f"{', '.join(others)} {word} {last}" if others else last
