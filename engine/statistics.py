"""How long decisions take, how requests end, who is slow to answer, and why replies did not count."""

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row

from countersign.directory import Policy
from countersign.models import Status
from countersign.times import SECOND
from countersign.views import Durations, Overview, RefusalCount, Response
from store import Store
from store.audit import WantedEvents
from store.database import reads
from store.statistics import Counted, counted_since
from store.views import principal_name

# How many of the newest refused answers are looked at, and how many people are named.
MOST_REFUSALS = 500
MOST_PEOPLE = 20
NUMBER = re.compile(r"#\d+")
BY_PEOPLE = {Status.APPROVED, Status.REJECTED}


@reads
def overview_of(store: Store, days: int) -> Overview:
    """The overview of the last `days` days."""
    since = datetime.now(UTC) - timedelta(days=days)
    counted, policy = counted_since(store.database, since), store.reading.policy()
    refused, _ = store.audit.page(WantedEvents(kind="answer_refused", since=since, limit=MOST_REFUSALS))
    outcomes = Counter(one.status for one in counted.requests)
    reasons = Counter((one.channel, one.proof.get("code") or NUMBER.sub("#…", one.detail)) for one in refused)
    return Overview(
        days=days,
        requests=len(counted.requests),
        is_partial=counted.is_partial,
        outcomes={status: outcomes[status] for status in Status},
        by_user_group=_durations(_by_user_group(counted, policy)),
        by_device_group=_durations(_by_device_group(counted, policy)),
        by_channel=_durations(_by_channel(counted)),
        people=_responses(counted, policy),
        refusals=[RefusalCount(channel=c, reason=why, count=n) for (c, why), n in reasons.most_common()],
    )


def _decided(counted: Counted) -> Iterator[tuple[Row[Any], float]]:
    """The requests that people decided, each with how many seconds that took."""
    for one in counted.requests:
        if one.status in BY_PEOPLE and counted.answers.get(one.approval_id):
            yield one, _seconds(one.opened_at, one.settled_at)


def _by_user_group(counted: Counted, policy: Policy) -> Iterator[tuple[str, float]]:
    return ((group, took) for one, took in _decided(counted) for group in policy.groups_of(one.requester))


def _by_device_group(counted: Counted, policy: Policy) -> Iterator[tuple[str, float]]:
    return ((group, took) for one, took in _decided(counted) if (group := policy.group_with(one.target)))


def _by_channel(counted: Counted) -> Iterator[tuple[str, float]]:
    """The channel of the answer that decided."""
    return ((counted.answers[one.approval_id][-1].channel, took) for one, took in _decided(counted))


def _durations(each: Iterable[tuple[str, float]]) -> list[Durations]:
    found: dict[str, list[float]] = defaultdict(list)
    for name, took in each:
        found[name].append(took)
    made = [Durations(name=name, count=len(took), **_middle(took)) for name, took in found.items()]
    return sorted(made, key=lambda one: one.median_seconds, reverse=True)


def _responses(counted: Counted, policy: Policy) -> list[Response]:
    """Who was asked, the slowest first: before all others, those who let requests expire and never answered."""
    took: dict[str, list[float]] = defaultdict(list)
    approvers = counted.asked
    asked = Counter(
        who for one in counted.requests for who in {each.person for each in approvers.get(one.approval_id, ())}
    )
    let_expire = Counter[str]()
    for one in counted.requests:
        answers = counted.answers.get(one.approval_id, [])
        for answer in answers:
            took[answer.person].append(_seconds(_level_began(one, answers, answer.level), answer.at))
        if one.status == Status.EXPIRED:
            last = {each.person for each in approvers.get(one.approval_id, ()) if each.level == one.level}
            let_expire.update(last - {answer.person for answer in answers if answer.level == one.level})
    made = [
        Response(
            person=person,
            name=principal_name(policy, person),
            asked=times,
            answered=len(took[person]),
            let_expire=let_expire[person],
            **_middle(took[person]),
        )
        for person, times in asked.items()
    ]
    return sorted(made, key=_slowness, reverse=True)[:MOST_PEOPLE]


def _slowness(one: Response) -> tuple[bool, float, int]:
    return not one.answered and one.let_expire > 0, one.median_seconds, one.let_expire


def _level_began(request: Row[Any], answers: Iterable[Row[Any]], level: int) -> datetime:
    """A level begins with the answer that passed the one before."""
    opened_at: datetime = request.opened_at
    return max((one.at for one in answers if one.level < level), default=opened_at)


def _middle(took: list[float]) -> Mapping[str, Any]:
    """The median, and the 90th percentile."""
    if len(took) < 2:
        return dict.fromkeys(("median_seconds", "p90_seconds"), took[0] if took else 0.0)
    p90 = statistics.quantiles(took, n=10, method="inclusive")[-1]
    return {"median_seconds": statistics.median(took), "p90_seconds": p90}


def _seconds(start: datetime, end: datetime) -> float:
    # The clocks of two machines may differ.
    return max(0.0, (end - start) / SECOND)
