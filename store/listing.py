"""Finds the requests of one page of a list, at a cost that does not depend on how many requests there are.

A page is read backwards along one index: that of a status, a requester, an approver, a device, Active grants, or what
somebody may see; for a small group, along that of each of its members. If other conditions, such as a text, may leave
rows out, at most MOST_READ rows are read; such a page ends early and says where to go on.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, select, text, union

from countersign.directory import Policy
from countersign.models import Status
from countersign.visibility import Visibility
from store.filters import Filters, devices_of
from store.grants import IS_ACTIVE
from store.index_paths import NOTHING, NUMBER, Part, Path
from store.tables import approvers, grants, requests
from store.visibility import condition, is_asked

# The longest page of requests; reading it takes some 20 milliseconds.
LONGEST_LIST = 100
# The most rows read for a page; looking for a text in them takes some 10 milliseconds.
MOST_READ = 1_000
# A group of at most this many members is read along an index for each of them.
FEW = 20
# Above every number: the largest that every JSON reader keeps exactly.
NO_NUMBER = 2**53
EVERYTHING = Visibility(everything=True)
NO_FILTERS = Filters()


@dataclass(frozen=True)
class Wanted:
    """The newest requests that match all that is given: status, requester, approver, and who may see them.

    Only those with a number below `before` that pass the filters; with `has_active_grant`, whose grant is Active.
    """

    status: Status | None = None
    requester: str = ""
    approver: str = ""
    visibility: Visibility = EVERYTHING
    before: int = NO_NUMBER
    limit: int = 50
    filters: Filters = NO_FILTERS
    has_active_grant: bool = False


def numbers_of(connection: Connection, wanted: Wanted, policy: Policy) -> tuple[Select[Any], int]:
    """The query for the numbers of a page, newest first, and the number down to which it reads: 0 for all there are."""
    if _is_gateways(wanted):
        return _of_scope(connection, wanted), 0
    conditions = _conditions(wanted, policy)
    paths, covered = _paths(wanted, policy)
    left = [condition for name, condition in conditions.items() if name not in covered]
    most = MOST_READ // sum(len(path.values) or 1 for path in paths)
    part = Part(wanted.before, most, connection.dialect.name == "sqlite")
    down_to = _down_to(connection, paths, part) if left else 0
    pages = [path.read(part, down_to, left, wanted.limit) for path in paths]
    return (pages[0] if len(pages) == 1 else _either(pages, wanted.limit)), down_to


def goes_on(wanted: Wanted, found: Sequence[int], down_to: int) -> int | None:
    """The `before` of the next page; None if there is none."""
    return (found[-1] if len(found) >= wanted.limit else down_to) or None


def _conditions(wanted: Wanted, policy: Policy) -> dict[str, ColumnElement[bool]]:
    """All conditions that a request has to fulfil, by name."""
    found = wanted.filters.conditions(policy)
    if wanted.status:
        found["status"] = requests.c.status == wanted.status
    if wanted.requester:
        found["requester"] = requests.c.requester == wanted.requester
    if wanted.approver:
        found["approver"] = is_asked(wanted.approver)
    if wanted.has_active_grant:
        found["active grant"] = exists().where(grants.c.approval_id == NUMBER, IS_ACTIVE)
    visibility = wanted.visibility
    if not (visibility.everything or visibility.person in {wanted.requester, wanted.approver} - {""}):
        found["visibility"] = condition(visibility)
    return found


def _paths(wanted: Wanted, policy: Policy) -> tuple[list[Path], set[str]]:
    """Along which indexes a page is read, and which of the conditions all their rows fulfil."""
    status, visibility, filters = wanted.status, wanted.visibility, wanted.filters
    if visibility.is_empty:
        return [NOTHING], {*_conditions(wanted, policy)}
    if wanted.requester and wanted.has_active_grant:
        # These are few, however many requests the person made before.
        held = [IS_ACTIVE, grants.c.requester == wanted.requester]
        return [Path(grants.c.approval_id, prefix=held)], {"requester", "active grant"}
    if wanted.requester and status:
        made = [requests.c.requester == wanted.requester]
        return [Path(NUMBER, requests.c.status, [status], prefix=made)], {"requester", "status"}
    if wanted.requester:
        return [_made_by(wanted.requester)], {"requester"}
    if filters.device:
        return [_for_device(filters.device)], {"device"}
    if wanted.has_active_grant:
        return [Path(grants.c.approval_id, prefix=[IS_ACTIVE])], {"active grant"}
    if status is Status.WAITING:
        return [Path(NUMBER, requests.c.status, [status])], {"status"}
    if wanted.approver:
        return [_asked_of(wanted.approver)], {"approver"}
    if filters.person:
        return [_made_by(filters.person), _asked_of(filters.person)], {"person"}
    if visibility.person and not visibility.everything:
        return [_made_by(visibility.person), _asked_of(visibility.person)], {"visibility"}
    return _paths_of_groups(wanted, policy)


def _paths_of_groups(wanted: Wanted, policy: Policy) -> tuple[list[Path], set[str]]:
    """The same by the members of a small group, or else by the status, or along all requests."""
    status, filters = wanted.status, wanted.filters
    if filters.user_group and len(members := policy.members_of(filters.user_group)) <= FEW:
        return [_made_by(*members) if members else NOTHING], {"user_group"}
    if filters.device_group and len(devices := devices_of(policy, filters.device_group)) <= FEW:
        return [_for_device(*devices) if devices else NOTHING], {"device_group"}
    if status:
        return [Path(NUMBER, requests.c.status, [status])], {"status"}
    return [Path()], set()


def _for_device(*devices: str) -> Path:
    return Path(NUMBER, requests.c.target, devices)


def _made_by(*people: str) -> Path:
    return Path(NUMBER, requests.c.requester, people)


def _asked_of(person: str) -> Path:
    # Somebody asked at several levels has several rows: only that of the lowest level is read.
    lower = approvers.alias()
    same = lower.c.approval_id == approvers.c.approval_id, lower.c.person == approvers.c.person
    again = exists().where(*same, lower.c.level < approvers.c.level)
    return Path(approvers.c.approval_id, approvers.c.person, [person], but=[~again])


def _down_to(connection: Connection, paths: Sequence[Path], part: Part) -> int:
    """The number down to which a part of all paths is read."""
    return max(number or 0 for number in connection.execute(select(*(path.end(part) for path in paths))).one())


def _either(several: Sequence[Select[Any]], limit: int) -> Select[Any]:
    """The newest of what several find, each by its own index."""
    found = union(*(select(one.subquery().c.approval_id) for one in several)).subquery()
    return select(found.c.approval_id).order_by(found.c.approval_id.desc()).limit(limit)


def _is_gateways(wanted: Wanted) -> bool:
    """Whether it is everything that a gateway sees, not narrowed by anything else."""
    visibility = wanted.visibility
    by_one = wanted.status or wanted.requester or wanted.approver or wanted.has_active_grant
    narrowed = by_one or wanted.filters != NO_FILTERS
    own = visibility.everything or visibility.person or visibility.is_empty
    return not narrowed and not own


# A page of N requests needs at most the N pairs of a target and a variant (`device` and `protocol` in the database)
# whose newest requests are the newest, and at most the N newest requests of each.
OF_PAIR = """
SELECT approval_id FROM requests
WHERE device = {pair}.device AND (protocol, approval_id) < ({pair}.protocol, :before) AND protocol >= {pair}.protocol
ORDER BY protocol DESC, approval_id DESC LIMIT {limit}
"""
OF_SCOPE = """
WITH pairs AS (
    SELECT d.value AS device, p.value AS protocol FROM {targets} AS d CROSS JOIN {variants} AS p
), newest AS (
    SELECT device, protocol FROM pairs ORDER BY ({newest}) DESC NULLS LAST LIMIT :limit
) SELECT found.approval_id FROM newest {found} ORDER BY found.approval_id DESC LIMIT :limit
"""
NEWEST_OF_PAIR = OF_PAIR.format(pair="pairs", limit=1)
OF_NEWEST = OF_PAIR.format(pair="newest", limit=":limit")
SQLITE = OF_SCOPE.format(
    targets="json_each(:targets)",
    variants="json_each(:variants)",
    newest=NEWEST_OF_PAIR,
    found=f"JOIN requests AS found ON found.approval_id IN ({OF_NEWEST})",
)
POSTGRES = OF_SCOPE.format(
    targets="json_array_elements_text(CAST(:targets AS json))",
    variants="json_array_elements_text(CAST(:variants AS json))",
    newest=NEWEST_OF_PAIR,
    found=f"CROSS JOIN LATERAL ({OF_NEWEST}) AS found",
)


def _of_scope(connection: Connection, wanted: Wanted) -> Select[Any]:
    statement = text(SQLITE if connection.dialect.name == "sqlite" else POSTGRES)
    scope = {name: json.dumps(sorted(values)) for name, values in wanted.visibility.scope}
    bound = statement.bindparams(**scope, before=wanted.before, limit=wanted.limit)
    return select(bound.columns(NUMBER).subquery().c.approval_id)
