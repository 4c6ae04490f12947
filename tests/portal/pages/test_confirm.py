"""Approvals that need a fresh sign-in, with a real browser, and by the API."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from playwright.async_api import expect
from sqlalchemy import select

from countersign.models import Status
from countersign.permissions import CONFIRMED_FOR
from store.tables import answers
from tests.portal.context import VAULT
from tests.portal.pages.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def number(site: Site) -> int:
    """A request of alice's that grace may approve only after a fresh sign-in."""
    reply = await site.portal.post("alice", "/requests", {"device": VAULT, "protocol": "ssh"})
    found: int = reply.json()["approval_id"]
    return found


async def test_an_approval_counts_after_signing_in_again_and_by_no_token(site: Site, number: int) -> None:
    by_token = await site.portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve"})
    assert (by_token.status_code, by_token.json()["type"].rpartition("/")[2]) == (409, "confirmation-needed")
    page = await site.signed_in("grace", f"/requests/{number}", CONFIRMED_FOR + timedelta(seconds=1))
    old = {one["name"]: one["value"] for one in await page.context.cookies()}["session"]
    await page.get_by_role("button", name="Approve").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in again")
    assert site.store.reading.request(number).status is Status.WAITING
    before = await site.links_of("grace")
    await page.get_by_role("button", name="Mail me a link").click()
    await page.goto(await site.link_for("grace", before + 1))
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(re.compile(rf"/requests/{number}$"))
    assert site.store.sessions.find(old, datetime.now(UTC)) is None
    await page.get_by_role("button", name="Approve").click()
    await expect(page.locator(".status").first).to_have_text("Approved")
    with site.store.database.reading() as connection:
        counted = answers.c.approval_id == number, answers.c.state == "accepted"
        assert set(connection.execute(select(answers.c.proof).where(*counted)).scalar_one()) == {
            "session",
            "confirmed_at",
        }
    refused = [one for one in site.store.events.of(number, 0, 100) if one.kind == "answer_refused"]
    assert "can be approved on its page alone" in refused[0].detail
    mails = [mail for mail in await site.mails_of("grace") if f"#{number}" in mail]
    assert "open this page and sign in again" in mails[0]
    assert "APPROVE" not in mails[0]
    assert "REJECT" in mails[0]


async def test_who_has_just_signed_in_approves_at_once_and_a_token_may_reject(site: Site) -> None:
    async def asked() -> int:
        reply = await site.portal.post("alice", "/requests", {"device": VAULT, "protocol": "sftp"})
        found: int = reply.json()["approval_id"]
        return found

    number = await asked()
    rejected = await site.portal.post("grace", f"/requests/{number}/decide", {"verdict": "reject"})
    assert rejected.json()["status"] == "Rejected"
    number = await asked()
    page = await site.signed_in("grace", f"/requests/{number}", CONFIRMED_FOR - timedelta(minutes=1))
    await page.get_by_role("button", name="Approve").click()
    await expect(page.locator(".status").first).to_have_text("Approved")
