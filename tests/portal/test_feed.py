"""The one feed: nobody who waits misses anything, whether over HTTP or in the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from operator import lt

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from countersign.errors import Unavailable
from countersign.transitions import AuditEvent
from countersign.views import AuditEventView
from countersign.visibility import Visibility
from engine.policy import apply_policy
from portal.__main__ import plan
from portal.api.events import VERSION_HEADER
from portal.app import create_app
from portal.feed import KEPT, Feed, Topic
from portal.server import Server
from settings import Settings
from store import Store
from store.reading import FeedPage
from tests.portal.context import Portal, serving, until

# How many polls in a row must find that nothing more was read.
QUIET_POLLS = 30
pytestmark = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def running(feed: Feed) -> AsyncIterator[Feed]:
    task = asyncio.create_task(feed.run())
    try:
        yield feed
    finally:
        feed.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Record:
    """A record of events whose every read yields to the loop before and after, so that changes fall in between."""

    def __init__(self) -> None:
        self.lines: list[AuditEventView] = []
        self.reads = 0
        self.away = False
        self.fault: Exception = Unavailable("the database is away")

    def add(self, about: int | None) -> int:
        version, now = len(self.lines) + 1, datetime.now(UTC)
        line = AuditEventView(
            version=version, approval_id=about, kind="noticed", at=now, who="x", channel="", detail="", proof={}
        )
        self.lines.append(line)
        return version

    async def last_version(self) -> int:
        await self._read()
        version = len(self.lines)
        await asyncio.sleep(0)
        return version

    async def since(self, version: int) -> FeedPage:
        await self._read()
        lines = self.lines[version : version + 3]
        await asyncio.sleep(0)
        return FeedPage(lines, {}, len(self.lines))

    async def of(self, about: int) -> int:
        """The version of the last event about a request."""
        await self._read()
        version = max((line.version for line in self.lines if line.approval_id == about), default=0)
        await asyncio.sleep(0)
        return version

    async def _read(self) -> None:
        self.reads += 1
        await asyncio.sleep(0)
        if self.away:
            raise self.fault


@given(events=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 4)), max_size=30), waiters=st.integers(1, 6))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_every_waiter_sees_every_last_change(events: list[tuple[int, int]], waiters: int) -> None:
    record = Record()

    async def follow(feed: Feed, about: int) -> None:
        """Wait again and again, as a gateway does, until the last event about a request was seen."""
        last = max((n for n, (one, _) in enumerate(events, 1) if one == about), default=0)
        seen = 0
        while seen < last:
            newer = await feed.first(lambda: record.of(about), partial(lt, seen), 20, about)
            assert newer > seen, "it was not told of a change"
            seen = newer

    async with running(Feed(record.last_version, record.since)) as feed, asyncio.TaskGroup() as group:
        for n in range(waiters):
            group.create_task(follow(feed, n % 3 + 1))
        for about, pause in events:
            for _ in range(pause):
                await asyncio.sleep(0)
            record.add(about)


async def test_nobody_waiting_means_nothing_is_read() -> None:
    record = Record()
    async with running(Feed(record.last_version, record.since)) as feed:
        await feed.first(lambda: record.of(1), lambda _: True, 1, 1)
        await until(lambda: not feed._wanted.is_set())
        reads = record.reads
        record.add(1)
        for _ in range(50):
            await asyncio.sleep(0)
        assert record.reads == reads
        # What came while nobody waited is seen by the first look.
        assert await feed.first(lambda: record.of(1), lambda v: v > 0, 0, 1) == 1


@pytest.mark.parametrize("fault", [Unavailable("the database is away"), ValueError("a row that can't be read")])
async def test_a_waiter_outlives_a_database_that_fails(fault: Exception) -> None:
    record = Record()
    record.fault = fault
    looked = asyncio.Event()

    async def look() -> int:
        found = await record.of(1)
        looked.set()
        return found

    async with running(Feed(record.last_version, record.since)) as feed:
        waiter = asyncio.create_task(feed.first(look, lambda v: v > 0, 30, 1))
        await looked.wait()
        reads, record.away = record.reads, True
        await until(lambda: record.reads > reads)
        record.away = False
        version = record.add(1)
        assert await waiter == version


async def test_a_look_that_fails_is_told_to_who_waits() -> None:
    record = Record()
    async with running(Feed(record.last_version, record.since)) as feed:
        record.away = True
        with pytest.raises(Unavailable):
            await feed.first(lambda: record.of(1), lambda v: v > 0, 0.1, 1)


async def test_the_time_over_gives_what_was_seen_last() -> None:
    record = Record()
    record.add(1)
    async with running(Feed(record.last_version, record.since)) as feed:
        assert await feed.first(lambda: record.of(1), lambda v: v > 1, 0.05, 1) == 1


# --- over HTTP ------------------------------------------------------------------------------------------------------


async def test_who_waits_is_told_of_the_approval_and_of_the_revocation(portal: Portal) -> None:
    number = await portal.opened("alice")
    for path, body, expected in (
        ("decide", {"verdict": "approve"}, "Active"),
        ("revoke", {"words": "enough"}, "Revoked"),
    ):
        status = ""
        acting = asyncio.create_task(portal.post("grace", f"/requests/{number}/{path}", body))
        after = 0
        while status != expected:
            view = (await portal.get("bastion", f"/requests/{number}/wait", after=after, timeout=30)).json()
            assert view["version"] > after
            after, status = view["version"], (view["grant"] or {}).get("status", "")
        assert (await acting).status_code == 200


async def test_a_hundred_waiters_hear_of_one_change(portal: Portal) -> None:
    number = await portal.opened("alice")
    after = await settled_version(portal, number)
    path = f"/requests/{number}/wait"
    waiters = [asyncio.create_task(portal.get("alice", path, after=after, timeout=60)) for _ in range(100)]
    await portal.post("alice", f"/requests/{number}/cancel")
    views = [reply.json() for reply in await asyncio.gather(*waiters)]
    assert {view["status"] for view in views} == {"Cancelled"}


async def settled_version(portal: Portal, number: int) -> int:
    """The version once the notifications of a request are out and nothing more happens by itself."""
    after, view = 0, {"version": 1}
    while view["version"] > after:
        after = view["version"]
        view = (await portal.get("ada", f"/requests/{number}/wait", after=after, timeout=0.5)).json()
    return after


async def test_the_time_over_gives_the_request_as_it_stands(portal: Portal) -> None:
    number = await portal.opened("alice")
    after = await settled_version(portal, number)
    view = (await portal.get("alice", f"/requests/{number}/wait", after=after, timeout=0.1)).json()
    assert (view["status"], view["version"]) == ("Waiting", after)


@pytest.mark.parametrize(
    "query", [{"timeout": 61}, {"timeout": -1}, {"timeout": "nan"}, {"after": -1}, {"after": 2**64}]
)
async def test_a_wrong_wait_is_named(portal: Portal, query: dict[str, object]) -> None:
    number = await portal.opened("alice")
    for path in (f"/requests/{number}/wait", "/events"):
        reply = await portal.get("alice", path, **query)
        assert reply.status_code == 422
        assert [one["field"] for one in reply.json()["errors"]] == list(query)


async def test_events_are_those_one_may_see_each_told_once(portal: Portal) -> None:
    start = (await portal.get("ada", "/events", timeout=0)).headers[VERSION_HEADER]
    mine, others = await portal.opened("alice"), await portal.opened("bob")
    apply_policy(portal.store, portal.store.policies.text()[1], "ada")
    for name, expected in (
        ("ada", {mine, others, None}),
        ("grace", {mine, others}),
        ("alice", {mine}),
        ("bob", {others}),
        ("carol", set()),
        ("bastion", {mine, others}),
    ):
        seen, after = [], start
        while True:
            reply = await portal.get(name, "/events", after=after, timeout=0)
            if not reply.json():
                break
            seen += reply.json()
            after = reply.headers[VERSION_HEADER]
        versions = [line["version"] for line in seen]
        assert versions == sorted(set(versions))
        assert {line["approval_id"] for line in seen} == expected, name


async def test_events_come_as_they_happen(portal: Portal) -> None:
    listening = asyncio.create_task(portal.get("carol", "/events", timeout=60))
    numbers = []
    while not listening.done():  # nobody knows when it starts to listen
        numbers.append(await portal.opened("carol"))
        await asyncio.sleep(0.05)
    assert {line["approval_id"] for line in (await listening).json()} <= set(numbers)


async def test_ending_sends_home_who_waits(portal: Portal, settings: Settings) -> None:
    number = await portal.opened("alice")
    server = Server(create_app(plan(settings)), "127.0.0.1", 0)
    async with serving(server) as url:
        other = Portal(url, portal.tokens)
        after = await settled_version(portal, number)
        waiter = asyncio.create_task(other.get("alice", f"/requests/{number}/wait", after=after, timeout=60))
        await until(lambda: bool(server.server_state.tasks))
    assert (await waiter).json()["status"] == "Waiting"
    await other.aclose()


async def test_an_event_costs_one_read_whoever_watches(portal: Portal, settings: Settings) -> None:
    number = await portal.opened("alice")
    after = await settled_version(portal, number)
    app = create_app(plan(settings))
    async with serving(Server(app, "127.0.0.1", 0)) as url:
        other, feed, engine = (
            Portal(url, portal.tokens),
            app.state.context.feed,
            app.state.context.store.database.engine,
        )
        asked: list[str] = []
        event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
        watchers = [
            asyncio.create_task(other.get(name, path, after=after, timeout=60))
            for path in ("/events", f"/requests/{number}/wait")
            for name in 10 * ("ada", "alice", "grace")
        ]
        await until(lambda: len(feed._waiting) == len(watchers))
        # At first each waiter for a request reads it for itself, and the feed reads where it begins.
        seen: list[int] = []

        def all_have_looked() -> bool:
            seen.append(len(reads_of_requests(asked)))
            return seen[-1] >= len(watchers) // 2 and len(seen) > QUIET_POLLS and seen[-QUIET_POLLS] == seen[-1]

        await until(all_have_looked)
        asked.clear()
        line = AuditEvent(kind="noticed", at=datetime.now(UTC), who="grace")
        version = await asyncio.to_thread(portal.store.events.record, number, line)
        replies = await asyncio.gather(*watchers)
    await other.aclose()
    assert {reply.headers.get(VERSION_HEADER) or str(reply.json()["version"]) for reply in replies} == {str(version)}
    assert {one["name"] for reply in replies[:30] for one in reply.json()} == {"Grace"}
    # One read is of the request with its events and people, the other of those whom the event concerns.
    assert len(reads_of_requests(asked)) == 2


def reads_of_requests(statements: list[str]) -> list[str]:
    return [one for one in statements if "FROM requests" in one]


async def test_what_is_no_longer_kept_is_not_told_in_part() -> None:
    record, everything = Record(), Visibility(everything=True)
    for _ in range(KEPT + 5):
        record.add(1)
    async with running(Feed(record.last_version, record.since)) as feed:
        waiter = asyncio.create_task(feed.first(lambda: record.of(1), lambda v: v > KEPT + 5, 60, 1))
        await until(feed._reading.is_set)
        start = feed.read_through
        assert feed.after(start - 1, everything, 10) is None
        assert feed.after(start, everything, 10) == ([], start)
        for _ in range(KEPT + 1):
            last = record.add(1)
        await waiter
        await until(lambda: feed.read_through == last)
        assert feed.after(start, everything, 10) is None
        kept = feed.after(start + 1, everything, 2 * KEPT)
        assert kept is not None
        assert [one.version for one in kept[0]] == list(range(start + 2, last + 1))
        assert feed.after(last - 2, Visibility(person="x"), 10) == ([], last)
        await feed.first(lambda: record.of(1), lambda _: True, 1, 1)


async def test_what_is_not_read_yet_is_told_from_what_an_older_database_lacks() -> None:
    record = Record()
    feed = Feed(record.last_version, record.since)
    newest = record.add(1)
    assert feed.after(newest, Visibility(everything=True), 10) is None
    assert await feed.will_reach(newest)
    assert not await feed.will_reach(newest + 1)
    assert not await feed.will_reach(feed.read_through)


async def test_who_has_read_more_than_there_is_goes_on_from_the_newest(portal: Portal) -> None:
    """As when the database that was read has been replaced by an older one."""
    newest = int((await portal.get("ada", "/events", timeout=0)).headers[VERSION_HEADER])
    for timeout in (0, 0.1):
        reply = await portal.get("ada", "/events", after=newest + 10_000, timeout=timeout)
        assert newest <= int(reply.headers[VERSION_HEADER]) < newest + 10_000


async def test_what_is_written_by_another_process_is_heard(sqlite_url: str) -> None:
    store, writer = (Store(sqlite_url) for _ in range(2))

    async def last_version() -> int:
        return await asyncio.to_thread(store.events.last_version)

    async def since(version: int) -> FeedPage:
        return await asyncio.to_thread(store.reading.events_after, version)

    async with running(Feed(last_version, since)) as feed:
        waiter = asyncio.create_task(feed.first(last_version, lambda v: v > 0, 30))
        line = AuditEvent(kind="noticed", at=datetime.now(UTC), who="x")
        assert await asyncio.to_thread(writer.events.record, None, line) == await waiter
    store.close()
    writer.close()


async def test_a_topic_is_read_once_for_all_and_only_after_the_events_that_may_change_it() -> None:
    record, reads = Record(), 0
    about_seven = Topic("seven", lambda event, _: event.approval_id == 7)

    async def look() -> int:
        nonlocal reads
        reads += 1
        return await record.of(7)

    async def follow(feed: Feed, version: int) -> int:
        read = partial(feed.shared, about_seven, look)
        return await feed.first(read, partial(lt, version), 60, about_seven)

    async with running(Feed(record.last_version, record.since)) as feed:
        waiters = [asyncio.create_task(follow(feed, 0)) for _ in range(10)]
        await until(lambda: reads > 0)
        other = record.add(1)
        await until(lambda: feed.read_through == other)
        assert (reads, any(waiter.done() for waiter in waiters)) == (1, False)
        version = record.add(7)
        assert set(await asyncio.gather(*waiters)) == {version}
        assert reads == 2
        # It is read again if that is asked for, and by every caller while the feed isn't reading changes.
        assert await follow(feed, 0) == version
        assert await feed.shared(about_seven, look, -1) == version
        await until(lambda: not feed._reading.is_set())
        assert await feed.shared(about_seven, look) == version
        assert reads == 4
