"""Deciding, cancelling, revoking: as whom, and what is answered."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from countersign.client import Client
from portal.app import create_app
from portal.context import Plan
from portal.server import Server
from settings import Settings
from tests.portal.context import Portal, serving

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def timeline(portal: Portal, number: int) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = (await portal.get("ada", f"/requests/{number}/timeline")).json()
    return lines


async def test_an_approval_counts(portal: Portal) -> None:
    number = await portal.opened("alice")
    reply = await portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve", "comment": "fine"})
    assert reply.status_code == 200
    assert reply.json() == {"accepted": True, "words": "Approved by Grace.", "status": "Approved"}
    view = (await portal.get("alice", f"/requests/{number}")).json()
    assert view["grant"]["status"] == "Active"
    (decision,) = view["decisions"]
    assert (decision["person"], decision["channel"], decision["comment"]) == ("grace", "portal", "fine")


async def test_a_rejection_counts(portal: Portal) -> None:
    number = await portal.opened("alice")
    reply = await portal.post("grace", f"/requests/{number}/decide", {"verdict": "reject", "comment": "not today"})
    assert reply.json() == {"accepted": True, "words": "Rejected by Grace: not today", "status": "Rejected"}


async def test_nobody_decides_on_their_own_request(portal: Portal) -> None:
    number = await portal.opened("alice")
    reply = await portal.post("alice", f"/requests/{number}/decide", {"verdict": "approve"})
    assert reply.status_code == 409
    assert reply.json()["detail"] == "Nobody may decide on their own request."
    assert (await timeline(portal, number))[-1]["kind"] == "answer_refused"


async def test_an_admin_who_was_not_asked_does_not_decide(portal: Portal) -> None:
    number = await portal.opened("alice")
    assert (await portal.post("ada", f"/requests/{number}/decide", {"verdict": "approve"})).status_code == 409
    assert (await portal.get("alice", f"/requests/{number}")).json()["status"] == "Waiting"


async def test_who_tries_to_decide_what_they_may_not_see_is_on_record(portal: Portal) -> None:
    number = await portal.opened("alice")
    reply = await portal.post("bob", f"/requests/{number}/decide", {"verdict": "approve"})
    assert reply.status_code == 404
    (line,) = [
        one
        for one in (await portal.get("ada", "/events", after=await portal.version(number), timeout=0)).json()
        if one["kind"] == "answer_refused"
    ]
    assert (line["who"], line["proof"]["request"], line["proof"]["verdict"]) == ("bob", str(number), "approve")


async def test_an_answer_to_another_level_does_not_count(portal: Portal) -> None:
    number = await portal.opened("alice")
    reply = await portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve", "level": 2})
    assert reply.status_code == 409
    assert (await portal.get("alice", f"/requests/{number}")).json()["status"] == "Waiting"


async def test_a_late_answer_is_told_the_outcome(portal: Portal) -> None:
    number = await portal.approved("alice")
    reply = await portal.post("grace", f"/requests/{number}/decide", {"verdict": "reject"})
    assert reply.status_code == 409
    assert f"#{number} is already Approved" in reply.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [{}, {"verdict": "yes"}, {"verdict": "approve", "level": 0}, {"verdict": "approve", "comment": "x" * 4001},
     {"verdict": "approve", "person": "grace"}, [], "approve", None],
)  # fmt: skip
async def test_a_malformed_answer_decides_nothing(portal: Portal, body: object) -> None:
    number = await portal.opened("bob")
    reply = await portal.client("grace").post(f"/requests/{number}/decide", json=body)
    assert reply.status_code == 422
    assert reply.json()["errors"]
    assert (await portal.get("bob", f"/requests/{number}")).json()["status"] == "Waiting"


async def test_the_same_answer_again_is_answered_the_same(portal: Portal) -> None:
    number, key = await portal.opened("alice"), uuid.uuid4().hex
    first = await portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve"}, key)
    again = await portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve"}, key)
    other = await portal.post("grace", f"/requests/{number}/decide", {"verdict": "reject"}, key)
    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 422)
    assert first.json() == again.json()
    assert [one["kind"] for one in await timeline(portal, number)].count("answered") == 1


async def test_an_answer_given_while_temporal_is_away_is_stored_and_judged_later(
    portal: Portal, settings: Settings
) -> None:
    number, key = await portal.opened("alice"), uuid.uuid4().hex
    cut_off = Plan(settings.database_url, lambda: Client.connect("127.0.0.1:1", lazy=True))
    async with serving(Server(create_app(cut_off), "127.0.0.1", 0)) as url:
        away = Portal(url, portal.tokens)
        for _ in range(2):
            reply = await away.post("grace", f"/requests/{number}/decide", {"verdict": "approve"}, key)
            assert reply.status_code == 202
            assert reply.json()["words"].startswith("Your answer is stored")
        other = await away.post("grace", f"/requests/{number}/decide", {"verdict": "reject"}, key)
        assert other.status_code == 422
        asked = await away.post("alice", "/requests", {"device": next(portal.devices), "protocol": "ssh"}, key)
        assert (asked.status_code, asked.headers["Retry-After"]) == (503, "5")
        await away.aclose()
    assert (await portal.get("alice", f"/requests/{number}")).json()["status"] == "Waiting"
    (waiting,) = [one for one in portal.store.answers.waiting(datetime.now(UTC)) if one.approval_id == number]
    reply = await portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve"}, key)
    assert (reply.status_code, reply.json()["status"]) == (200, "Approved")
    assert portal.store.answers.outcome(waiting.id)[0] == "accepted"


async def test_what_is_written_about_a_request_is_passed_on_and_decides_nothing(portal: Portal) -> None:
    number = await portal.opened("alice")
    key = uuid.uuid4().hex
    for _ in range(2):
        reply = await portal.post("grace", f"/requests/{number}/comments", {"words": "What is this about?"}, key)
        assert (reply.status_code, reply.json()["status"]) == (200, "Waiting")
    commented = (await portal.post("alice", f"/requests/{number}/comments", {"words": "approve: a backup"})).json()
    shown = (await portal.get("alice", f"/requests/{number}")).json()
    # The versions may differ: a message that is sent meanwhile is on record, too.
    assert commented | {"version": 0} == shown | {"version": 0}
    said = [(one["kind"], one["who"], one["words"]) for one in await timeline(portal, number) if "ed" in one["kind"]]
    assert [one for one in said if one[0] in ("inquired", "commented")] == [
        ("inquired", "grace", "What is this about?"),
        ("commented", "alice", "approve: a backup"),
    ]


async def test_nobody_else_writes_about_a_request_nor_too_much_nor_nothing(portal: Portal) -> None:
    number = await portal.opened("alice")
    path = f"/requests/{number}/comments"
    assert (await portal.post("bob", path, {"words": "?"})).status_code == 404
    assert (await portal.post("ada", path, {"words": "?"})).status_code == 403
    for words in ("", " \u202e ", "x" * 4001):
        assert (await portal.post("grace", path, {"words": words})).status_code == 422
    statuses = [(await portal.post("grace", path, {"words": "?"})).status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    assert (await portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve"})).status_code == 200
    assert (await portal.post("alice", path, {"words": "Thanks!"})).json()["type"].endswith("/already-settled")


async def test_a_requester_cancels(portal: Portal) -> None:
    number = await portal.opened("alice")
    reply = await portal.post("alice", f"/requests/{number}/cancel", {"words": "no longer needed"})
    assert (reply.status_code, reply.json()["status"]) == (200, "Cancelled")
    again = await portal.post("alice", f"/requests/{number}/cancel")
    assert again.status_code == 409
    (line,) = [one for one in await timeline(portal, number) if one["kind"] == "cancelled"]
    assert (line["who"], line["channel"]) == ("alice", "portal")
    assert line["words"] == "Cancelled by Alice: no longer needed"


async def test_an_approver_does_not_cancel_and_an_admin_does(portal: Portal) -> None:
    number = await portal.opened("alice")
    refused = await portal.post("grace", f"/requests/{number}/cancel")
    assert refused.status_code == 403
    assert "Only Alice or an admin" in refused.json()["detail"]
    assert (await portal.post("ada", f"/requests/{number}/cancel")).json()["status"] == "Cancelled"


async def test_a_gateway_cancels_what_it_alone_asked_for(portal: Portal) -> None:
    asked = {"requester": "alice", "device": next(portal.devices), "protocol": "ssh"}
    number = (await portal.post("bastion", "/requests", asked)).json()["approval_id"]
    assert (await portal.post("twin", f"/requests/{number}/cancel")).status_code == 403
    for _ in range(2):
        reply = await portal.post("bastion", f"/requests/{number}/cancel", {"words": "Alice has gone"}, key="gone")
        assert (reply.status_code, reply.json()["words"]) == (200, "Cancelled by Gateway bastion: Alice has gone")
    [line] = [one for one in await timeline(portal, number) if one["kind"] == "cancelled"]
    assert (line["who"], line["channel"]) == ("gateway:bastion", "portal")


async def test_a_gateway_cancels_nothing_that_its_person_asked_for_too(portal: Portal) -> None:
    asked = {"requester": "alice", "device": next(portal.devices), "protocol": "ssh"}
    number = (await portal.post("bastion", "/requests", asked)).json()["approval_id"]
    assert (await portal.post("alice", "/requests", asked)).json()["approval_id"] == number
    refused = await portal.post("bastion", f"/requests/{number}/cancel")
    assert (refused.status_code, refused.json()["type"]) == (403, "/api/v1/problems/not-theirs")
    assert (await portal.get("alice", f"/requests/{number}")).json()["status"] == "Waiting"


async def test_a_stranger_cancels_and_revokes_nothing(portal: Portal) -> None:
    number = await portal.approved("alice")
    assert (await portal.post("bob", f"/requests/{number}/cancel")).status_code == 404
    assert (await portal.post("bob", f"/requests/{number}/revoke")).status_code == 404


async def test_an_approver_revokes(portal: Portal) -> None:
    number = await portal.approved("alice")
    own = await portal.post("alice", f"/requests/{number}/revoke")
    assert own.status_code == 403
    reply = await portal.post("grace", f"/requests/{number}/revoke", {"words": "enough"})
    assert reply.status_code == 200
    assert (reply.json()["status"], reply.json()["grant"]["status"]) == ("Approved", "Revoked")
    assert (await portal.post("grace", f"/requests/{number}/revoke")).status_code == 409
    (line,) = [one for one in await timeline(portal, number) if one["kind"] == "grant_revoked"]
    assert (line["who"], line["channel"], line["words"]) == ("grace", "portal", "Revoked by Grace: enough")


async def test_a_requester_gives_a_grant_back(portal: Portal) -> None:
    number = await portal.approved("alice")
    for other, status in (("bob", 404), ("twin", 403), ("bastion", 403), ("grace", 403), ("ada", 403)):
        assert (await portal.post(other, f"/requests/{number}/give-back")).status_code == status
    reply = await portal.post("alice", f"/requests/{number}/give-back", {"words": "done"}, key="back")
    assert (reply.status_code, reply.json()["grant"]["status"]) == (200, "Ended")
    assert reply.json()["grant"]["words"] == "Given back by Alice: done"
    again = await portal.post("alice", f"/requests/{number}/give-back", {"words": "done"}, key="back")
    assert (again.status_code, again.json()["grant"]["status"]) == (200, "Ended")
    (line,) = [one for one in await timeline(portal, number) if one["kind"] == "grant_ended"]
    assert (line["who"], line["channel"]) == ("alice", "portal")


async def test_a_gateway_hands_back_what_it_asked_for(portal: Portal) -> None:
    asked = {"requester": "alice", "device": next(portal.devices), "protocol": "ssh"}
    number = (await portal.post("bastion", "/requests", asked)).json()["approval_id"]
    early = await portal.post("bastion", f"/requests/{number}/give-back")
    assert (early.status_code, "no grant to give back" in early.json()["detail"]) == (409, True)
    await portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve"})
    reply = await portal.post("bastion", f"/requests/{number}/give-back")
    assert reply.json()["grant"]["words"] == "Given back by Gateway bastion."
    assert (await portal.post("bastion", f"/requests/{number}/give-back")).status_code == 409


async def test_a_renewal_over_http_goes_on_from_the_same_address_and_is_answered_the_same_again(portal: Portal) -> None:
    device = next(portal.devices)
    asked = {"requester": "alice", "device": device, "protocol": "ssh", "source_address": "192.0.2.7"}
    first = (await portal.post("bastion", "/requests", asked)).json()["approval_id"]
    await portal.post("grace", f"/requests/{first}/decide", {"verdict": "approve"})
    renewal = {"device": device, "protocol": "ssh", "renew": True}
    opened = await portal.post("alice", "/requests", renewal, "once-more")
    assert (opened.status_code, opened.json()["source_address"]) == (201, "192.0.2.7")
    second = opened.json()["approval_id"]
    await portal.post("grace", f"/requests/{second}/decide", {"verdict": "approve"})
    repeated = await portal.post("alice", "/requests", renewal, "once-more")
    assert (repeated.status_code, repeated.json()["grant"]["approval_id"]) == (201, second)
    view = (await portal.get("alice", f"/requests/{second}")).json()
    old = (await portal.get("alice", f"/requests/{first}")).json()
    assert (view["renews"], view["goes_on_after"]) == (first, old["grant"]["ends_at"])
    assert (view["question"]["renew"], "renew" in old["question"]) == (True, False)


async def test_what_has_no_grant_is_not_revoked(portal: Portal) -> None:
    number = await portal.opened("alice")
    reply = await portal.post("ada", f"/requests/{number}/revoke")
    assert reply.status_code == 409
    assert "no grant" in reply.json()["detail"]
