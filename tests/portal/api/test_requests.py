"""Asking, listing and reading, and who may."""

import uuid

import httpx
import pytest

from countersign.transitions import AuditEvent
from tests.portal.context import DB, LAB, SHORT, WEB, Portal

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_person_asks_for_themselves_without_saying_who_they_are(portal: Portal) -> None:
    device = next(portal.devices)
    reply = await portal.post("alice", "/requests", {"device": device, "protocol": "ssh", "reason": "backup"})
    asked = reply.json()
    assert (reply.status_code, asked["status"], asked["joined"]) == (201, "Waiting", False)
    assert reply.headers["Location"] == f"/api/v1/requests/{asked['approval_id']}"
    view = (await portal.get("alice", f"/requests/{asked['approval_id']}")).json()
    assert view["question"]["requester"] == "alice"
    assert view["question"]["reason"] == "backup"
    assert [one["person"] for one in view["approvers"]] == ["grace"]


async def test_what_waits_for_somebody_is_listed_in_pages_the_most_urgent_first(portal: Portal) -> None:
    opened = [await portal.opened("alice") for _ in range(3)]
    await portal.post("grace", f"/requests/{opened[1]}/decide", {"verdict": "approve"})
    found: list[dict[str, str]] = []
    path: str | None = "/approvals?limit=2"
    while path:
        reply = await portal.client("grace").get(path)
        found += reply.json()
        path = reply.links["next"]["url"].removeprefix("/api/v1") if "next" in reply.links else None
    numbers = [int(one["approval_id"]) for one in found]
    assert [one for one in numbers if one in opened] == [opened[0], opened[2]]
    deadlines = [one["deadline"] for one in found]
    assert deadlines == sorted(deadlines)
    assert len(numbers) == len(set(numbers))
    assert opened[0] not in [one["approval_id"] for one in (await portal.get("alice", "/approvals")).json()]
    assert (await portal.get("bastion", "/approvals")).status_code == 403


async def test_asking_again_joins_the_open_request(portal: Portal) -> None:
    number = await portal.opened("bob")
    device = (await portal.get("bob", f"/requests/{number}")).json()["question"]["device"]
    again = await portal.post("bob", "/requests", {"device": device, "protocol": "ssh"})
    assert (again.status_code, again.json()["approval_id"], again.json()["joined"]) == (200, number, True)


async def test_asking_while_a_grant_lasts_is_yes_at_once(portal: Portal) -> None:
    number = await portal.approved("bob")
    device = (await portal.get("bob", f"/requests/{number}")).json()["question"]["device"]
    again = await portal.post("bastion", "/requests", {"requester": "bob", "device": device, "protocol": "ssh"})
    assert again.status_code == 200
    assert (again.json()["approval_id"], again.json()["grant"]["status"]) == (number, "Active")
    last = (await portal.get("ada", f"/requests/{number}/timeline")).json()[-1]
    assert (last["kind"], last["who"]) == ("asked_again", "gateway:bastion")


async def test_a_grant_for_another_address_is_no_in_words(portal: Portal) -> None:
    number = await portal.approved("bob")
    device = (await portal.get("bob", f"/requests/{number}")).json()["question"]["device"]
    again = await portal.post("bob", "/requests", {"device": device, "protocol": "ssh", "source_address": "192.0.2.7"})
    assert again.status_code == 409
    assert again.json()["detail"] == (
        f"#{number} was asked for without a source address, so gates that see an address refuse its grant; give "
        f"#{number} back and ask again."
    )


async def test_who_asks_is_known_by_the_token_and_never_by_the_body(portal: Portal) -> None:
    asked = {"requester": "alice", "device": next(portal.devices), "protocol": "ssh"}
    lied = await portal.post("bastion", "/requests", asked | {"asked_by": "alice"})
    assert (lied.status_code, lied.json()["errors"][0]["field"]) == (422, "asked_by")
    number = (await portal.post("bastion", "/requests", asked)).json()["approval_id"]
    view = (await portal.get("alice", f"/requests/{number}")).json()
    assert (view["asked_by"], view["asked_by_name"]) == ("gateway:bastion", "Gateway bastion")


async def test_who_joins_hears_what_is_being_decided(portal: Portal) -> None:
    asked = {"device": next(portal.devices), "protocol": "ssh"}
    await portal.post("alice", "/requests", asked | {"reason": "backup", "minutes": 30, "ticket": "OPS-1"})
    joined = (await portal.post("alice", "/requests", asked | {"reason": "deploy"})).json()
    assert (joined["reason"], joined["minutes"], joined["ticket"]) == ("backup", 30, "OPS-1")
    assert "“backup”" in joined["words"]


