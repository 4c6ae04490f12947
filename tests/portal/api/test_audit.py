"""Searching and exporting the record, and who may."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from countersign.transitions import AuditEvent
from engine.credentials.tokens import TokenActions
from engine.policy import apply_policy
from portal.api.audit import COLUMNS, PART
from store.events import append
from store.tokens import Owner
from tests.portal.context import POLICY, Portal

pytestmark = pytest.mark.asyncio(loop_scope="session")

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"]


def written(portal: Portal, number: int | None, who: str, details: list[str]) -> None:
    """Write rows to the record, as if somebody had tried what they may not do."""
    now = datetime.now(UTC)
    rows = [AuditEvent(kind="answer_refused", at=now, who=who, channel="portal", detail=one) for one in details]
    with portal.store.database.transaction() as connection:
        append(connection, number, rows)


async def lines(portal: Portal, **narrow: Any) -> list[dict[str, Any]]:
    reply = await portal.get("ada", "/audit/export", **narrow)
    assert reply.headers["Content-Type"] == "application/jsonl"
    return [json.loads(line) for line in reply.text.splitlines()]


async def test_the_record_is_searched_in_pages(portal: Portal) -> None:
    number = await portal.approved()
    device = (await portal.get("ada", f"/requests/{number}")).json()["question"]["device"]
    timeline = (await portal.get("ada", f"/requests/{number}/timeline")).json()
    for narrow in ({"request": number}, {"device": device}):
        page = await portal.get("ada", "/audit", limit=2, **narrow)
        found = page.json()
        while "next" in page.links:
            page = await portal.client("ada").get(httpx.URL(portal.url).join(page.links["next"]["url"]))
            found += page.json()
        assert [one["version"] for one in found][-len(timeline) :] == [one["version"] for one in timeline[::-1]]
    [answered] = (await portal.get("ada", "/audit", request=number, person="grace", kind="answered")).json()
    assert (answered["name"], answered["words"], "answer" in answered["proof"]) == ("Grace", "approved", True)
    at = datetime.fromisoformat(answered["at"])
    for since, until, count in ((at, at + timedelta(seconds=1), 1), (at - timedelta(days=1), at, 0)):
        times = {"since": since.isoformat(), "until": until.isoformat()}
        found = (await portal.get("ada", "/audit", person="grace", kind="answered", **times)).json()
        assert sum(one["version"] == answered["version"] for one in found) == count


@pytest.mark.parametrize("path", ["/audit", "/audit/export"])
async def test_it_is_for_admins_and_what_is_malformed_is_refused(portal: Portal, path: str) -> None:
    for name in ("alice", "grace", "bastion"):
        assert (await portal.get(name, path)).status_code == 403
    assert (await portal.get("nobody", path)).status_code == 401
    for bad in (
        {"since": "yesterday"},
        {"since": "0001-01-01T00:00:00+10:00"},
        {"until": "9999-12-31T23:59:59-10:00"},
        {"request": 0},
        {"request": 2**53},
        {"person": "a" * 201},
        {"who": "grace"},
    ):
        assert (await portal.get("ada", path, **bad)).status_code == 422, bad
    for odd in ({"person": "\0"}, {"kind": "'; --"}, {"since": "0001-01-01"}, {"until": "9999-12-31T23:59:59Z"}):
        assert (await portal.get("ada", path, **odd)).status_code in (200, 422), odd
    assert (await portal.get("ada", "/audit/export", format="xlsx")).status_code == 422


async def test_an_export_is_whole_in_parts_and_recorded_itself(portal: Portal) -> None:
    who = f"somebody-{uuid.uuid4().hex}"
    written(portal, None, who, [str(n) for n in range(2 * PART + 1)])
    exported = await lines(portal, person=who)
    assert [one["detail"] for one in exported] == [str(n) for n in reversed(range(2 * PART + 1))]
    [row] = (await portal.get("ada", "/audit", kind="audit_exported", person="ada", limit=1)).json()
    assert row["words"] == f"as jsonl, person {who}"
    assert "token" in row["proof"]
    # An export has the rows that there were when it began, and the row about itself.
    newest = await lines(portal, kind="audit_exported")
    assert newest[0]["detail"] == "as jsonl, kind audit_exported"


async def test_no_cell_is_a_formula_and_no_token_is_exported(portal: Portal) -> None:
    who, secret = f"somebody-{uuid.uuid4().hex}", "a1" + "b" * 26
    written(portal, None, who, [*FORMULAS, f"a mail to +1042-1-{secret}@example.test", 'a "quote", and\nlines'])
    reply = await portal.get("ada", "/audit/export", person=who, format="csv")
    assert reply.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    rows = list(csv.DictReader(io.StringIO(reply.text, newline="")))
    assert tuple(rows[0]) == COLUMNS
    details = [row["detail"] for row in rows[::-1]]
    assert details[: len(FORMULAS)] == [f"'{one}" for one in FORMULAS]
    assert details[-1] == 'a "quote", and\nlines'
    assert secret not in reply.text


NO_ROLE = POLICY.replace(", roles: [admin]", "").replace("heidi@example.test", "heidi@example.test, roles: [admin]")
DISABLED = POLICY.replace("carol@example.test}", "carol@example.test, disabled: true}")


@pytest.mark.parametrize(("reader", "changed"), [("ada", NO_ROLE), ("carol", DISABLED)])
async def test_an_export_ends_where_its_reader_is_no_admin_any_more(portal: Portal, reader: str, changed: str) -> None:
    """By a new policy, or, if their token makes them an admin, once they are disabled."""
    who = f"somebody-{uuid.uuid4().hex}"
    written(portal, None, who, [str(n) for n in range(40 * PART)])
    token = f"of {reader}"
    portal.tokens[token] = TokenActions(portal.store).create(
        Owner(kind="person", name=reader, is_admin=reader == "carol"), "tests"
    )

    async def read_on_without_the_role() -> None:
        async with portal.client(token).stream("GET", "/audit/export", params={"person": who}) as reply:
            parts = reply.aiter_bytes()
            await anext(parts)
            await asyncio.to_thread(apply_policy, portal.store, changed, "tests")
            async for _ in parts:
                pass

    try:
        with pytest.raises(httpx.RemoteProtocolError):
            await read_on_without_the_role()
    finally:
        await asyncio.to_thread(apply_policy, portal.store, POLICY, "tests")
