"""The API's description, for programs and for people; and what it does not describe is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

from countersign.error_codes import ErrorCode
from tests.portal.context import Portal

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def operations(portal: Portal) -> dict[str, dict[str, Any]]:
    """Every operation by its method and path."""
    described = (await portal.get("nobody", "/openapi.json")).json()
    return {
        f"{method.upper()} {path}": operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


async def site(portal: Portal, path: str) -> Any:
    """A page outside the API, on the same server."""
    return await portal.client("nobody").get(portal.url.removesuffix("/api/v1") + path)


async def test_operations_have_short_names_each_its_own(portal: Portal) -> None:
    names = [one["operationId"] for one in (await operations(portal)).values()]
    assert len(names) == len(set(names))
    assert [name for name in names if not re.fullmatch("[a-z]+_[a-z_]{2,20}", name)] == []


async def test_what_has_to_be_sent_is_said_to_be_required_and_ids_by_their_pattern(portal: Portal) -> None:
    for name, one in (await operations(portal)).items():
        quiet = ("}/end", "/remove", "/roll-back", "/rdp-file", "{token_id}/{action}")
        sends = name.startswith("POST") and not name.endswith(quiet)
        assert sends == one.get("requestBody", {}).get("required", False), name
    schemas = (await portal.get("nobody", "/openapi.json")).json()["components"]["schemas"]
    for field in ("requester", "device"):
        pattern = schemas["Asking"]["properties"][field]["pattern"]
        assert re.fullmatch(pattern, " Web-1.example ")
        assert not re.fullmatch(pattern, "web 1")


async def test_each_operation_lists_what_it_may_answer(portal: Portal) -> None:
    for name, one in (await operations(portal)).items():
        open_to_all = name.endswith(("/health", "/login", "/login/token"))
        wanted = {"422", "500", "503"} | ({"401", "409", "429"} if not open_to_all else set())
        if "{approval_id}" in name:
            wanted |= {"404"}
        if one.get("requestBody"):
            wanted |= {"413"}
        assert wanted <= set(one["responses"]), name


@pytest.mark.parametrize("path", ["/requests", "/requests/1", "/events", "/me", "/health", "/policy", "/doctor"])
async def test_a_parameter_that_there_is_not_is_refused(portal: Portal, path: str) -> None:
    reply = await portal.get("ada", path, statsu="Waiting", timeout=0)
    assert (reply.status_code, reply.json()["type"]) == (422, "/api/v1/problems/malformed")
    said = {one["field"]: one["words"] for one in reply.json()["errors"]}
    assert said["statsu"].startswith("is no parameter here; ")
    if path == "/requests":
        known = (
            "status, requester, approver, active_grant, before, limit, person, device, user_group, device_group, text"
        )
        assert said["statsu"] == f"is no parameter here; use {known}"


async def test_who_has_no_token_learns_of_no_parameter(portal: Portal) -> None:
    assert (await portal.get("nobody", "/requests", statsu="x")).status_code == 401


async def test_true_is_no_number(portal: Portal) -> None:
    asked = {"device": next(portal.devices), "protocol": "ssh", "minutes": True}
    decided = {"verdict": "approve", "level": True}
    number = await portal.opened("alice")
    for name, path, body in (("alice", "/requests", asked), ("grace", f"/requests/{number}/decide", decided)):
        reply = await portal.post(name, path, body)
        assert reply.status_code == 422
        assert reply.json()["errors"][0]["words"] == "must be a whole number, not true or false"


async def test_health_may_be_asked_for_without_its_body(portal: Portal) -> None:
    reply = await portal.client("nobody").head("/health")
    assert (reply.status_code, reply.content) == (200, b"")
    refused = await portal.client("nobody").post("/health")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")


async def test_the_page_for_people_shows_every_operation_and_loads_nothing(portal: Portal) -> None:
    reply = await site(portal, "/docs")
    assert (reply.status_code, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    for one in await operations(portal):
        assert f"<code>{one}</code>" in reply.text
    assert reply.text.count("<summary>Example: 200, application/json</summary>") > 30
    assert "<summary>Example: body, application/yaml</summary>" in reply.text
    assert "&#34;requester_name&#34;: &#34;Alice Ainsworth&#34;" in reply.text
    assert re.findall(r"<(?:script|link|img|iframe|object)\b", reply.text) == []
    assert [link for link in re.findall(r'(?:href|src)="([^"]*)"', reply.text) if not link.startswith("#")] == [
        "api/v1/openapi.json"
    ]


async def test_the_type_of_a_problem_leads_to_what_the_page_says_of_it(portal: Portal) -> None:
    page = (await site(portal, "/docs")).text
    assert [code for code in ErrorCode if f'id="{code}"' not in page] == []
    refused = await portal.get("alice", f"/requests/{2**50}")
    led = await site(portal, refused.json()["type"])
    assert led.is_redirect
    assert led.next_request.url.path == "/docs"
    assert led.headers["Location"].endswith("#no-request")
    assert (await site(portal, "/api/v1/problems/nonsense")).status_code == 422