async def test_what_needs_no_approval_is_approved_at_once(portal: Portal) -> None:
    reply = await portal.post("heidi", "/requests", {"device": LAB, "protocol": "ssh"})
    assert (reply.status_code, reply.json()["status"]) == (201, "Approved")
    assert reply.json()["grant"]["status"] == "Active"


async def test_an_unknown_device_is_refused_in_words(portal: Portal) -> None:
    reply = await portal.post("alice", "/requests", {"device": "nowhere", "protocol": "ssh"})
    assert reply.status_code == 409
    assert "nowhere" in reply.json()["detail"]


async def test_a_malformed_question_names_each_field_and_the_remedy(portal: Portal) -> None:
    reply = await portal.post("alice", "/requests", {"protocol": "telnet", "colour": "red", "source_address": "x"})
    assert reply.status_code == 422
    said = {one["field"]: one["words"] for one in reply.json()["errors"]}
    assert said == {
        "device": "is missing; add it",
        "protocol": "must be ssh, sftp, rdp or http",
        "source_address": "'x' does not appear to be an IPv4 or IPv6 address",
        "colour": "is not a field here; remove it",
    }


async def test_nobody_asks_as_somebody_else(portal: Portal) -> None:
    body = {"requester": "bob", "device": WEB, "protocol": "ssh"}
    reply = await portal.post("alice", "/requests", body)
    assert reply.status_code == 403
    assert "only for alice" in reply.json()["detail"]


async def test_an_admin_asks_for_anybody(portal: Portal) -> None:
    body = {"requester": "carol", "device": next(portal.devices), "protocol": "ssh"}
    reply = await portal.post("ada", "/requests", body)
    assert reply.status_code == 201
    assert (await portal.get("carol", reply.headers["Location"].removeprefix("/api/v1"))).status_code == 200


@pytest.mark.parametrize(
    ("device", "protocol"),
    [(DB, "ssh"), (WEB, "rdp"), ("nowhere", "ssh")],
    ids=["another's device", "another's protocol", "no device"],
)
async def test_a_gateway_asks_for_its_own_devices_and_protocols_only(
    portal: Portal, device: str, protocol: str
) -> None:
    reply = await portal.post("bastion", "/requests", {"requester": "alice", "device": device, "protocol": protocol})
    assert reply.status_code == 403


async def test_a_gateway_must_say_who_wants_to_connect(portal: Portal) -> None:
    reply = await portal.post("bastion", "/requests", {"device": WEB, "protocol": "ssh"})
    assert reply.status_code == 422
    assert reply.json()["errors"] == [{"field": "requester", "words": "is missing; add it"}]


async def test_who_may_see_a_request(portal: Portal) -> None:
    number = await portal.opened("alice")
    for status, names in {
        200: ("ada", "root", "alice", "grace", "bastion", "twin"),
        404: ("bob", "carol", "heidi", "gate"),
    }.items():
        found = {name: (await portal.get(name, f"/requests/{number}")).status_code for name in names}
        assert found == dict.fromkeys(names, status)
    for path in ("", "/timeline", "/wait"):
        hidden = await portal.get("bob", f"/requests/{number}{path}")
        never = await portal.get("bob", f"/requests/{2**50}{path}")
        assert hidden.text.replace(str(number), "N") == never.text.replace(str(2**50), "N")


async def test_a_list_holds_exactly_what_one_may_see(portal: Portal) -> None:
    await portal.opened("alice")
    await portal.post("carol", "/requests", {"device": DB, "protocol": "rdp"})
    every = (await portal.get("ada", "/requests", limit=12)).json()
    for name in ("grace", "heidi", "alice", "bob", "bastion", "twin"):
        newest = (await portal.get(name, "/requests", limit=200)).json()
        listed = [one["approval_id"] for one in newest if one["approval_id"] >= every[-1]["approval_id"]]
        visible = [
            one["approval_id"]
            for one in every
            if (await portal.get(name, f"/requests/{one['approval_id']}")).status_code == 200
        ]
        assert listed == visible, name


async def test_a_list_is_narrowed(portal: Portal) -> None:
    mine, done = await portal.opened("carol"), await portal.approved("alice")
    waiting = (await portal.get("ada", "/requests", status="Waiting", requester="carol")).json()
    assert mine in [one["approval_id"] for one in waiting]
    assert {(one["status"], one["question"]["requester"]) for one in waiting} == {("Waiting", "carol")}
    asked = (await portal.get("ada", "/requests", approver="grace", status="Approved", limit=1)).json()
    assert [one["approval_id"] for one in asked] == [done]


