"""What an earlier release began is finished by this one, which takes over its database, Temporal and mailbox."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client, WorkflowExecution

from sandbox.mail_server import MailServer
from sandbox.people import headline
from sandbox.temporal_server import TemporalServer
from tests.upgrade.installation import ROOT, Installation, NoRelease, code_of, until
from tests.upgrade.record import RELEASES, rows

POLICY = Path(__file__).parent / "policy.yaml"
TOKENS = ("ada", "grace", "heidi", "alice")
MAILED = ("ada", "grace", "heidi", "ivan", "alice")
# The devices that are asked for before the upgrade, in this order, by what happens to the request.
DEVICES = {
    "expires": "brief-1",
    "ends": "brief-2",
    "mail": "web-1",
    "stored": "databases-1",
    "half": "databases-2",
    "revoked": "web-2",
    "returned": "web-3",
    "cancelled": "web-4",
}
RUNNING = "ExecutionStatus = 'Running'"


@pytest.fixture(params=sorted(folder.name for folder in RELEASES.iterdir()))
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The code of each release that was recorded."""
    commit = json.loads((RELEASES / request.param / "release.json").read_text())["commit"]
    try:
        return code_of(commit, tmp_path / "old")
    except NoRelease as error:
        pytest.skip(f"release {request.param} can't be run: {error}")


class Story:
    """One request for each thing that may be under way while an installation is upgraded."""

    def __init__(self, here: Installation, database: Path) -> None:
        self.here = here
        self.database = database
        self.numbers: dict[str, int] = {}

    async def begin(self) -> None:
        """What happens under the earlier release; what takes a minute begins first."""
        here = self.here
        for name, device in DEVICES.items():
            self.numbers[name] = await here.ask("alice", device, reason="before the upgrade")
        for name in ("ends", "half", "returned"):
            await here.do("grace", "decide", self.numbers[name], verdict="approve")
        await here.reply("grace", self.numbers["revoked"], "Approved")
        await here.reaches(self.numbers["half"], level=2)
        await here.do("heidi", "decide", self.numbers["half"], verdict="approve", comment="one of two")
        await here.reaches(self.numbers["revoked"], grant__status="Active")
        here.mail.faults.deferred.add("grace@example.test")
        self.numbers["unsent"] = await here.ask("alice", "web-5", reason="before the upgrade")
        await until(lambda: self.finds("notices", self.numbers["unsent"], "state = 'waiting' AND tries > 0"), "put off")

    async def stop(self) -> None:
        """Stop the earlier release, and answer while nobody is there to judge it."""
        here = self.here
        await here.stop("worker")
        here.mail.faults.deferred.clear()
        deciding = asyncio.create_task(
            here.post("grace", f"/requests/{self.numbers['stored']}/decide", verdict="approve", comment="meanwhile")
        )
        await until(lambda: self.finds("answers", self.numbers["stored"], "state = 'open'"), "the answer is stored")
        await here.stop("portal")
        with suppress(httpx.TransportError):
            assert (await deciding).status_code in (202, 503)
        await here.reply("grace", self.numbers["mail"], "Approved")

    async def finish(self) -> None:
        """What happens under this release."""
        here, numbers = self.here, self.numbers
        await here.do("ada", "decide", numbers["half"], verdict="approve", comment="two of two")
        await here.do("grace", "revoke", numbers["revoked"], words="after the upgrade")
        await here.do("alice", "give-back", numbers["returned"], words="done")
        await here.do("alice", "cancel", numbers["cancelled"], words="not needed")
        await here.reaches(numbers["stored"], level=2)
        await here.do("heidi", "decide", numbers["stored"], verdict="approve")
        await here.reply("ivan", numbers["stored"], "Approved")
        await here.reply("grace", numbers["unsent"], "Rejected.\n\nAsk again on Monday, please.")
        numbers["new"] = await here.ask("alice", "web-4", reason="after the upgrade")
        await here.reply("grace", numbers["new"], "Approved")

    async def must_be_over(self) -> None:
        """Each request ended as it had to, decided by the right people, and everything is on record once."""
        ends = {
            "expires": {"status": "Expired"},
            "ends": {"status": "Approved", "grant__status": "Ended"},
            "mail": {"status": "Approved", "grant__status": "Active"},
            "stored": {"status": "Approved", "grant__status": "Active"},
            "half": {"status": "Approved", "grant__status": "Active"},
            "revoked": {"status": "Approved", "grant__status": "Revoked"},
            "returned": {"status": "Approved", "grant__status": "Ended"},
            "cancelled": {"status": "Cancelled"},
            "unsent": {"status": "Rejected"},
            "new": {"status": "Approved", "grant__status": "Active"},
        }
        decided = {"mail": {"grace"}, "stored": {"grace", "heidi", "ivan"}, "half": {"grace", "heidi", "ada"}}
        for name, fields in ends.items():
            view = await self.here.reaches(self.numbers[name], **fields)
            # As a set: they are in order of time, which a mail server gives in whole seconds.
            assert name not in decided or {one["person"] for one in view["decisions"]} == decided[name]
            kinds = Counter(await self.here.kinds(self.numbers[name]))
            assert [kinds["opened"], kinds[fields["status"].lower()]] == [1, 1], name

    async def must_be_told(self) -> None:
        """The requester was told of each outcome, and nobody was told anything twice."""
        await until(self._all_on_record, "each mail that was delivered is on record, once")
        for person in MAILED:
            inbox = await self.here.inbox(person)
            for what in (
                Counter(str(one["Message-ID"]) for one in inbox),
                Counter((str(one["Subject"]), headline(one)) for one in inbox),
            ):
                assert [one for one, count in what.items() if count > 1] == [], person
            if person == "alice":
                about = {str(one["Subject"]).rpartition("#")[2] for one in inbox}
                assert about == {str(number) for number in self.numbers.values()}

    async def finds(self, table: str, number: int, condition: str) -> bool:
        """Whether a request has such a row, in tables as the earlier release has them."""
        return bool(await rows(self.database, f"SELECT 1 FROM {table} WHERE approval_id = {number} AND {condition}"))

    async def _all_on_record(self) -> bool:
        told = [await self.here.kinds(number) for number in self.numbers.values()]
        return sum(kinds.count("noticed") for kinds in told) == self.here.mail.delivered - self.here.replies


