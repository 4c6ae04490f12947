"""All requests that somebody may see: filters, pages, what streams in, and rejecting many at once."""

from __future__ import annotations

import re
import uuid

import pytest
from playwright.async_api import expect

from countersign.models import Status
from tests.http_clients import plain_client
from tests.portal.context import DB
from tests.portal.pages.conftest import Site
from tests.portal.pages.test_requests import asked, heading_is

pytestmark = pytest.mark.asyncio(loop_scope="session")

BULK = "/approvals/reject"


async def test_filters_narrow_the_list_and_stand_in_its_address(site: Site) -> None:
    alice, ada = await site.signed_in("alice"), await site.signed_in("ada")
    mark = uuid.uuid4().hex
    number = await asked(alice, next(site.portal.devices), f"Größere Platte {mark}")
    other = await asked(alice, next(site.portal.devices), "something else")
    await ada.goto("/approvals/all")
    await expect(ada.locator(f"#r{other}")).to_be_visible()
    await ada.get_by_label("Text").fill(f"GRÖSSERE platte {mark.upper()}".replace("GRÖSSERE", "GRÖßERE"))
    await ada.get_by_label("Person").fill("Alice")
    await ada.get_by_label("User group").select_option("engineers")
    await ada.get_by_label("Device group").select_option("web")
    await ada.get_by_label("Status").select_option("Waiting")
    await ada.get_by_role("button", name="Show", exact=True).click()
    await expect(ada.locator("#lines li")).to_have_count(1)
    await expect(ada.locator(f"#r{number}")).to_be_visible()
    await expect(ada.get_by_label("Person")).to_have_value("Alice")

    shared = await site.signed_in("grace", ada.url.removeprefix(site.url))
    await expect(shared.locator(f"#r{number}")).to_be_visible()
    await ada.get_by_label("Text").fill(f"#{number}")
    await ada.get_by_role("button", name="Show", exact=True).click()
    await heading_is(ada, f"Request #{number}")


async def test_what_streams_in_passes_the_filters(site: Site) -> None:
    alice, ada = await site.signed_in("alice"), await site.signed_in("ada")
    mark = uuid.uuid4().hex
    await ada.goto(f"/approvals/all?text={mark.upper()}&person=alice&device_group=web&user_group=engineers")
    await expect(ada.locator("#nothing")).to_be_visible()
    other = await asked(alice, next(site.portal.devices), "something else")
    number = await asked(alice, next(site.portal.devices), f"Because {mark}")
    await expect(ada.locator(f"#r{number}")).to_be_visible()
    await expect(ada.locator("#nothing")).to_be_hidden()
    assert await ada.locator(f"#r{other}").count() == 0


async def test_pages_lead_on_with_the_filters(site: Site) -> None:
    ada = await site.signed_in("ada")
    while len((await site.portal.get("alice", "/requests", status="Waiting", limit=50)).json()) < 27:
        await site.portal.opened()
    await ada.goto("/approvals/all?person=alice&status=Waiting")
    last = await ada.locator("#lines li").last.get_attribute("id")
    await ada.get_by_role("link", name="Older ones").click()
    await ada.wait_for_url(re.compile(r"person=alice.*before="))
    assert last
    assert await ada.locator(f"#{last}").count() == 0
    await expect(ada.get_by_label("Person")).to_have_value("alice")


