"""Signed HTTP: a request that isn't from Slack, or not for us, gets no further; a replayed one does nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from copy import deepcopy
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from countersign.models import Status, Verdict
from notifiers.slack.inbound.app import SlackListener
from notifiers.slack.inbound.http import LONGEST_BODY
from sandbox.slack import people
from sandbox.slack.workspace import Json
from tests.http_clients import plain_client
from tests.notifiers.slack.way_in import WayIn, answers, fresh, serving, user_id
from tests.workflows.deployment import Request

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.parametrize("shared_way_in", ["http"], indirect=True),
]
GRACE = user_id("grace")
FORM = "application/x-www-form-urlencoded"


def signed(way: WayIn, body: str, at: float | None = None, secret: str = "") -> dict[str, str]:
    stamp = str(int(at or time.time()))
    key = (secret or way.slack.signing_secret).encode()
    signature = hmac.new(key, f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={signature}", "Content-Type": FORM}


async def post(way: WayIn, body: str | bytes, headers: Any) -> httpx.Response:
    async with plain_client(timeout=120) as client:
        return await client.post(way.slack.request_url, content=body, headers=headers)


async def send(way: WayIn, payload: Any, **other: Any) -> httpx.Response:
    body = urlencode({"payload": json.dumps(payload)})
    return await post(way, body, signed(way, body, **other))


async def pressed(way: WayIn) -> tuple[Request, Json]:
    """A request, and what Slack would send if grace approved it."""
    request = await way.deployment.ask("alice")
    message = await way.prompt(request)
    button = next(each for each in message["blocks"][0]["elements"] if each["action_id"] == "approve")
    return request, {
        "type": "block_actions",
        "api_app_id": "A01APP",
        "team": {"id": "T01TEST", "domain": "test"},
        "user": {"id": GRACE, "team_id": "T01TEST"},
        "enterprise": None,
        "is_enterprise_install": False,
        "trigger_id": f"1.2.{fresh()}",
        "response_url": "",
        "container": {"type": "message", "message_ts": message["ts"], "channel_id": message["channel"]},
        "channel": {"id": message["channel"]},
        "message": message,
        "actions": [{**button, "action_ts": f"{time.time():.6f}"}],
    }


async def test_a_signed_click_counts_once_however_often_it_is_played(way: WayIn) -> None:
    request, payload = await pressed(way)
    before = len(await people.ephemerals(way.slack, GRACE))
    body = urlencode({"payload": json.dumps(payload)})
    headers = signed(way, body)
    for _ in range(5):
        assert (await post(way, body, headers)).status_code == 200
    assert (await send(way, payload, at=time.time() - 200)).status_code == 200
    assert (await request.outcome()).status is Status.APPROVED
    assert answers(way.deployment, request.id) == [("grace", Verdict.APPROVE)]
    assert way.seam.calls.count("store_answer") == 1
    assert len(await people.ephemerals(way.slack, GRACE)) == before


async def test_what_slack_did_not_sign_is_refused(way: WayIn) -> None:
    request, payload = await pressed(way)
    body = urlencode({"payload": json.dumps(payload)})
    good = signed(way, body)
    bad: list[dict[str, str]] = [
        {"Content-Type": FORM},
        signed(way, body, secret="guessed"),
        signed(way, body, at=time.time() - 301),
        signed(way, body, at=time.time() + 330),
        signed(way, body + " "),
        good | {"X-Slack-Request-Timestamp": "soon"},
        good | {"X-Slack-Request-Timestamp": "9" * 400},
        good | {"X-Slack-Signature": "v0="},
        good | {"X-Slack-Signature": good["X-Slack-Signature"].upper()},
        good | {"X-Slack-Signature": "v1" + good["X-Slack-Signature"][2:]},
    ]
    for headers in bad:
        assert (await post(way, body, headers)).status_code == 401
    odd = {name.encode(): value.encode() for name, value in good.items()} | {b"X-Slack-Signature": b"v0=\xe9"}
    assert (await post(way, body, odd)).status_code == 401
    check = urlencode({"ssl_check": "1", "payload": json.dumps(payload)})
    assert (await post(way, check, {"Content-Type": FORM})).status_code == 401
    assert (await post(way, b"\xff" * 100, good)).status_code == 401
    assert (await post(way, "x" * (LONGEST_BODY + 1), good)).status_code == 413
    assert request.status is Status.WAITING
    assert not {"store_answer", "record_rejected", "person_at"} & set(way.seam.calls)


NO_PAYLOADS = [
    *("", "x", "[1]", "{", "[" * 100_000, '{"a":' * 50_000, "1" * 9000, "ssl_check=1", "command=%2Fother"),
    *("payload=[1]", "payload=%00", "payload=null", "payload=" + "1" * 5000),
    *('{"type":5}', '{"type":["block_actions"]}', '{"type":"url_verification","challenge":5}'),
]


@pytest.mark.parametrize("body", NO_PAYLOADS)
async def test_what_is_signed_and_no_payload_does_nothing(way: WayIn, body: str) -> None:
    for kind in (FORM, "application/json", ""):
        assert (await post(way, body, signed(way, body) | {"Content-Type": kind})).status_code in (200, 400)
    assert not {"store_answer", "ask", "cancel", "revoke"} & set(way.seam.calls)


FOREIGN: list[tuple[str, Any]] = [
    ("team.id", "T0OTHER"),
    ("team", None),
    ("user.team_id", "T0OTHER"),
    ("user.team_id", ""),
    ("user.id", "UNOBODY"),
    ("user.id", "U0MISSING"),
    ("user.id", "U1\n"),
    ("user.id", "x" * 65),
    ("user", GRACE),
    ("enterprise", {"id": "E0OTHER"}),
    ("enterprise", "E0OTHER"),
    ("is_enterprise_install", True),
    ("is_enterprise_install", "true"),
    ("api_app_id", "A0OTHER"),
    ("api_app_id", 5),
    ("message.bot_id", "B0OTHER"),
    ("message.app_id", "A0OTHER"),
    ("message", 5),
    ("container", []),
    ("container.channel_id", {"id": "C1"}),
    ("actions", {}),
    ("actions", []),
    ("actions.0", "approve"),
    ("actions.0.action_id", 5),
    ("actions.0.action_id", None),
    ("actions.0.value", 1001),
    ("actions.0.value", ["1001:1"]),
    ("actions.0.value", "1" * 5000),
    ("actions.0.action_ts", 1.5),
    ("actions.0.action_ts", "now"),
    ("actions.0.action_ts", None),
    ("trigger_id", {}),
    ("response_url", 5),
    ("view", {"id": "V1", "app_id": "A0OTHER"}),
    ("type", "interactive_message"),
    ("type", "view_submission"),
]


@pytest.mark.parametrize(("path", "value"), FOREIGN)
async def test_what_is_not_from_here_or_has_no_such_shape_is_refused(way: WayIn, path: str, value: Any) -> None:
    request, payload = await pressed(way)
    changed = deepcopy(payload)
    if path == "view":
        del changed["message"]
    *parents, last = path.split(".")
    place: Any = changed
    for each in parents:
        place = place[int(each) if each.isdecimal() else each]
    place[int(last) if last.isdecimal() else last] = value
    assert (await send(way, changed)).status_code in (200, 400)
    assert request.status is Status.WAITING
    assert "store_answer" not in way.seam.calls
    if path != "type":
        assert "record_rejected" in way.seam.calls


@pytest.mark.parametrize("junk", [5, "x", [5], {"id": 5}, None, True])
async def test_junk_where_nobody_looks_harms_nothing(way: WayIn, junk: Any) -> None:
    request, payload = await pressed(way)
    parts = ("authorizations", "event", "user_id", "channel", "bot_id", "function_data", "response_urls", "command")
    assert (await send(way, payload | dict.fromkeys(parts, junk))).status_code == 200
    assert (await request.outcome()).status is Status.APPROVED


async def test_the_address_is_verified_as_slack_asks(way: WayIn) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "3eZbrw1a", "token": "t"})
    answer = await post(way, body, signed(way, body) | {"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (200, {"challenge": "3eZbrw1a"})


async def test_a_response_url_elsewhere_is_never_called(way: WayIn) -> None:
    _, payload = await pressed(way)
    for url in (
        "http://169.254.169.254/x",
        "https://hooks.slack.com.evil.example/x",
        "https://a@evil.example/x",
        "//[",
    ):
        before = len(await people.ephemerals(way.slack, user_id("bob")))
        payload["actions"][0]["action_ts"] = f"{time.time():.6f}"
        await send(way, payload | {"user": {"id": user_id("bob"), "team_id": "T01TEST"}, "response_url": url})
        assert len(await way.ephemerals(user_id("bob"), before + 1)) == before + 1


async def test_what_was_taken_is_finished_at_the_end(way: WayIn) -> None:
    request, payload = await pressed(way)
    way.seam.slow["submit"] = 1.0
    listener = SlackListener(way.config, way.seam)
    await listener.start()
    async with serving(listener) as url:
        usual, way.slack.request_url = way.slack.request_url, url
        assert (await send(way, payload)).status_code == 200
        way.slack.request_url = usual
        assert answers(way.deployment, request.id) == []
        await listener.close()
        assert answers(way.deployment, request.id) == [("grace", Verdict.APPROVE)]