async def workflows(client: Client, query: str) -> list[WorkflowExecution]:
    """The workflows that Temporal lists for this query."""
    return [one async for one in client.list_workflows(query)]


@pytest.mark.skipif("TEMPORAL_ADDRESS" in os.environ, reason="the server has to be one of its own")
@pytest.mark.whole
@pytest.mark.no_cover
@pytest.mark.timeout(600)  # it takes little more than a minute; on a busy machine several
async def test_all_that_was_under_way_is_finished(old: Path, tmp_path: Path) -> None:
    database = tmp_path / "countersign.db"
    async with (
        TemporalServer(tmp_path / "temporal.db") as temporal,
        MailServer() as mail,
        Installation(tmp_path, f"sqlite:///{database}", temporal.address, mail) as here,
    ):
        await here.set_up(old, POLICY, TOKENS)
        await here.start(old, "worker", "portal")
        story = Story(here, database)
        await story.begin()
        client = await Client.connect(temporal.address)
        background = {one.id for one in await workflows(client, RUNNING) if one.id.startswith("standing:")}
        assert "All that is open goes on" in await here.command(ROOT, "worker.py", "--replay")
        await story.stop()
        await here.start(ROOT, "worker", "portal")
        await story.finish()
        await story.must_be_over()
        await story.must_be_told()
        await must_be_well(client, background, story)
        await here.stop("worker", "portal")
        for name in ("worker", "portal"):
            assert "Traceback" not in here.log(name).read_text()


async def must_be_well(client: Client, background: set[str], story: Story) -> None:
    """The background workflows are the same as before, every request's workflow is closed, and none failed."""
    assert background

    async def closed() -> bool:
        running = {one.id for one in await workflows(client, RUNNING)}
        active = {f"grant:{story.numbers[name]}:" for name in ("mail", "stored", "half", "new")}
        grants = {one for one in running - background if any(one.startswith(each) for each in active)}
        return running == background | grants and len(grants) == len(active)

    await until(closed, "all workflows are closed but those of grants that last")
    assert await workflows(client, "ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut')") == []
