"""Each change of a registered device by each channel: a mail, a click in Slack, a page, the command line, the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from countersign.cli import main
from countersign.cli.exits import Code
from countersign.models import Verdict
from countersign.registration import DeviceStatus
from engine.credentials.tokens import TokenActions
from engine.devices.admitted import admitted_devices
from sandbox.device_keys import new_key
from sandbox.slack import people
from sandbox.slack.tool import NoSlack
from store import sessions
from store.tokens import Owner
from tests.http_clients import plain_client
from tests.slack.context import SECONDS, Context, slack_deployment, slack_policy, user_id
from tests.workflows.deployment import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

RULES = {
    "roles": {"vendor": {"people": ["alice"], "require_device_approval": True}},
    "registered_devices": {"network": "10.64.0.0/16"},
}


@dataclass
class Site:
    """An installation, and who calls it: alice has the devices, ada is an admin."""

    context: Context
    url: str
    tokens: dict[str, str]

    async def call(self, who: str, method: str, path: str, body: Any = None) -> httpx.Response:
        """Somebody calls the API."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        async with plain_client(base_url=self.url, headers=headers, timeout=SECONDS) as client:
            return await client.request(method, f"/api/v1{path}", json=body)

    async def register(self, key: str, who: str = "alice") -> dict[str, Any]:
        """A device registers, as at each connection."""
        sent = {"key": key, "fingerprint": {"hostname": "carbon", "serial": "PF-1"}}
        found: dict[str, Any] = (await self.call(who, "POST", "/devices/register", sent)).raise_for_status().json()
        return found

    async def run(self, who: str, *arguments: str) -> int:
        """Somebody runs `countersign`; returns the exit code."""
        return await asyncio.to_thread(main, [*arguments, "--url", self.url, "--token", self.tokens[who]])

    def admits(self, device: str) -> bool:
        """Whether a gate lets the device through."""
        found = admitted_devices(self.context.deployment.store, datetime.now(UTC))
        return device in {one.id for one in found}

    def recorded(self, device: str) -> list[str]:
        """What the record says of a device and of the request about it, as `kind who`."""
        rows = self.context.deployment.store.events.since(0, 10**6)
        return [f"{row.kind} {row.who}" for row in rows if row.proof.get("device") == device]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(temporal_address: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """An installation with mail and Slack, where each new device of alice's has to be approved."""
    try:
        folder = tmp_path_factory.mktemp("devices")
        async with slack_deployment(temporal_address, folder, "socket", awake=False) as context:
            deployment = context.deployment
            deployment.read_mailbox()
            deployment.apply(slack_policy(**RULES))
            deployment.start_worker()
            tokens = TokenActions(deployment.store)
            made = {one: tokens.create(Owner(kind="person", name=one), "tests") for one in ("alice", "ada", "bob")}
            yield Site(context, context.slack.request_url.removesuffix("/slack/events"), made)
    except NoSlack as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn off the limit on messages to a conversation, as here two people get them all."""
    monkeypatch.setattr("notifiers.slack.client.rate_limit.SECONDS_A_MESSAGE", 0.0)


async def by_mail(site: Site, number: int, verdict: Verdict) -> None:
    ada = site.context.deployment.person("ada")
    mail = await asyncio.to_thread(ada.wait_for_mail, number, "device carbon")
    await asyncio.to_thread(ada.reply, mail, "Approved" if verdict is Verdict.APPROVE else "Rejected")


async def by_click(site: Site, number: int, verdict: Verdict) -> None:
    await site.context.click(await site.context.message("ada", number, "device"), verdict, "ada")
    if verdict is Verdict.REJECT:
        await until(lambda: "'comment'" in str(people.open_modal_of(site.context.slack, user_id("ada"))), "the form")
        await people.submit(site.context.slack, {"comment": "Whose is it?"}, user_id("ada"))


async def by_page(site: Site, number: int, verdict: Verdict) -> None:
    form = {"verdict": verdict, "level": "1", "once": "a"}
    headers = {"Sec-Fetch-Site": "same-origin", "Cookie": f"session={session(site, 'ada')}"}
    async with plain_client(base_url=site.url, headers=headers, timeout=SECONDS) as client:
        assert "carbon" in (await client.get(f"/requests/{number}")).text
        assert (await client.post(f"/requests/{number}/answer", data=form)).status_code == 303


async def by_command(site: Site, number: int, verdict: Verdict) -> None:
    assert await site.run("ada", verdict, str(number)) == Code.OK


async def by_api(site: Site, number: int, verdict: Verdict) -> None:
    reply = await site.call("ada", "POST", f"/requests/{number}/decide", {"verdict": verdict})
    assert reply.raise_for_status().json()["accepted"]


def session(site: Site, person: str) -> str:
    """The cookie of somebody who is signed in."""
    now = datetime.now(UTC)
    row = {"person": person, "signed_in_by": "email link", "browser": "A test", "source_address": "127.0.0.1"}
    times = {"started_at": now, "confirmed_at": now, "ends_at": now + timedelta(hours=1)}
    with site.context.deployment.store.database.transaction() as connection:
        return sessions.start(connection, row | times)


Decide = Callable[[Site, int, Verdict], Awaitable[None]]
DECISIONS: dict[str, tuple[Decide, str]] = {
    "mail": (by_mail, "email"),
    "slack": (by_click, "slack"),
    "page": (by_page, "portal"),
    "command": (by_command, "portal"),
    "api": (by_api, "portal"),
}


@pytest.mark.parametrize(("verdict", "status"), [("approve", "approved"), ("reject", "denied")])
@pytest.mark.parametrize("channel", DECISIONS)
async def test_a_new_device_is_decided_by(site: Site, channel: str, verdict: str, status: str) -> None:
    key = new_key()
    first = await site.register(key)
    assert (first["status"], site.admits(first["id"])) == ("pending", False)
    decide, recorded = DECISIONS[channel]
    await decide(site, first["approval_id"], Verdict(verdict))
    deployment = site.context.deployment
    outcome = await deployment.client.wait(deployment.store.reading.request(first["approval_id"]).question)
    assert [(one.person, one.verdict, one.channel) for one in outcome.decisions] == [("ada", verdict, recorded)]
    again = await site.register(key)
    assert (again["id"], again["status"], site.admits(first["id"])) == (first["id"], status, status == "approved")


# The action, the device's status after it, what its client is told, and whether a gate lets the device through.
CHANGES = [
    ("block", DeviceStatus.BLOCKED, "blocked", False),
    ("archive", DeviceStatus.ARCHIVED, "archived", False),
    ("restore", DeviceStatus.BLOCKED, "blocked", False),
    ("unblock", DeviceStatus.PENDING, "pending", False),
    ("approve", DeviceStatus.APPROVED, "approved", True),
    ("revoke", DeviceStatus.REVOKED, "denied", False),
    ("unrevoke", DeviceStatus.APPROVED, "approved", True),
    ("archive", DeviceStatus.ARCHIVED, "archived", False),
    ("restore", DeviceStatus.APPROVED, "approved", True),
    ("leave", DeviceStatus.ARCHIVED, "archived", False),
]


async def done_by_api(site: Site, who: str, action: str, device: str) -> bool:
    reply = await site.call(who, "POST", f"/devices/{device}/{action}", {"reason": "a test"})
    return reply.status_code == 200


async def done_by_command(site: Site, who: str, action: str, device: str) -> bool:
    return await site.run(who, "device", action, device, "--reason", "a test") == Code.OK


@pytest.mark.parametrize("do", [done_by_api, done_by_command])
async def test_what_is_done_to_a_device_holds_at_once(
    site: Site, do: Callable[[Site, str, str, str], Awaitable[bool]]
) -> None:
    key = new_key()
    first = await site.register(key)
    device = first["id"]
    await by_api(site, first["approval_id"], Verdict.APPROVE)
    for action, status, told, admitted in CHANGES:
        if action == "approve":
            await by_api(site, (await site.register(key))["approval_id"], Verdict.APPROVE)
        elif action == "leave":  # its command works only on the machine that is the device
            assert await done_by_api(site, "alice", action, device)
        else:
            assert not await do(site, "alice", action, device)
            assert await do(site, "ada", action, device)
            assert not await do(site, "ada", action, device)  # twice changes nothing
        found = site.context.deployment.store.registered_devices.one(device)
        assert (action, found.status, site.admits(device)) == (action, status, admitted)
        assert (action, (await site.register(key))["status"]) == (action, told)
    assert site.recorded(device) == [
        "device_registered alice",
        "device_blocked ada",
        "device_archived ada",
        "device_restored ada",
        "device_unblocked ada",
        "device_revoked ada",
        "device_unrevoked ada",
        "device_archived ada",
        "device_restored ada",
        "device_left alice",
    ]
