"""The composition root of the worker: settings -> clients -> activities -> Temporal worker. Nobody imports it."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, NoReturn

import typer
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker, WorkflowRunner

import logs
from activities.background import BackgroundActivities, Listen
from activities.chores import Chore, repeating
from activities.requests import RequestActivities
from activities.transitions import TransitionActivities
from configuration import load, report
from countersign.checks import Check, findings, in_order
from countersign.cli.doctor import page, summary
from countersign.client import Client
from countersign.client.library import log_through_python
from countersign.console import show
from countersign.directory import Policy
from countersign.errors import BadSetting, CountersignError, Refused, Unavailable
from countersign.policy_reach import channels_on
from countersign.version import HELP_OPTIONS, VersionOption
from countersign.views import Finding
from engine.engine import Engine
from engine.outbox import Outbox
from garbage import collect_seldom
from notifiers import channels
from notifiers.base import Channel
from settings import Settings
from store import Store
from store.clock import apart, difference_message, read_clock
from store.database_errors import for_operators, is_lasting
from store.migrate import is_outdated
from store.retention import Kept, Retention
from store.tables import FIRST_APPROVAL_ID
from store.workers import HEARTBEAT_EVERY, this_worker
from workflows.background import BackgroundWork
from workflows.connection import ConnectionApproval
from workflows.grant import Grant

# A killed worker's workflows come back to another one after this (Temporal's own default is 10 s).
STICKY_TIMEOUT = timedelta(seconds=2)
# On SIGTERM, what an activity may still take to end.
GRACE = timedelta(seconds=5)
# Somebody may have ended the background work in Temporal.
KEEP_BACKGROUND_EVERY = timedelta(minutes=1)
COMPARE_CLOCKS_EVERY = timedelta(minutes=5)
# How often a running worker checks that Temporal still knows its namespace and accepts its key.
CHECK_TEMPORAL_EVERY = timedelta(seconds=10)
# How often a worker looks whether the record goes on, as a portal may have written a notification that a worker is to
# send.
NEW_NOTIFICATIONS_EVERY = timedelta(seconds=1)
# How often what is kept no longer is looked for, and in how many small transactions at most.
FORGET_EVERY = timedelta(minutes=10)
FORGET_AT_MOST = 500
# The exit codes where something can't be reached, and where a setting is wrong.
NOT_REACHED, WRONG_SETTING = 1, 2
OPEN = "ExecutionStatus = 'Running' AND TaskQueue = '{}'"
WORKFLOWS = [ConnectionApproval, Grant, BackgroundWork]

log = logging.getLogger("worker")


async def run(
    settings: Settings,
    stop: asyncio.Event,
    connected: Callable[[], None] = lambda: None,
    runner: WorkflowRunner = UnsandboxedWorkflowRunner(),  # noqa: B008 - it has no state
) -> None:
    """Work until `stop` is set.

    Entering Temporal's sandbox at each turn of a workflow costs a fifth of a worker's time, and would only tell at run
    time what the tests, which run and replay all workflows in it, tell before (docs/decisions/0010-speed.md).
    """
    async with AsyncExitStack() as closing:
        await _run(settings, stop, connected, runner, closing)


async def _run(
    settings: Settings,
    stop: asyncio.Event,
    connected: Callable[[], None],
    runner: WorkflowRunner,
    closing: AsyncExitStack,
) -> None:
    all_channels = channels(settings)
    senders = {one.name: one.sender() for one in all_channels if one.sender}
    live = {one.name: one.live() for one in all_channels if one.live}
    for sender in (*senders.values(), *live.values()):
        closing.push_async_callback(sender.close)
    store = await Store.open_when_up(settings.database_url, frozenset(live))
    closing.callback(store.close)
    client = await Client.connect_when_up(**_temporal(settings))
    connected()
    for warning in (each for one in all_channels for each in one.warnings):
        log.warning("%s", warning)
    outbox = Outbox(store, senders, live)
    closing.push_async_callback(outbox.close)
    engine = Engine(client, store, outbox, most_an_hour=settings.requests_an_hour)
    listen = _mailbox_listener(all_channels, store, engine)
    background = BackgroundActivities(
        listen,
        [
            Chore("people who may no longer act", engine.enforce_directory),
            Chore("answers left over", engine.submit_left_over),
            Chore("workflows that are gone", engine.settle_gone),
            Chore("answers that counted", engine.remind_workflows, once=True),
            Chore("what admins are told of", engine.alert_admins),
            Chore("what is kept no longer", _forgetting(store, settings), pause=FORGET_EVERY),
        ],
    )
    kept = ["sweep", "watch_mailbox"] if listen else ["sweep"]
    # Every worker sends, as another may lack a channel.
    own = [
        Chore("notifications under way", outbox.hold),
        Chore("notifications left over", outbox.send_left_over),
        Chore("notifications just written", outbox.send_new, pause=NEW_NOTIFICATIONS_EVERY),
        Chore("messages left as they were", outbox.change_left_over),
        Chore("background work", partial(client.keep_background_work, kept), pause=KEEP_BACKGROUND_EVERY),
        Chore("clocks", partial(_compare_clocks, client, store), pause=COMPARE_CLOCKS_EVERY),
    ]
    await _number_above_temporal(client, store)
    heartbeats = _heartbeats(store, outbox, settings.task_queue)
    await client.keep_background_work(kept)
    async with heartbeats, _worker(client, settings, engine, background, runner), repeating(own):
        log.info("ready: task queue %s at %s", settings.task_queue, settings.temporal_address)
        await _wait_until(stop, client)


async def _wait_until(stop: asyncio.Event, client: Client) -> None:
    """Wait for `stop`. Raises BadSetting where Temporal knows the namespace no more, or refuses the key.

    Temporal's library finds that out by itself two minutes later, and then ends with a traceback.
    """
    while not stop.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECK_TEMPORAL_EVERY.total_seconds()):
                await stop.wait()
                return
        try:
            await client.check()
        except BadSetting:
            raise
        except CountersignError as error:  # the server is away, which the library waits for
            log.debug("Temporal: %s", error)


app = typer.Typer(add_completion=False, context_settings=HELP_OPTIONS, pretty_exceptions_enable=False)


@app.command()
def main(
    check: Annotated[
        bool, typer.Option("--check", help="Look at the settings and at all that they name, and start nothing.")
    ] = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="Replay all that is open with this version, and start nothing.")
    ] = False,
    version: VersionOption = False,
) -> None:
    """Decide, send mail and read the mailbox, until SIGTERM or Ctrl-C.

    Exit codes: 0 ended, 1 something that is needed can't be reached, 2 a setting is wrong.
    """
    try:
        settings = load()
        if check or replay:
            logs.set_up("error")
            raise typer.Exit(_checked(settings) if check else _replayed(settings))
        logs.set_up(settings.log_level, settings.log_format)
        log_through_python()
        report()
        asyncio.run(_until_signal(settings))
    except CountersignError as error:
        print(f"countersign worker: {for_operators(error)}", file=sys.stderr)
        raise typer.Exit(_code(error)) from None
    except KeyboardInterrupt:
        raise typer.Exit(128 + signal.SIGINT) from None


def _code(error: CountersignError) -> int:
    """The exit code: an error that may pass by itself is no wrong setting."""
    passes = isinstance(error, Unavailable) and not isinstance(error, BadSetting) and not is_lasting(error)
    return NOT_REACHED if passes else WRONG_SETTING


def _checked(settings: Settings) -> int:
    """Print the findings of all checks; returns the exit code."""
    own = [
        Check("database", "database", partial(_check_database, settings)),
        Check("Temporal", "server", partial(_check_temporal, settings)),
    ]
    checks = [*own, *(check for one in channels(settings) for check in one.checks)]
    found = in_order(asyncio.run(findings(checks, None, say=for_operators)))
    show(page(found))
    show(summary(found))
    return int(any(one.state == "problem" for one in found))


async def _check_database(settings: Settings, _: Policy | None) -> list[Finding]:
    later = await asyncio.to_thread(is_outdated, settings.database_url)
    message = "can be reached" + ("; its tables are made, or brought up to date, at the next start" if later else "")
    return [Finding(part="database", state="ok", about="database", message=message)]


async def _check_temporal(settings: Settings, _: Policy | None) -> list[Finding]:
    client = await Client.connect(**_temporal(settings))
    await client.check()
    return [Finding(part="Temporal", state="ok", about="server", message="can be reached, and knows the namespace")]


def _replayed(settings: Settings) -> NoReturn:
    """Print of everything that is open whether it goes on under this version, and end the process with the exit code.

    It ends at once: threads of the replayer may crash an interpreter that shuts down in order (temporalio 1.35).
    """
    code = asyncio.run(replayed(settings))
    sys.stdout.flush()
    os._exit(code)


async def replayed(settings: Settings) -> int:
    """Print of everything that is open whether it goes on under this version; returns 1 where something does not."""
    client = await Client.connect(**_temporal(settings))
    await client.check()
    replayer = Replayer(
        workflows=WORKFLOWS, workflow_runner=UnsandboxedWorkflowRunner(), data_converter=client.temporal.data_converter
    )
    histories = client.temporal.list_workflows(OPEN.format(settings.task_queue)).map_histories()
    stuck = 0
    async with replayer.workflow_replay_iterator(_begun(histories)) as results:
        async for result in results:
            stuck += result.replay_failure is not None
            print(f"{result.history.workflow_id}: {result.replay_failure or 'replays'}")
    print(f"{stuck} would not go on." if stuck else "All that is open goes on under this version.")
    return int(stuck > 0)


def _temporal(settings: Settings) -> dict[str, Any]:
    """The client's arguments for reaching Temporal."""
    return {
        "address": settings.temporal_address,
        "namespace": settings.temporal_namespace,
        "task_queue": settings.task_queue,
        "tls": settings.temporal_tls,
        "api_key": settings.temporal_api_key.get_secret_value() or None,
    }