async def test_what_waits_is_shown_in_pages_the_most_urgent_first_and_each_card_on_its_own(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = [await site.portal.opened("alice") for _ in range(5)]
    found, _ = site.store.reading.waiting_for("grace", limit=100)
    numbers = [view.approval_id for view in found]
    assert [one for one in numbers if one in waiting] == waiting
    monkeypatch.setattr("portal.pages.lists.CARDS_PER_PAGE", 2)
    grace = await site.signed_in("grace", "/approvals")
    cards = grace.locator("#waiting article")
    assert await cards.evaluate_all("all => all.map((one) => Number(one.id.slice(1)))") == numbers[:2]
    await grace.get_by_role("link", name="Less urgent ones").click()
    await expect(grace.locator(f"#r{numbers[2]}")).to_be_visible()
    assert await cards.evaluate_all("all => all.map((one) => Number(one.id.slice(1)))") == numbers[2:4]
    await expect(grace.get_by_role("heading", name="What you were asked before")).to_have_count(0)

    # New requests are less urgent than those on this page, so they are on another; those on it go on changing.
    later = await site.portal.opened("alice")
    await site.portal.post("grace", f"/requests/{numbers[3]}/decide", {"verdict": "reject"})
    await expect(grace.locator(f"li#r{numbers[3]}")).to_contain_text("Rejected")
    assert await grace.locator(f"#r{later}").count() == 0
    last = await site.signed_in("grace", f"/approvals?after={waiting[-1]}")
    await expect(last.locator(f"#r{later}")).to_be_visible()
    newest = await site.portal.opened("alice")
    await expect(last.locator(f"#r{newest}")).to_be_visible()


async def test_many_are_rejected_for_one_reason_each_as_its_own_page_would(site: Site) -> None:
    alice = await site.signed_in("alice")
    first, second, third = [await asked(alice, next(site.portal.devices)) for _ in range(3)]
    grace = await site.signed_in("grace", "/approvals/all")
    for number in (first, second, third):
        await grace.get_by_label(f"Choose #{number}").check()
    await grace.get_by_role("button", name="Reject those").click()
    await heading_is(grace, "Reject 3 requests")
    # One is settled by somebody else before the form is sent.
    await site.portal.post("alice", f"/requests/{third}/cancel")
    await grace.get_by_label("Reason").fill("The change freeze holds.")
    await grace.get_by_role("button", name="Reject them").click()
    await heading_is(grace, "Outcome")
    await expect(grace.get_by_role("status").first).to_contain_text("2 of 3 were done")
    await expect(grace.locator("main")).to_contain_text("Not done")
    for number in (first, second):
        view = site.store.reading.request(number)
        assert (view.status, view.decisions[0].comment) == (Status.REJECTED, "The change freeze holds.")
    assert site.store.reading.request(third).status is Status.CANCELLED


async def test_an_admin_who_is_not_asked_cancels(site: Site) -> None:
    number = await site.portal.opened()
    ada = await site.signed_in("ada", f"{BULK}?number={number}&number={2**53 - 1}")
    await expect(ada.locator("main")).to_contain_text("You are not asked about it: as an admin you cancel it.")
    await expect(ada.locator("main")).to_contain_text("There is no request of this number that you may see.")
    await ada.get_by_label("Reason").fill("A mistake.")
    await ada.get_by_role("button", name="Reject them").click()
    view = site.store.reading.request(number)
    assert view.status is Status.CANCELLED
    assert "A mistake." in view.message


async def test_the_same_form_sent_again_does_nothing_twice_and_nobody_does_more_than_on_a_page(site: Site) -> None:
    number, hidden = await site.portal.opened(), await site.portal.opened("alice")
    form = {"once": "one-form", "reason": "No.", "choice": [f"reject.{number}.1"]}
    async with plain_client(base_url=site.url) as client:
        grace, carol = [
            {"Cookie": f"session={site.session(one)}", "Sec-Fetch-Site": "same-origin"} for one in ("grace", "carol")
        ]
        first, again = [await client.post(BULK, data=form, headers=grace) for _ in range(2)]
        assert ("1 of 1 was done" in first.text, "1 of 1 was done" in again.text) == (True, True)
        assert len([one for one in site.store.events.of(number) if one.kind == "answered"]) == 1

        for choice in (f"reject.{hidden}.1", f"cancel.{hidden}.1"):
            refused = await client.post(BULK, data=form | {"choice": choice}, headers=carol)
            assert ("0 of 1 was done" in refused.text, DB in refused.text) == (True, False)
        not_admin = await client.post(BULK, data=form | {"choice": f"cancel.{hidden}.1"}, headers=grace)
        assert "Only Alice or an admin may cancel" in not_admin.text
        bads: list[dict[str, object]] = [
            {"reason": " "},
            {"choice": []},
            {"choice": ["approve.1.1"]},
            {"choice": [f"reject.{hidden}.1"] * 51},
        ]
        for bad in bads:
            reply = await client.post(BULK, data=form | bad, headers=grace)
            assert reply.status_code in (409, 422), bad
        assert (await client.get(BULK, headers=grace)).status_code == 409
    assert site.store.reading.request(hidden).status is Status.WAITING
