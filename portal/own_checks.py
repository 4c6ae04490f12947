"""The portal's own checks: database, Temporal, workers and their clocks, channels, answers, inboxes, certificates."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal

from countersign.checks import Check
from countersign.directory import CHANNELS, Policy
from countersign.errors import NotFound
from countersign.policy.channels import channels_on
from countersign.policy.check import channel_meant
from countersign.times import moment
from countersign.views import Finding
from engine.heartbeat import DEAD_AFTER, living_workers
from engine.upkeep import difference_message
from portal.context import Context
from store.clock import apart, read_clock
from store.unanswered import unanswered
from store.workers import Worker

NO_WORKER = (
    "none has given a sign of life for {:.0f} seconds at task queue {}: start one (`python worker.py`), with the same "
    "settings; until then requests and answers wait"
)
ELSEWHERE = (
    "runs, and says so in the database, but not at task queue {} of namespace {}: give worker and portal the same "
    "TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and COUNTERSIGN_TASK_QUEUE"
)
NO_CHANNEL = (
    "no worker can send by {0}, which the policy uses, so that nobody is reached by it: give the workers its settings "
    "(docs/settings.md), or write `{0}: off` in the policy"
)
NOT_A_CHANNEL = "{0}, which the policy uses, is not a channel, so that nobody is reached by it; {1}"
NO_ANSWER = (
    "was asked about {} requests by {}, has never answered, and nothing came back; see that it arrives (their address "
    "in the policy, a spam filter), or ask them"
)
QUARANTINED = (
    "its quarantine holds messages of the last seven days that could not be read and decided nothing: {} (the latest: "
    "{}); check whether an answer is among them"
)
OVER = "has expired, {}: upload its new certificate on the page Certificates, and remove this one"
OUT_OF_DATE = (
    "its revocation list has been out of date since {}, so that no certificate of it is valid: upload the newest "
    "(`countersign certificate-authority revocation-list FILE`)"
)
QUARANTINE_SHOWN = timedelta(days=7)
# Somebody who was asked more recently may not have got to it yet.
LONG_ENOUGH = timedelta(hours=1)
NO_WRITING = "nothing can be written: see that its disk is not full and that it is not read-only; the log says more"


def own_checks(context: Context) -> list[Check]:
    """The checks of what the portal itself needs."""
    return [
        Check("database", "database", partial(_database, context)),
        Check("Temporal", "server", partial(_temporal, context)),
        Check("Temporal", "worker", partial(_worker, context)),
        Check("policy", "channels", partial(_channels_used, context)),
        Check("people", "answers", partial(_unanswered, context)),
        Check("inbox", "quarantine", partial(_quarantined, context)),
        Check("certificates", "authorities", partial(_authorities, context)),
    ]


async def _database(context: Context, _: Policy | None) -> list[Finding]:
    """Whether it answers and accepts writes, and whether its clock agrees with ours."""
    clock = await context.run(read_clock, context.store.database)
    if not await context.writable():
        return [_finding("database", "problem", "database", NO_WRITING)]
    well = _finding("database", "ok", "database", "can be read and written")
    return [well, *_too_far("the portal", clock.ahead, "the database")]


async def _temporal(context: Context, _: Policy | None) -> list[Finding]:
    await context.client.check()
    return [_finding("Temporal", "ok", "server", "can be reached")]


async def _worker(context: Context, _: Policy | None) -> list[Finding]:
    """Whether a worker is alive and answers through Temporal, and whether its clock, ours and Temporal's agree."""
    workers = await context.run(living_workers, context.store, context.client.task_queue)
    if not workers:
        said = NO_WORKER.format(DEAD_AFTER.total_seconds(), context.client.task_queue)
        return [_finding("Temporal", "problem", "worker", said)]
    wrong = [far for one in workers for far in _too_far(one.host, timedelta(seconds=one.ahead_seconds), "the database")]
    before = datetime.now(UTC)
    try:
        time = await context.client.server_time()
    except NotFound:
        said = ELSEWHERE.format(context.client.task_queue, context.client.namespace)
        return [_finding("Temporal", "problem", "worker", said), *wrong]
    wrong += _too_far("the portal", apart(time, before, datetime.now(UTC)), "Temporal")
    works = [_finding("Temporal", "ok", "worker", f"{one.host} works, {_channels(one)}") for one in workers]
    return [*works, *wrong]


async def _channels_used(context: Context, policy: Policy | None) -> list[Finding]:
    """Whether a worker can send by each channel that the policy uses, even if the policy was applied long ago."""
    workers = await context.run(living_workers, context.store, context.client.task_queue)
    if policy is None or not workers:
        return []
    set_up = {name for one in workers for name in one.channels}
    return [
        _finding("policy", "problem", name, _why_missing(name)) for name in channels_on(policy) if name not in set_up
    ]


async def _unanswered(context: Context, policy: Policy | None) -> list[Finding]:
    """Who may never have seen what was sent to them: it was accepted, nothing came back, and they never answered."""
    found = await context.run(unanswered, context.store.database, datetime.now(UTC) - LONG_ENOUGH)
    return [
        _finding("people", "warning", one.person, NO_ANSWER.format(one.requests, one.channel))
        for one in found
        if policy is not None and policy.enabled(one.person)
    ]


async def _quarantined(context: Context, _: Policy | None) -> list[Finding]:
    """The inboxes whose quarantine has messages of the last week that can't be read."""
    found = await context.run(context.store.inboxes.quarantined, datetime.now(UTC) - QUARANTINE_SHOWN)
    return [_finding("inbox", "warning", inbox, QUARANTINED.format(*more)) for inbox, *more in found]


async def _authorities(context: Context, _: Policy | None) -> list[Finding]:
    """The authorities of client certificates that have expired, or whose revocation list is out of date."""
    now = datetime.now(UTC)
    found = await context.run(context.store.certificates.authorities)
    ended = [(one.name, OVER.format(moment(one.ends_at))) for one in found if one.ends_at <= now]
    lists = [(one.name, one.revocation_list.ends_at) for one in found if one.revocation_list]
    ended += [(name, OUT_OF_DATE.format(moment(ends_at))) for name, ends_at in lists if ends_at <= now]
    return [_finding("certificates", "problem", name, said) for name, said in ended]


def _why_missing(channel: str) -> str:
    return NO_CHANNEL.format(channel) if channel in CHANNELS else NOT_A_CHANNEL.format(channel, channel_meant(channel))


def _channels(worker: Worker) -> str:
    return f"sends by {' and '.join(worker.channels)}" if worker.channels else "can send by no channel"


def _too_far(whose: str, ahead: timedelta, other: str) -> list[Finding]:
    said = difference_message(ahead, other)
    return [_finding("clock", "problem", whose, said)] if said else []


def _finding(part: str, state: Literal["ok", "warning", "problem"], about: str, said: str) -> Finding:
    return Finding(part=part, state=state, about=about, message=said)
