"""Record the installation of a release that tests/upgrade upgrades: `python -m tests.upgrade.record COMMIT`.

Run it once for each release, from a checkout whose history has the commit, before the next release changes what is
stored; leave what was recorded as it is, since it stands for the installations of that release. Worker and portal of
that commit run against real servers until there is some of everything, which takes two minutes. Then these files are
written into `releases/<version>`:

- `database.sql`: the SQLite database as text;
- `answers.json`: what the HTTP API of that release answered to the people of `READS`;
- `histories/`: the history of each workflow that was open and had done something;
- `release.json`: the commit, the day, the tokens of the people, and the id of each workflow.

The tokens open nothing but this database. What names the machine and the processes that recorded it is taken out.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import sys
import tempfile
import tomllib
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporalio.client import Client

from sandbox.mail_server import MailServer
from sandbox.slack import people
from sandbox.slack.server import SlackServer
from sandbox.slack.workspace import BOT, Channel, User
from sandbox.temporal_server import TemporalServer
from tests.histories.record import without_machine
from tests.local_slack.people import insisting
from tests.upgrade.installation import Installation, code_of, until

FOLDER = Path(__file__).parent
RELEASES = FOLDER / "releases"
POLICY = (FOLDER / "policy.yaml").read_text()
DAVE = "dave: {name: Dave Dunn, email: dave@example.test}"
ROOM = "C01ROOM"
STATUSES = ("Waiting", "Approved", "Rejected", "Expired", "Cancelled")
NARROWED = [*(f"status={status}" for status in STATUSES), "requester=alice", "approver=grace"]
EVERYBODY_S = ["/me", "/requests?limit=200", "/events?after=0&timeout=0"]
# What is read, and by whom; an admin also reads each request and its timeline.
READS = {
    "ada": [
        *EVERYBODY_S,
        *(f"/requests?{narrowed}" for narrowed in NARROWED),
        *("/policy", "/policy?version=1", "/policy/versions"),
    ],
    "grace": EVERYBODY_S,
    "alice": EVERYBODY_S,
    "bastion": EVERYBODY_S,
    "dave": ["/me"],  # disabled: their token opens nothing
}
PEOPLE = ("ada", "grace", "heidi", "alice", "bob", "carol", "dave")
GATEWAY = ("--gateway", "bastion", "--device-group", "lab", "--protocol", "ssh")
# Queries for what the database must contain when all is done, by table and condition.
HELD = {
    **{f"requests, {status}": f"SELECT 1 FROM requests WHERE status = '{status}'" for status in STATUSES},
    **{f"grants, {one}": f"SELECT 1 FROM grants WHERE status = '{one}'" for one in ("Active", "Ended", "Revoked")},
    **{f"answers, {one}": f"SELECT 1 FROM answers WHERE state = '{one}'" for one in ("open", "accepted", "refused")},
    "notices, not sent": "SELECT 1 FROM notices WHERE state = 'waiting'",
    "notices, of Slack": "SELECT 1 FROM notices WHERE channel = 'slack' AND state = 'sent'",
    **{table: f"SELECT 1 FROM {table}" for table in ("signals", "idempotency", "turned_down", "tokens", "mails")},
}


async def ask_and_answer(here: Installation, slack: SlackServer) -> None:
    """Fill an installation with requests in every state; those that take a minute are asked first."""
    ends = await here.ask("alice", "brief-1", reason="a look", minutes=1)
    await here.reply("grace", ends, "Approved")
    expires = await here.ask("alice", "brief-2", reason="nobody answers")
    await by_levels(here)
    await decided(here)
    await by_gateway(here)
    await by_mail(here)
    await by_slack(here, slack)
    await here.reaches(expires, status="Expired")
    await here.reaches(ends, grant__status="Ended")


async def by_levels(here: Installation) -> None:
    """Two levels: waiting at the first, at the second, and with one of its two approvals."""
    await here.ask("alice", "databases-1", reason="restore the backup", ticket="OPS-1")
    passed = await here.ask("alice", "databases-2", reason="restore the backup")
    await here.reply("grace", passed, "Approved.\n\nGood luck.")
    half = await here.ask("bob", "databases-3", reason="a new index", minutes=90)
    await here.do("grace", "decide", half, verdict="approve", comment="go on")
    await here.reaches(half, level=2)
    await here.do("heidi", "decide", half, verdict="approve")
    await here.reaches(passed, level=2)


async def decided(here: Installation) -> None:
    """Approved with a grant that lasts, revoked, rejected, cancelled, and asked for somebody else."""
    lasting = await here.ask("alice", "web-1", reason="deploy")
    joined = await here.ask("bob", "web-2", reason="deploy")
    await here.ask("bob", "web-2", reason="deploy again")
    own = await here.post("bob", f"/requests/{joined}/decide", verdict="approve")
    assert own.status_code == 409, own.text
    await here.do("grace", "decide", lasting, verdict="approve", comment="fine with me")
    await here.do("grace", "decide", joined, verdict="approve")
    assert await here.ask("alice", "web-1", reason="deploy") == lasting
    await here.do("grace", "revoke", joined, words="that is enough")
    rejected = await here.ask("alice", "web-3", reason="try things")
    await here.do("grace", "decide", rejected, verdict="reject", comment="not today")
    withdrawn = await here.ask("bob", "web-3")
    await here.do("bob", "cancel", withdrawn, words="not needed")
    await here.ask("ada", "web-4", requester="bob", reason="bob has no keyboard")


async def by_gateway(here: Installation) -> None:
    """Approved at once: one grant lasts, one is given back; both under an Idempotency-Key."""
    for device, minutes in (("lab-1", 600), ("lab-2", 30)):
        key = f"connection-{device}"
        body = {"requester": "carol", "device": device, "protocol": "ssh", "source_address": "192.0.2.7"}
        reply = await here.post("bastion", "/requests", key, minutes=minutes, **body)
        assert reply.json()["status"] == "Approved", reply.text
    await here.do("carol", "give-back", reply.json()["approval_id"], words="done")


async def by_mail(here: Installation) -> None:
    """Rejected by mail, away, not understood; and the requests of somebody who is then disabled."""
    rejected = await here.ask("alice", "web-5", reason="install a game")
    await here.reply("grace", rejected, "Rejected.\n\nAsk again on Monday, please.")
    away = await here.ask("alice", "web-6", reason="read the logs")
    await asyncio.to_thread(here.person("grace").be_away, await here.mail_to("grace", away))
    unclear = await here.ask("alice", "web-7", reason="read the logs")
    await here.reply("grace", unclear, "Let me think about it.")
    granted, waiting = await here.ask("dave", "web-8"), await here.ask("dave", "web-9")
    await here.do("grace", "decide", granted, verdict="approve")
    disabled = POLICY.replace(DAVE, DAVE.replace("}", ", disabled: true}"))
    await apply(here, disabled)
    await here.reaches(waiting, status="Cancelled")
    await here.reaches(granted, grant__status="Revoked")
    await here.reaches(rejected, status="Rejected")
    await until(lambda: has_happened(here, away, "away"), "somebody is away")
    await until(lambda: has_happened(here, unclear, "answer_refused"), "the mail was read")


async def by_slack(here: Installation, slack: SlackServer) -> None:
    """Waiting with a message for each, approved by a click, and asked in a room."""
    waiting, clicked, in_room = [
        await here.ask("alice", each, reason="chat") for each in ("chat-1", "chat-2", "room-1")
    ]
    await shown(slack, waiting, "UGRACE")
    await shown(slack, in_room, ROOM)
    message = await shown(slack, clicked, "UGRACE")
    await insisting(lambda: people.click(slack, message, "approve", "UGRACE"))
    await here.reaches(clicked, status="Approved")


async def shown(slack: SlackServer, number: int, place: str) -> Any:
    """Wait for the message about a request to a person or in a room."""

    async def look() -> Any:
        channel = place if place == ROOM else await people.dm_of(slack, place)
        found = await people.messages(slack, channel) if channel else []
        return next((one for one in found if f"#{number}" in str(one)), None)

    return await until(look, f"Slack shows #{number} to {place}")


async def has_happened(here: Installation, number: int, kind: str) -> bool:
    """Whether the record of a request has an event of this kind."""
    return kind in await here.kinds(number)


async def apply(here: Installation, text: str) -> None:
    """Put a policy in force."""
    reply = await here.post_text("ada", "/policy", text)
    assert reply.status_code == 200, reply.text


async def leave_open(here: Installation, database: Path) -> None:
    """Leave a notification that the mail server put off, and, with the worker stopped, an answer that is not judged."""
    here.mail.faults.deferred.add("grace@example.test")
    unsent = await here.ask("alice", "databases-4", reason="nobody knows of it yet")
    tried = f"SELECT 1 FROM notices WHERE approval_id = {unsent} AND state = 'waiting' AND tries > 0"
    await until(lambda: rows(database, tried), "a mail was put off")
    await here.stop("worker")
    stored = await here.post("heidi", f"/requests/{await waits_for(here, 'heidi')}/decide", verdict="approve")
    assert stored.status_code == 202, stored.text


async def waits_for(here: Installation, person: str) -> int:
    """The request at its second level that somebody was asked about and has not answered."""
    found = [one for one in await here.get("ada", f"/requests?status=Waiting&approver={person}") if one["level"] == 2]
    left = [one for one in found if not any(each["person"] == person for each in one["decisions"])]
    return int(left[0]["approval_id"])


async def rows(database: Path, query: str) -> list[Any]:
    """What a query finds in a SQLite database, even while programs use it."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


