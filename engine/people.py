"""Who is asked at a level, and who of them may no longer act or can't be reached (rules 2, 4 and 6)."""

from countersign.models import LevelPeople, Route
from countersign.policy import route as rules
from countersign.transitions import Availability, LevelStart, Recheck
from engine.part import EnginePart
from store import signals
from store.database import reads
from store.notifications import lost_of
from store.requests import request_row


class People(EnginePart):
    """The people of a request, by the directory as it is now. Each method is one transaction."""

    @reads
    def of_level(self, start: LevelStart) -> LevelPeople:
        """The people of a level, as the directory has them now."""
        with self.database.reading() as connection:
            row = request_row(connection, start.approval_id, start.run)
            _, policy = self.policies.in_force(connection)
            return rules.people(policy, Route.model_validate(row.route), start.level, row.requester)

    @reads
    def recheck(self, recheck: Recheck) -> Availability:
        """Who of these people may no longer act, or can't be reached on any channel."""
        with self.database.reading() as connection:
            row = request_row(connection, recheck.approval_id, recheck.run)
            version, policy = self.policies.in_force(connection)
            bounced = signals.people_with(connection, recheck.approval_id, "unreachable")
            lost = lost_of(connection, recheck.approval_id) | bounced
            away = signals.people_with(connection, recheck.approval_id, "away")
        nobody_at = 0
        if recheck.level is not None:
            route = Route.model_validate(row.route)
            nobody_at = rules.level_without_people(policy, route, row.requester, recheck.level + 1, lost)
        return Availability(
            requester_disabled=not policy.enabled(row.requester),
            why_disabled=rules.why_cannot_act(policy, version, row.requester),
            disabled=[one for one in recheck.people if not policy.enabled(one)],
            unreachable=[one for one in recheck.people if one in lost],
            away=[one for one in recheck.people if one in away],
            nobody_at=nobody_at,
        )