async def _begun(histories: AsyncIterator[WorkflowHistory]) -> AsyncIterator[WorkflowHistory]:
    """The histories of workflows that have begun. A grant's begins at its end, and any version can begin it.

    For a history without a workflow task the SDK's replayer never gives a result (temporalio 1.35).
    """
    async for history in histories:
        if any(event.HasField("workflow_task_completed_event_attributes") for event in history.events):
            yield history
        else:
            print(f"{history.workflow_id}: has not begun")


async def _until_signal(settings: Settings) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def end_gently() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)

    collect_seldom()
    # Until there is a connection there is nothing to end gently, and a signal ends the process at once.
    await run(settings, stop, connected=end_gently)


def _worker(
    client: Client,
    settings: Settings,
    engine: Engine,
    background: BackgroundActivities,
    runner: WorkflowRunner,
) -> Worker:
    requests, steps = RequestActivities(engine), TransitionActivities(engine)
    return Worker(
        client.temporal,
        task_queue=settings.task_queue,
        workflows=WORKFLOWS,
        activities=[
            requests.open,
            requests.people,
            requests.ask_again,
            requests.availability,
            requests.timely_answers,
            steps.carry_out,
            steps.end_grant,
            background.watch_mailbox,
            background.sweep,
        ],
        workflow_runner=runner,
        max_cached_workflows=settings.cached_workflows,
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        graceful_shutdown_timeout=GRACE,
    )