async def answers(here: Installation) -> dict[str, Any]:
    """What the API answers, by the caller and the path."""
    numbers = [one["approval_id"] for one in await here.get("ada", "/requests?limit=200")]
    single = [f"/requests/{number}{what}" for number in numbers for what in ("", "/timeline")]
    wanted = {who: [*paths, *(single if who == "ada" else [])] for who, paths in READS.items()}
    found = {f"{who} {path}": await here.get(who, path) for who, paths in wanted.items() for path in paths}
    return folded(found)


def folded(found: dict[str, Any]) -> dict[str, Any]:
    """The same, with those entries of lists that were also read on their own replaced by their numbers."""
    result = dict(found)
    for key in found:
        by, known = singles(found, key)
        if known:
            result[key] = [one[by] if known.get(one[by]) == one else one for one in found[key]]
    return result


def unfolded(found: dict[str, Any]) -> dict[str, Any]:
    """What `folded` was given."""
    result = dict(found)
    for key in found:
        _, known = singles(found, key)
        if known:
            result[key] = [known[one] if isinstance(one, int) else one for one in found[key]]
    return result


def singles(found: dict[str, Any], key: str) -> tuple[str, dict[int, Any]]:
    """What may be in the list that was read by this key: the field with an entry's number, and entries by number."""
    lines = [one for each, lines in found.items() if each.endswith("/timeline") for one in lines]
    if " /events" in key:
        return "version", {one["version"]: one for one in lines}
    if " /requests?" not in key:
        return "", {}
    views = [view for each, view in found.items() if re.fullmatch(r"ada /requests/\d+", each)]
    return "approval_id", {view["approval_id"]: view for view in views}


