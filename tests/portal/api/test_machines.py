"""Service tokens and provisioning keys over HTTP, for admins alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.portal.context import Portal

pytestmark = pytest.mark.asyncio(loop_scope="session")

KIOSKS = {"label": "kiosks", "person": "carol", "devices": 3, "lasts": "30d", "skips_approval": True}


async def made(portal: Portal, path: str, body: dict[str, Any]) -> Any:
    reply = await portal.post("ada", path, body)
    assert (reply.status_code, reply.headers["Cache-Control"]) == (201, "no-store"), reply.text
    return reply.json()


async def test_a_service_token_is_made_changed_and_revoked(portal: Portal) -> None:
    token = await made(portal, "/service-tokens", {"name": "CI", "lasts": 90})
    token_id, secret = token["client_id"], token["client_secret"]
    assert token["token"]["id"] == token_id
    created, ends = (datetime.fromisoformat(token["token"][name]) for name in ("created_at", "ends_at"))
    assert (token["token"]["created_by"], ends - created) == ("ada", timedelta(days=90))
    path = f"/service-tokens/{token_id}"
    assert (await portal.post("ada", f"{path}/disable")).json()["disabled_at"]
    assert (await portal.post("ada", f"{path}/enable")).json()["disabled_at"] is None
    assert datetime.fromisoformat((await portal.post("ada", f"{path}/refresh")).json()["ends_at"]) > ends
    rotated = await portal.post("ada", f"{path}/rotate", {"overlap": "1h"})
    assert rotated.json()["client_secret"] not in ("", secret)
    assert (await portal.post("ada", f"{path}/rotate", {"overlap": "1h"})).status_code == 409
    listed = await portal.get("ada", "/service-tokens")
    assert listed.json()[0]["id"] == token_id
    assert not [one for one in (secret, rotated.json()["client_secret"]) if one[-20:] in listed.text]
    assert (await portal.post("ada", f"{path}/revoke")).json()["revoked_at"]
    assert token_id not in (await portal.get("ada", "/service-tokens")).text
    assert (await portal.post("ada", f"{path}/enable")).status_code == 409


async def test_a_provisioning_key_is_made_and_ended(portal: Portal) -> None:
    key = await made(portal, "/provisioning-keys", KIOSKS)
    shown = key["provisioning_key"]
    assert (shown["person"], shown["devices"], shown["used"], shown["skips_approval"]) == ("carol", 3, 0, True)
    listed = await portal.get("ada", "/provisioning-keys")
    assert (listed.json()[0]["id"], key["key"][-20:] in listed.text) == (shown["id"], False)
    path = f"/provisioning-keys/{shown['id']}/end"
    again = [(await portal.post("ada", path)).json()["ended_at"] for _ in range(2)]
    assert again[0] == again[1] is not None
    assert shown["id"] not in (await portal.get("ada", "/provisioning-keys")).text
    refused = await portal.post("ada", "/provisioning-keys", KIOSKS | {"person": "dora"})
    assert (refused.status_code, "disabled" in refused.json()["detail"]) == (404, True)


@pytest.mark.parametrize("path", ["/service-tokens", "/provisioning-keys"])
async def test_lists_go_on_from_page_to_page(portal: Portal, path: str) -> None:
    for _ in range(3):
        await made(portal, path, {"name": "CI"} if path == "/service-tokens" else KIOSKS)
    first = await portal.get("ada", path, limit=2)
    before = first.links["next"]["url"].partition("before=")[2].partition("&")[0]
    assert before == first.json()[-1]["id"]
    second = await portal.get("ada", path, limit=2, before=before)
    assert not {one["id"] for one in first.json()} & {one["id"] for one in second.json()}


@pytest.mark.parametrize("who", ["grace", "bastion"])
async def test_they_are_for_admins_alone(portal: Portal, who: str) -> None:
    for path in ("/service-tokens", "/provisioning-keys"):
        assert (await portal.get(who, path)).json()["type"].endswith("admin-only")
    for path, body in (
        ("/service-tokens", {"name": "x"}),
        ("/service-tokens/st0/rotate", {"overlap": "1h"}),
        ("/service-tokens/st0/revoke", {}),
        ("/provisioning-keys", KIOSKS),
        ("/provisioning-keys/k0/end", {}),
    ):
        assert (await portal.post(who, path, body)).status_code == 403, path
        assert (await portal.post("nobody", path, body)).status_code == 401, path


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/service-tokens", {"name": " \n "}, "name"),
        ("/service-tokens", {"name": "x", "lasts": "11y"}, "lasts"),
        ("/service-tokens", {"name": "x", "secret": "y"}, "secret"),
        ("/service-tokens/st0/rotate", {"overlap": "31d"}, "overlap"),
        ("/service-tokens/st0/rename", {}, "action"),
        ("/provisioning-keys", KIOSKS | {"devices": 0}, "devices"),
        ("/provisioning-keys", KIOSKS | {"devices": True}, "devices"),
    ],
)
async def test_what_is_malformed_is_named(portal: Portal, path: str, body: dict[str, Any], field: str) -> None:
    reply = await portal.post("ada", path, body)
    assert (reply.status_code, [one["field"] for one in reply.json()["errors"]]) == (422, [field])
