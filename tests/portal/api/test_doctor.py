"""`GET /doctor`: every part is checked, for ten seconds at most, and no part that fails makes the answer fail."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from countersign.checks import Check, findings, in_order
from countersign.client import Client
from countersign.directory import Policy
from countersign.errors import Unavailable
from countersign.notifications import MailRef
from countersign.views import Finding
from engine.credentials.tokens import TokenActions
from engine.policy import ReadPolicy, put_in_force
from portal.__main__ import plan
from portal.app import create_app
from portal.server import Server
from settings import Settings
from store import Store
from store.tokens import Owner
from tests.portal.context import POLICY, Portal, serving

pytestmark = pytest.mark.asyncio(loop_scope="session")


def check(part: str, *states: str, error: Exception | None = None, seconds: float = 0) -> Check:
    async def look(_: Policy | None) -> list[Finding]:
        await asyncio.sleep(seconds)
        if error:
            raise error
        return [Finding.model_validate({"part": part, "state": one, "about": part, "words": one}) for one in states]

    return Check(part, part, look)


async def test_all_is_well_where_everything_works(portal: Portal) -> None:
    reply = await portal.get("ada", "/doctor")
    assert reply.status_code == 200
    found = {(one["part"], one["about"]): (one["state"], one["words"]) for one in reply.json()}
    assert found["database", "database"] == ("ok", "can be read and written")
    assert found["Temporal", "server"] == ("ok", "can be reached")
    assert found["Temporal", "worker"][0] == "ok"
    assert found["policy", "policy"][0] == "ok"
    assert found["mail", "SMTP"][0] == "ok", "the channels' checks are wired in"


async def test_mails_in_quarantine_are_warned_of(portal: Portal) -> None:
    mail = MailRef("approvals@example.test/INBOX", 1, 1, "<large@example.test>", "d" * 64)
    portal.store.inboxes.claim(mail, timedelta(seconds=30))
    portal.store.inboxes.mark_handled(mail, "quarantined", "too big: 30000000 bytes")
    found = (await portal.get("ada", "/doctor")).json()
    (said,) = (one for one in found if one["about"] == mail.mailbox)
    assert (said["part"], said["state"]) == ("inbox", "warning")
    assert "could not be read and decided nothing: 1 (the latest: too big: 30000000 bytes)" in said["words"]


@pytest.mark.parametrize(
    ("name", "message"), [("emial", "did you mean email?"), ("slack", "no worker can send by slack")]
)
async def test_a_channel_of_the_policy_that_reaches_nobody_is_a_problem(
    portal: Portal, name: str, message: str
) -> None:
    before = portal.store.policies.current()[1]
    policy = before.model_copy(update={"channels": {"email": "decide", name: "decide", "webhook": "off"}})
    put_in_force(portal.store, ReadPolicy("", policy, policy.model_dump(mode="json")), "ada")
    try:
        found = (await portal.get("ada", "/doctor")).json()
    finally:
        put_in_force(portal.store, ReadPolicy(POLICY, before, before.model_dump(mode="json")), "ada")
    [problem] = [one for one in found if one["part"] == "policy" and one["state"] == "problem"]
    assert (problem["about"], message in problem["words"]) == (name, True)


@pytest.mark.parametrize("who", ["alice", "bastion"])
async def test_only_admins_may_look(portal: Portal, who: str) -> None:
    assert (await portal.get(who, "/doctor")).status_code == 403


async def test_nobody_works_and_no_policy_is_in_force(settings: Settings, sqlite_url: str) -> None:
    changed = {"database_url": sqlite_url, "task_queue": "nobody-here", "smtp_host": "", "mail_keys": ""}
    alone = settings.model_copy(update=changed)
    store = Store(sqlite_url)
    token = TokenActions(store).create(Owner(kind="person", name="root", is_admin=True), "tests")
    store.close()
    async with serving(Server(create_app(plan(alone)), "127.0.0.1", 0)) as url:
        portal = Portal(url, {"root": token})
        found = {one["about"]: one for one in (await portal.get("root", "/doctor")).json() if one["state"] == "problem"}
        await portal.aclose()
    assert "nobody-here" in found["worker"]["words"]
    assert "countersign policy apply" in found["policy"]["words"]


async def test_temporal_that_is_away_is_a_problem_with_a_remedy() -> None:
    client = await Client.connect("127.0.0.1:1", lazy=True)
    with pytest.raises(Unavailable, match="nothing listens at TEMPORAL_ADDRESS"):
        await client.check()


async def test_one_part_is_never_in_the_way_of_another() -> None:
    checks = [
        check("slow", "ok", seconds=60),
        check("slower", "ok", seconds=60),
        check("away", error=Unavailable("it is away; start it")),
        check("broken", error=KeyError("secret")),
        check("well", "ok", "warning"),
    ]
    start = time.monotonic()
    found = await findings(checks, None, seconds=0.2)
    assert time.monotonic() - start < 5
    messages = {(one.part, one.state): one.message for one in found}
    assert "no answer within" in messages["slow", "problem"]
    assert "no answer within" in messages["slower", "problem"]
    assert messages["away", "problem"] == "it is away; start it"
    assert "KeyError" in messages["broken", "problem"]
    assert "secret" not in messages["broken", "problem"]
    assert [one.state for one in in_order(found)] == ["problem"] * 4 + ["warning", "ok"]