def _forgetting(store: Store, settings: Settings) -> Callable[[], Awaitable[None]]:
    """A function that forgets, a little at a time, what need not be kept any longer."""
    kept = Kept(settings.keep_mails_days, settings.keep_signals_days, settings.keep_notifications_days)
    retention = Retention(store.database, kept)

    async def forget() -> None:
        await store.database.run(store.repeats.sum_up)
        for _ in range(FORGET_AT_MOST):
            if not await store.database.run(retention.forget_some):
                return

    return forget


@asynccontextmanager
async def _heartbeats(store: Store, outbox: Outbox, task_queue: str) -> AsyncIterator[None]:
    """Record every few seconds that this worker is alive, and at the end that it stopped.

    Read which channels others have.
    """
    worker, said = this_worker(outbox.senders, task_queue), ""

    def renewed() -> tuple[frozenset[str], list[str]]:
        seen_at = store.workers.renew(worker).seen_at
        try:
            used = channels_on(store.policies.current()[1])
        except Refused:  # no policy was ever applied
            used = []
        return store.workers.channels(seen_at), used

    async def beat() -> None:
        nonlocal said
        channels, used = await store.database.run(renewed)
        outbox.elsewhere = channels - outbox.senders.keys()
        message = "; ".join(_lacking(name, outbox.elsewhere) for name in used if name not in outbox.senders)
        if message and message != said:
            log.warning("channels of the policy that this worker lacks: %s", message)
        said = message

    beating = Chore("heartbeat", beat, pause=HEARTBEAT_EVERY)
    await beating.turn()  # before any work begins: it must be known which channels are left to others
    async with repeating([beating]):
        yield
    with suppress(Unavailable):
        await store.database.run(store.workers.end, worker)


async def _compare_clocks(client: Client, store: Store) -> None:
    """Log by how much our clock differs from the database's and Temporal's, where that may do harm."""
    clock = await store.database.run(read_clock, store.database)
    before = datetime.now(UTC)
    theirs = await client.server_time()
    for ahead, other in ((clock.ahead, "the database"), (apart(theirs, before, datetime.now(UTC)), "Temporal")):
        if said := difference_message(ahead, other):
            log.warning("the clock of this machine %s", said)


async def _number_above_temporal(client: Client, store: Store) -> None:
    """Number requests above all that Temporal knows, where the database is new or was restored."""
    newest = await store.database.run(store.numbers.newest)
    number, opened_at = newest or (FIRST_APPROVAL_ID - 1, None)
    try:
        highest = await client.highest_number(number, opened_at)
    except Unavailable as error:  # an old message still decides nothing of a new request with its number
        log.warning("which numbers Temporal knows can't be seen: %s", error)
        return
    if highest > number and await store.database.run(store.numbers.start_above, highest):
        log.warning("Temporal knows requests that the database does not: the next one is above #%d", highest)


def _lacking(channel: str, elsewhere: Collection[str]) -> str:
    if channel in elsewhere:
        return f"{channel}, which is left to the workers that have it"
    return f"{channel}, which no worker has, so that nobody can be reached by it"


def _mailbox_listener(all_channels: Sequence[Channel], store: Store, engine: Engine) -> Listen | None:
    """The function that reads the mailbox, if there is one."""
    reading = [one for one in all_channels if one.mailbox]
    store.mails.keep_only([one.mailbox for one in reading])
    made = [one.listener(engine, store.mails) for one in reading if one.listener]
    return made[0].run if made else None


if __name__ == "__main__":
    app()
