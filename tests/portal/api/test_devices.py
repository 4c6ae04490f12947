"""What may be asked for, and who would have to agree, over HTTP."""

from __future__ import annotations

import httpx
import pytest

from tests.portal.context import DB, LAB, MARK, SHORT, WEB, Portal

pytestmark = pytest.mark.asyncio(loop_scope="session")


def names(reply: httpx.Response) -> list[str]:
    return [one["device"] for one in reply.json()]


async def test_devices_are_found_by_a_part_of_their_id_in_pages(portal: Portal) -> None:
    first = await portal.get("alice", "/devices", query=f"WEB-10-{MARK}", limit=2)
    assert names(first) == [f"web-10-{MARK}"]
    assert first.json()[0]["protocols"] == ["ssh", "sftp", "rdp", "http"]
    seen: list[str] = []
    page = await portal.get("alice", "/devices", limit=150)
    while True:
        seen += names(page)
        if "next" not in page.links:
            break
        page = await portal.client("alice").get(page.links["next"]["url"].removeprefix("/api/v1"))
    assert {DB, LAB, SHORT, WEB} < set(seen)
    assert seen == sorted(set(seen))


async def test_a_gateway_sees_what_it_asks_for(portal: Portal) -> None:
    assert {"device": WEB, "protocols": ["ssh", "sftp"]} in (await portal.get("bastion", "/devices", query=WEB)).json()
    assert (await portal.get("alice", "/devices", query=DB)).json()
    assert (await portal.get("bastion", "/devices", query=DB)).json() == []


async def test_who_would_have_to_agree_is_told_as_it_then_is(portal: Portal) -> None:
    device = next(portal.devices)
    before = (await portal.get("alice", "/route", device=device.upper(), protocol="ssh")).json()
    assert (before["outcome"], before["words"]) == (
        "waits",
        "Grace must agree: managerial approval is required by engineers.",
    )
    asked = (await portal.post("alice", "/requests", {"device": device, "protocol": "ssh"})).json()
    view = (await portal.get("alice", f"/requests/{asked['approval_id']}")).json()
    assert view["because"] == before["because"]
    assert [(one["person"], one["because"]) for one in view["approvers"]] == [
        (one["person"], one["because"]) for one in before["levels"][0]["asked"]
    ]
    lab = (await portal.get("heidi", "/route", device=LAB, protocol="ssh")).json()
    assert (lab["outcome"], lab["levels"]) == ("approved", [])


async def test_one_asks_for_oneself_and_an_admin_for_anybody(portal: Portal) -> None:
    asked = {"device": DB, "protocol": "ssh", "requester": "bob"}
    other = await portal.get("alice", "/route", **asked)
    assert (other.status_code, other.json()["type"]) == (403, "/api/v1/problems/other-requester")
    assert (await portal.get("ada", "/route", **asked)).json()["requester_name"] == "Bob"
    unknown = (await portal.get("ada", "/route", **asked | {"requester": "zoe"})).json()
    assert (unknown["outcome"], unknown["words"][:30]) == ("refused", "There is no zoe in the directo")
    assert (await portal.get("bastion", "/route", device=WEB, protocol="ssh")).status_code == 422
    assert (await portal.get("bastion", "/route", **asked)).status_code == 403


async def test_nothing_is_asked_by_it(portal: Portal) -> None:
    before = portal.store.events.last_version()
    await portal.get("alice", "/route", device="no-such-device", protocol="ssh")
    await portal.get("alice", "/devices")
    events = portal.store.events.since(before)
    assert [one for one in events if one.kind in {"opened", "refused"} and one.who == "alice"] == []