async def test_a_list_and_a_timeline_have_pages_that_lead_on(portal: Portal) -> None:
    numbers = [await portal.opened(one) for one in ("alice", "carol", "alice")]
    for path, limit, key in (("/requests", 2, "approval_id"), (f"/requests/{numbers[0]}/timeline", 1, "version")):
        whole = [one[key] for one in (await portal.get("ada", path)).json()]
        found: list[int] = []
        page = await portal.get("ada", path, limit=limit)
        while True:
            assert len(page.json()) <= limit
            found += [one[key] for one in page.json()]
            if "next" not in page.links:
                break
            next_page = httpx.URL(page.links["next"]["url"])
            assert next_page.path == f"/api/v1{path}"
            page = await portal.get("ada", path, **dict(next_page.params))
        assert found[: len(whole)] == whole
        assert len(found) == len(set(found))


@pytest.mark.parametrize(
    "query",
    [
        {"text": "a" * 201},
        {"device": "a b"},
        {"person": "a b"},
        {"user_group": " / "},
        {"status": "Open"},
        {"limit": 0},
        {"limit": 201},
        {"limit": "x"},
        {"requester": "a b"},
        {"approver": "\0"},
    ],
)
async def test_a_wrong_filter_is_named(portal: Portal, query: dict[str, object]) -> None:
    reply = await portal.get("ada", "/requests", **query)
    assert reply.status_code == 422
    assert [one["field"] for one in reply.json()["errors"]] == list(query)


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", str(2**53), str(2**70)])
async def test_no_number_of_a_request(portal: Portal, number: str) -> None:
    assert (await portal.get("ada", f"/requests/{number}")).status_code == 422


async def test_the_timeline_hides_tokens(portal: Portal) -> None:
    number = await portal.opened("alice")
    token = "a1" + "abcdefghijklmnopqrstuvwxyz"
    proof = {"sender": f"approvals+{number}-1-{token}@example.test", "saw": f"token {token}.", "id": uuid.uuid4().hex}
    now = (await portal.get("alice", f"/requests/{number}")).json()["opened_at"]
    line = AuditEvent(kind="away", at=now, who="grace", detail=f"re {token}", proof=proof)
    portal.store.events.record(number, line)
    reply = await portal.get("alice", f"/requests/{number}/timeline")
    assert token not in reply.text
    assert reply.json()[-1]["proof"] == {"sender": "approvals+…@example.test", "saw": "token ….", "id": proof["id"]}


async def test_an_end_of_a_short_grant_is_told_to_who_waits(portal: Portal) -> None:
    asked = (await portal.post("alice", "/requests", {"device": SHORT, "protocol": "ssh"})).json()["approval_id"]
    await portal.post("grace", f"/requests/{asked}/decide", {"verdict": "approve"})
    view = (await portal.get("bastion", f"/requests/{asked}")).json()
    while view["grant"]["status"] == "Active":
        after = view["version"]
        view = (await portal.get("bastion", f"/requests/{asked}/wait", after=after, timeout=30)).json()
        assert view["version"] > after
    assert view["grant"]["status"] == "Ended"


async def test_a_list_is_narrowed_by_the_filters_of_the_page_and_leads_on_with_them(portal: Portal) -> None:
    device, reason = next(portal.devices), f"Because {uuid.uuid4().hex}"
    numbers = [
        (await portal.post("alice", "/requests", {"device": device, "protocol": one, "reason": reason})).json()
        for one in ("ssh", "rdp")
    ]
    wanted = sorted((one["approval_id"] for one in numbers), reverse=True)
    for narrow in (
        {"device": device},
        {"text": reason.upper()},
        {"text": reason, "person": "grace", "user_group": "engineers", "device_group": "web"},
    ):
        found = (await portal.get("ada", "/requests", **narrow)).json()
        assert [one["approval_id"] for one in found] == wanted, narrow
        page = await portal.get("ada", "/requests", limit=1, **narrow)
        following = await portal.client("ada").get(httpx.URL(portal.url).join(page.links["next"]["url"]))
        assert [one["approval_id"] for one in page.json() + following.json()] == wanted, narrow
        assert (await portal.get("carol", "/requests", **narrow)).json() == []
    assert (await portal.get("ada", "/requests", text=reason, device_group="databases")).json() == []
