"""One request: who was told and in what words, answers that did not count, its access, and asking again."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import get_args

import pytest
from playwright.async_api import expect

from countersign.models import Event, GeneralEvent
from countersign.redaction import SECRET
from countersign.transitions import AuditEvent, Kind
from engine.notifications.sent_messages import SentMessages
from portal.pages.record import NOTIFICATIONS, PHRASES
from tests.http_clients import plain_client
from tests.portal.context import until
from tests.portal.pages.conftest import Site
from tests.portal.pages.test_requests import heading_is

pytestmark = pytest.mark.asyncio(loop_scope="session")


def was_sent(site: Site, number: int, event: str, person: str) -> bool:
    found = SentMessages(site.store).of(number)
    return any((one.event, one.person, one.state) == (event, person, "sent") for one in found)


async def test_it_shows_who_was_told_and_what_the_mail_said_when_it_was_sent(site: Site) -> None:
    number = await site.portal.opened()
    await until(lambda: was_sent(site, number, "asked", "grace"))
    await site.portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve", "comment": "Go on."})
    await until(lambda: was_sent(site, number, "settled", "alice"))
    grace = await site.signed_in("grace", f"/requests/{number}")
    told = grace.get_by_role("region", name="Who was told")
    await expect(told).to_contain_text("Sent")
    await told.get_by_role("link", name="an approval is asked for").click()
    await heading_is(grace, f"A message about #{number}")
    said = await grace.locator(".message").inner_text()
    assert f"Approval Notification - #{number}" in said
    assert "Reply with APPROVE or REJECT" in said
    # It is as it was sent, before anybody had decided, and nothing in it could answer.
    assert "Go on." not in said
    assert not SECRET.search(said)
    assert "mailto" not in said

    await grace.goto(f"/requests/{number}")
    await told.get_by_role("link", name="how it was decided").first.click()
    await expect(grace.locator(".message")).to_contain_text("Go on.")


async def test_what_it_says_is_for_who_may_see_the_request(site: Site) -> None:
    number = await site.portal.opened()
    [asked] = [one for one in SentMessages(site.store).of(number) if one.event == "asked"]
    path = f"/requests/{number}/notifications/{asked.id}"
    listed = (await site.portal.get("grace", f"/requests/{number}/notifications")).json()
    assert [(one["id"], one["name"]) for one in listed if one["event"] == "asked"] == [(asked.id, "Grace")]
    assert "APPROVE" in (await site.portal.get("alice", path)).json()["text"]
    other = await site.portal.opened()
    assert (await site.portal.get("alice", f"/requests/{other}/notifications/{asked.id}")).status_code == 404
    async with plain_client(base_url=site.url) as client:
        replies = [
            (await client.get(one, headers={"Cookie": f"session={site.session('carol')}"})).status_code
            for one in (path, f"/requests/{number}")
        ]
    assert replies == [404, 404]


async def test_a_refused_answer_is_shown_with_its_checks(site: Site) -> None:
    number = await site.portal.opened()
    proof = {"check 1: sender": "passed: grace", "check 2: token": "FAILED: of an <b>old</b> mail"}
    event = AuditEvent(
        kind="answer_refused", at=datetime.now(UTC), who="grace", channel="email", detail="Too old.", proof=proof
    )
    site.store.events.record(number, event)
    page = await site.signed_in("grace", f"/requests/{number}")
    refused = page.get_by_role("region", name="Answers that did not count")
    await refused.locator("summary").click()
    await expect(refused).to_contain_text("2 checks, 1 failed")
    await expect(refused).to_contain_text("✗ failed: token of an <b>old</b> mail")


async def test_the_access_shows_its_end_and_asking_again_is_filled_in(site: Site) -> None:
    device = next(site.portal.devices)
    body = {"device": device, "protocol": "sftp", "reason": "Größe & Art", "ticket": "OPS-7", "minutes": 5}
    number = (await site.portal.post("alice", "/requests", body)).json()["approval_id"]
    await site.portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve"})
    alice = await site.signed_in("alice", f"/requests/{number}")
    await expect(alice.get_by_role("region", name="Access")).to_contain_text("Until")
    await alice.get_by_role("link", name="Ask for more time").click()
    await expect(alice.locator("main")).to_contain_text("This asks for more time while your access lasts.")
    await alice.get_by_role("button", name="Ask", exact=True).click()
    await alice.wait_for_url(re.compile(rf"/requests/(?!{number}$)\d+$"))
    await expect(alice.locator("main")).to_contain_text(f"(#{number})")
    await alice.goto(f"/requests/{number}")
    await alice.get_by_role("button", name="Give it back").click()
    await expect(alice.get_by_role("region", name="Access")).to_contain_text("Ended")
    await alice.get_by_role("link", name="Ask again").click()
    await alice.wait_for_url(re.compile("/requests/new"))
    filled = {
        name: await alice.get_by_label(name).first.input_value() for name in ("Device", "Reason", "Ticket", "Minutes")
    }
    assert filled == {"Device": device, "Reason": "Größe & Art", "Ticket": "OPS-7", "Minutes": "5"}


async def test_its_requester_gets_a_file_to_connect_by_rdp_while_the_access_lasts(site: Site) -> None:
    device = next(site.portal.devices)
    alice = await site.signed_in("alice", f"/requests/new?device={device}&protocol=rdp", java_script_enabled=False)
    await alice.get_by_role("button", name="Ask", exact=True).click()
    number = int(alice.url.rpartition("/")[2])
    button = alice.get_by_role("button", name="Get a file to connect by RDP")
    await expect(button).to_have_count(0)
    await site.portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve"})
    grace = await site.signed_in("grace", f"/requests/{number}")
    await expect(grace.get_by_role("button", name="Revoke access")).to_have_count(1)
    await expect(grace.get_by_role("button", name="Get a file")).to_have_count(0)
    await alice.reload()
    async with alice.expect_download() as download:
        await button.click()
    file = await download.value
    assert file.suggested_filename == f"countersign-{number}.rdp"
    assert "full address:s:rdp.example.test\n" in (await file.path()).read_text()
    await alice.get_by_role("button", name="Give it back").click()
    await expect(button).to_have_count(0)
    reply = await site.portal.post("alice", f"/requests/{number}/rdp-file")
    assert "is over; ask again" in reply.json()["detail"]


async def test_each_kind_of_event_and_notification_has_its_phrase() -> None:
    assert set(PHRASES) == {*get_args(Kind), *GeneralEvent}
    assert set(NOTIFICATIONS) == set(Event)
