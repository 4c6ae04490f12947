"""The composition root of the worker: settings -> clients -> activities -> Temporal worker. Nobody imports it."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Annotated

import typer
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner

import logs
from activities.background import Work, background
from activities.periodic_tasks import PeriodicTask, repeating, sweep
from activities.requests import RequestActivities
from configuration import load, report
from countersign.client import Client
from countersign.client.library import log_through_python
from countersign.errors import BadSetting, CountersignError, Unavailable
from countersign.version import HELP_OPTIONS, VersionOption, version
from engine.alerts import TELL_OF_EXPIRY_EVERY
from engine.engine import Engine
from engine.heartbeat import HEARTBEAT_EVERY, Heartbeat
from engine.notifications.outbox import Outbox
from engine.upkeep import FORGET_EVERY, Kept, compare_clocks, forget, number_above_temporal
from garbage import collect_seldom
from notifiers import channels
from settings import Settings
from store import Store
from store.database_errors import for_operators, is_lasting
from store.retention import Retention
from worker_checks import checked, end_with_replay
from workflows.background import BackgroundWork
from workflows.connection import ConnectionApproval
from workflows.device import DeviceApproval
from workflows.grant import Grant

# A killed worker's workflows move to another one after this (Temporal's own default is 10 s).
STICKY_TIMEOUT = timedelta(seconds=2)
# How long an activity may still take to end after SIGTERM.
GRACE = timedelta(seconds=5)
# How often a worker starts the background work if it doesn't run: somebody may have ended it in Temporal.
KEEP_BACKGROUND_EVERY = timedelta(minutes=1)
COMPARE_CLOCKS_EVERY = timedelta(minutes=5)
# How often a running worker checks that Temporal still knows its namespace and accepts its key.
CHECK_TEMPORAL_EVERY = timedelta(seconds=10)
# How often a worker checks for new rows in the record: a portal may have written a notification for a worker to send.
NEW_NOTIFICATIONS_EVERY = timedelta(seconds=1)
# The exit codes if something can't be reached, and if a setting is wrong.
NOT_REACHED, WRONG_SETTING = 1, 2
WORKFLOWS = [ConnectionApproval, DeviceApproval, Grant, BackgroundWork]

log = logging.getLogger("worker")


async def run(
    settings: Settings,
    stop: asyncio.Event,
    connected: Callable[[], None] = lambda: None,
    runner: WorkflowRunner = UnsandboxedWorkflowRunner(),  # noqa: B008 - it has no state
) -> None:
    """Work until `stop` is set.

    Workflows run outside Temporal's sandbox: entering it at each turn of one takes a fifth of a worker's time, and the
    tests, which run and replay all workflows in it, find the same errors earlier (docs/decisions/0010-speed.md).
    """
    async with AsyncExitStack() as closing:
        all_channels = channels(settings)
        senders = {one.name: one.sender() for one in all_channels if one.sender}
        live = {one.name: one.live() for one in all_channels if one.live}
        for sender in (*senders.values(), *live.values()):
            closing.push_async_callback(sender.close)
        store = await Store.open_when_up(settings.database_url, frozenset(live))
        closing.callback(store.close)
        client = await Client.connect_when_up(**settings.temporal)
        connected()
        for warning in (each for one in all_channels for each in one.warnings):
            log.warning("%s", warning)
        outbox = Outbox(store, senders, live)
        closing.push_async_callback(outbox.close)
        engine = Engine(client, store, outbox, most_an_hour=settings.requests_an_hour)
        kept = Kept(settings.keep_mails_days, settings.keep_signals_days, settings.keep_notifications_days)
        retention = Retention(store.database)
        inboxes = [one.inbox for one in all_channels if one.inbox]
        store.inboxes.keep_only([inbox.name for inbox in inboxes])
        tasks = [
            PeriodicTask("people who may no longer act", engine.enforce_directory),
            PeriodicTask("answers left over", engine.submit_left_over),
            PeriodicTask("devices left over", engine.devices.ask_left_over),
            PeriodicTask("workflows that are gone", engine.settle_lost),
            PeriodicTask("grants that are over", engine.end_overdue),
            PeriodicTask("answers that counted", engine.remind_workflows, until_it_worked=True),
            PeriodicTask("what admins are told of", engine.alert_admins),
            PeriodicTask("what expires soon", engine.tell_of_expiry, pause=TELL_OF_EXPIRY_EVERY),
            PeriodicTask("what is kept no longer", partial(forget, store, retention, kept), pause=FORGET_EVERY),
        ]
        # Each is done by one worker at a time.
        jobs: dict[str, Work] = {"sweep": partial(sweep, tasks)}
        jobs |= {inbox.job: inbox.reader(engine, store.inboxes).run for inbox in inboxes}
        # Every worker sends, as another may lack a channel.
        own = [
            PeriodicTask("notifications under way", outbox.hold),
            PeriodicTask("notifications left over", outbox.send_left_over),
            PeriodicTask("notifications just written", outbox.send_new, pause=NEW_NOTIFICATIONS_EVERY),
            PeriodicTask("messages left as they were", outbox.change_left_over),
            PeriodicTask("background work", partial(client.keep_background_work, jobs), pause=KEEP_BACKGROUND_EVERY),
            PeriodicTask("clocks", partial(compare_clocks, client, store), pause=COMPARE_CLOCKS_EVERY),
        ]
        await number_above_temporal(client, store)
        await client.keep_background_work(jobs)
        heartbeat = Heartbeat(store, outbox, settings.task_queue)
        async with _beating(heartbeat), _worker(client, settings, engine, jobs, runner), repeating(own):
            log.info("ready: task queue %s at %s", settings.task_queue, settings.temporal_address)
            await _wait_until(stop, client)


async def _wait_until(stop: asyncio.Event, client: Client) -> None:
    """Wait for `stop`. Raises BadSetting if Temporal no longer knows the namespace, or refuses the key.

    Temporal's library by itself would find that out two minutes later, and end with a traceback.
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
        bool, typer.Option("--check", help="Check the settings and all that they name, without starting anything.")
    ] = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="Replay all open workflows with this version, without starting anything.")
    ] = False,
    version: VersionOption = False,
) -> None:
    """Decide, send notifications and read answers, until SIGTERM or Ctrl-C.

    Exit codes: 0 stopped, 1 something that it needs can't be reached, 2 a setting is wrong.
    """
    try:
        settings = load()
        if check or replay:
            logs.set_up("error")
            raise typer.Exit(checked(settings) if check else end_with_replay(settings, WORKFLOWS))
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
    """The exit code: an error that may pass by itself is not a wrong setting."""
    passes = isinstance(error, Unavailable) and not isinstance(error, BadSetting) and not is_lasting(error)
    return NOT_REACHED if passes else WRONG_SETTING


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
    jobs: Mapping[str, Work],
    runner: WorkflowRunner,
) -> Worker:
    requests = RequestActivities(engine)
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
            requests.carry_out,
            requests.end_grant,
            *(background(name, work) for name, work in jobs.items()),
        ],
        workflow_runner=runner,
        max_cached_workflows=settings.cached_workflows,
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        graceful_shutdown_timeout=GRACE,
        # Without it, the library computes one from the code of all modules at each start.
        build_id=version(),
    )


@asynccontextmanager
async def _beating(heartbeat: Heartbeat) -> AsyncIterator[None]:
    """Beat every few seconds while the block runs, and say at its end that this worker stopped."""
    beating = PeriodicTask("heartbeat", heartbeat.beat, pause=HEARTBEAT_EVERY)
    await beating.run_once()  # before any work begins, as it finds out which channels are left to other workers
    async with repeating([beating]):
        yield
    with suppress(Unavailable):
        await heartbeat.end()


if __name__ == "__main__":
    app()