def as_sql(database: Path) -> str:
    """The database as SQL, without the name of the machine."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE workers SET host = 'worker'")
        missing = [what for what, query in HELD.items() if not connection.execute(query).fetchone()]
        assert not missing, f"nothing was recorded of {missing}"
        return "\n".join(connection.iterdump()) + "\n"


async def save_histories(temporal_address: str, folder: Path) -> dict[str, str]:
    """Write the history of each open workflow that has done something; the workflows' ids, by file name."""
    client = await Client.connect(temporal_address)
    ids = {}
    async for one in client.list_workflows("ExecutionStatus = 'Running'"):
        history = await client.get_workflow_handle(one.id, run_id=one.run_id).fetch_history()
        if not any(event.HasField("workflow_task_completed_event_attributes") for event in history.events):
            continue  # there is nothing to replay: a grant does nothing until its end
        name = "-".join(one.id.split(":")[:4]).replace("%", "_")
        ids[f"{name}.json"] = one.id
        (folder / f"{name}.json").write_text(as_json(without_machine(json.loads(history.to_json()))))
    return dict(sorted(ids.items()))


def as_json(value: object) -> str:
    """The text that is written into a file."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


async def record(commit: str) -> None:
    """Run the release of this commit, and record what it leaves."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        code = code_of(commit, folder / "code")
        users = [User(f"U{one.upper()}", one, f"{one}@example.test") for one in PEOPLE]
        slack = await stack.enter_async_context(
            SlackServer(users, [Channel(ROOM, "approvals", [BOT, *(one.id for one in users)])])
        )
        temporal = await stack.enter_async_context(TemporalServer())
        mail = await stack.enter_async_context(MailServer())
        settings = {
            "COUNTERSIGN_SLACK_MODE": "socket",
            "COUNTERSIGN_SLACK_BOT_TOKEN": slack.bot_token,
            "COUNTERSIGN_SLACK_APP_TOKEN": slack.app_token,
            "COUNTERSIGN_SLACK_API_URL": slack.api_url,
        }
        database = folder / "countersign.db"
        here = await stack.enter_async_context(
            Installation(folder, f"sqlite:///{database}", temporal.address, mail, settings)
        )
        await here.set_up(code, FOLDER / "policy.yaml", PEOPLE)
        await here.make_token(code, "bastion", *GATEWAY)
        await here.start(code, "worker", "portal")
        await ask_and_answer(here, slack)
        await leave_open(here, database)
        version = tomllib.loads((code / "pyproject.toml").read_text())["project"]["version"]
        release = RELEASES / version
        await asyncio.to_thread((release / "histories").mkdir, parents=True, exist_ok=True)
        (release / "answers.json").write_text(as_json(await answers(here)))
        await here.stop("portal")
        (release / "database.sql").write_text(as_sql(database))
        told = {"commit": commit, "day": datetime.now(UTC).date().isoformat(), "tokens": here.tokens}
        told["workflows"] = await save_histories(temporal.address, release / "histories")
        (release / "release.json").write_text(as_json(told))


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
