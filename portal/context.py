"""What the routes work with: the store, the way to the workflows, the feed; opened and closed with the application."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, ParamSpec, TypeVar

from fastapi import Depends, Request

from countersign.channels import Listener
from countersign.checks import Check
from countersign.client import Client
from countersign.errors import Unavailable
from countersign.notifications import RequestNotification
from countersign.tasks import alongside
from countersign.views import Explained
from engine.credentials.tokens import USED_EVERY
from engine.devices.country_file import CountryFile
from engine.engine import Engine
from engine.statistics import overview_of
from portal.changes import Changes
from portal.fair_executor import FairExecutor
from portal.feed import Feed
from portal.forward_auth.check import ForwardAuth
from portal.limits import AtOnce, Calls, Refusals
from portal.pages.site import Site
from portal.short_cache import ShortCache
from portal.single_flight import SingleFlight
from store import Store
from store.database import run_in

# How many calls of one token are answered at the same time: most of them wait for something to happen.
CALLS_AT_ONCE = 250
# And of all tokens: fewer than there may be connections, so that `/health` can always be asked.
CALLS_IN_ALL = 700
# The same for calls with a large body and much work for the processor.
HEAVY_AT_ONCE = 4
HEAVY_IN_ALL = 16
# How many live streams a session may have: a browser opens one, however many tabs it has.
STREAMS_AT_ONCE = 8
# How many login codes a person may mistype in an hour.
GUESSES_AN_HOUR = 20
# How many pieces of long work for the processor run at the same time, for all tokens together.
WORKING_AT_ONCE = 2
# How long an overview is shown before it is counted again.
COUNT_SECONDS = 60.0
# A write to the database is tried at most once in this time.
TRY_TO_WRITE_SECONDS = 5.0

# How long a browser may use a web application before its person has to be signed in here once more.
HTTP_VALID = timedelta(hours=1)
# The header in which a service token may be sent as one JSON object.
MACHINE_HEADER = "Authorization"

P = ParamSpec("P")
T = TypeVar("T")
Explain = Callable[[bytes], Awaitable[Explained]]
# By channel name, the function that gives a notification's text.
Previews = Mapping[str, Callable[[RequestNotification], str]]

log = logging.getLogger(__name__)


class Days(IntEnum):
    """How many days back an overview goes."""

    WEEK = 7
    MONTH = 30
    QUARTER = 90


class Context:
    """Opened once for each application, as its plan says."""

    def __init__(
        self,
        plan: "Plan",
        store: Store,
        client: Client,
        engine: Engine,
        feed: Feed,
        turns: FairExecutor,
        listeners: Mapping[str, Listener],
    ) -> None:
        self.store, self.client, self.engine, self.feed = store, client, engine, feed
        self.turns, self.listeners = turns, listeners
        self.explainers = {kind: make(engine) for kind, make in plan.explainers.items()}
        self.checks, self.site, self.previews, self.countries = plan.checks, plan.site, plan.previews, plan.countries
        self.tls_proxies, self.service_token_header = plan.tls_proxies, plan.service_token_header
        self.http_valid = plan.http_valid
        self.at_once = AtOnce(plan.calls_at_once, plan.calls_in_all)
        self.heavy = AtOnce(HEAVY_AT_ONCE, HEAVY_IN_ALL)
        self.streams = AtOnce(STREAMS_AT_ONCE, plan.calls_in_all)
        self.refusals, self.calls = Refusals(plan.refusals_an_hour), Calls(plan.calls_a_minute)
        self.guesses = Refusals(GUESSES_AN_HOUR)
        # For each token that was valid here before: when to write its use again, by the event loop's clock.
        self.known_tokens: dict[str, float] = {}
        self.writing = set[asyncio.Task[None]]()
        self.under_way = SingleFlight()
        self.writable = ShortCache(self._writable, TRY_TO_WRITE_SECONDS)
        self.overviews = {days: ShortCache(partial(self.run, overview_of, store, days), COUNT_SECONDS) for days in Days}
        self.changes = Changes(lambda approval_id: self.run(store.reading.changed, approval_id))
        self.forward_auth = ForwardAuth(store, engine, feed, self.run, plan.site.public_url)
        self.working = asyncio.Semaphore(WORKING_AT_ONCE)

    async def run(self, function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Run a transaction of the store in the caller's turn, without blocking the event loop."""
        return await run_in(self.turns, function, *args, **named)

    async def work(self, function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Do long work for the processor in threads other than the store's, a few at a time."""
        async with self.working:
            return await asyncio.to_thread(function, *args, **named)

    def note_use(self, token_id: str, kind: str) -> None:
        """Have the use of a credential of this kind written in the background, at most once a minute."""
        now = asyncio.get_running_loop().time()
        if now >= self.known_tokens.get(token_id, 0.0):
            self.known_tokens[token_id] = now + USED_EVERY.total_seconds()
            task = asyncio.create_task(self._write_use(token_id, kind))
            self.writing.add(task)
            task.add_done_callback(self.writing.discard)

    async def _write_use(self, token_id: str, kind: str) -> None:
        with suppress(Unavailable):  # it is in the log, and the next use is written
            await self.run(self.engine.tokens.note_use, token_id, kind)

    async def _writable(self) -> bool:
        try:
            await self.run(self.store.try_to_write)
        except Unavailable:
            return False
        return True


@dataclass
class Plan:
    """How to open the context.

    `explainers` make, by media type, the functions that explain what is read in a message that came in. `listeners`
    make, by channel name, the listeners of the channels that this process listens to. `checks` are the checks of
    `countersign doctor` besides the portal's own.
    """

    database_url: str
    connect: Callable[[], Awaitable[Client]]
    explainers: Mapping[str, Callable[[Engine], Explain]] = field(default_factory=dict)
    listeners: Mapping[str, Callable[[Engine], Listener]] = field(default_factory=dict)
    checks: Sequence[Check] = ()
    site: Site = field(default_factory=Site)
    previews: Previews = field(default_factory=dict)
    countries: CountryFile = field(default_factory=CountryFile)
    calls_at_once: int = CALLS_AT_ONCE
    calls_in_all: int = CALLS_IN_ALL
    refusals_an_hour: int = 0
    calls_a_minute: int = 0
    tls_proxies: Sequence[IPv4Network | IPv6Network] = ()
    service_token_header: str = MACHINE_HEADER
    http_valid: timedelta = HTTP_VALID

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Context]:
        """Open everything, and close it at the end."""
        store = await asyncio.to_thread(Store, self.database_url)
        turns = FairExecutor(store.database.executor)
        feed = Feed(
            lambda: run_in(turns, store.events.last_version),
            lambda version: run_in(turns, store.reading.events_after, version),
        )
        following = asyncio.create_task(feed.run())
        try:
            client = await self.connect()
            engine = Engine(client, store, executor=turns)
            listeners = {name: listen(engine) for name, listen in self.listeners.items()}
            async with alongside(*(_listen(*one) for one in listeners.items())):
                context = Context(self, store, client, engine, feed, turns, listeners)
                yield context
                await asyncio.gather(*context.writing, return_exceptions=True)
        finally:
            feed.close()
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await asyncio.to_thread(store.close)


async def _listen(name: str, listener: Listener) -> None:
    try:
        await listener.run(lambda: None)
    except Exception:
        log.exception("nothing more is heard by %s", name)


def _here(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


ContextHere = Annotated[Context, Depends(_here)]
