"""What goes wrong on the way in from Slack: what was clicked or sent counts once, or the person sees that it didn't."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlencode

import aiohttp
import pytest

from countersign.models import Status
from portal.__main__ import plan
from portal.app import create_app
from portal.server import Server
from sandbox.slack import people
from sandbox.slack.state import Delivery
from tests.local_slack import faults
from tests.local_slack.people import until_seen
from tests.slack.context import Context, actions_of, slack_policy, user_id
from tests.slack.test_faults import all_in_order, quick
from tests.workflows.deployment import Request, until

__all__ = ["quick"]
pytestmark = pytest.mark.asyncio(loop_scope="session")

NOWHERE = "http://127.0.0.1:9/"  # the discard port: nobody listens


def by_socket(context: Context) -> bool:
    """Whether Slack reaches this deployment by Socket Mode."""
    return context.slack.state.workspace.mode == "socket"


def answers_by_slack(request: Request) -> list[str]:
    """What the record says of answers that came by Slack, as `kind who`."""
    rows = request.deployment.store.events.of(request.id)
    return [f"{row.kind} {row.who}" for row in rows if row.channel == "slack" and row.kind.startswith("answer")]


@asynccontextmanager
async def out_of_reach(context: Context) -> AsyncIterator[None]:
    """Slack can't reach us for a while: its socket is cut, or nobody listens at our address."""
    before, url = len(context.slack.calls_of("apps.connections.open")), context.slack.request_url
    if by_socket(context):
        assert await context.slack.cut_sockets() == 1
    context.slack.request_url = NOWHERE
    yield
    context.slack.request_url = url
    if by_socket(context):
        await until(lambda: len(context.slack.calls_of("apps.connections.open")) > before, "a new socket is asked for")


async def clicked_until_taken(context: Context, request: Request, person: str) -> None:
    """Press Approve until Slack shows no warning sign, or until the request has the answer all the same."""
    deadline = time.monotonic() + 30
    while True:
        try:
            await context.click(await context.message(person, request.id), "approve", person)
            return
        except people.NotDelivered:
            if any(row.kind == "answered" for row in request.deployment.store.events.of(request.id)):
                return
            assert time.monotonic() < deadline, "no click ever arrives"
            await asyncio.sleep(0.2)


async def test_what_is_clicked_while_slack_can_not_reach_us_is_clicked_again(context: Context) -> None:
    request = await context.deployment.ask("alice")
    prompt = await context.message("grace", request.id)
    async with out_of_reach(context):
        if not by_socket(context):
            with pytest.raises(people.NotDelivered):
                await context.click(prompt, "approve", "grace")
            assert request.status is Status.WAITING
    await clicked_until_taken(context, request, "grace")
    assert (await request.outcome()).status is Status.APPROVED
    await context.settled(request, "Approved", "grace", "alice")
    assert answers_by_slack(request) == ["answered grace"]


async def test_a_connection_that_is_renewed_in_mid_work_loses_no_click(context: Context) -> None:
    requests = [await context.deployment.ask("alice") for _ in range(6)]
    prompts = [await context.message("grace", one.id) for one in requests]

    async def renewing() -> None:
        for _ in range(3):
            await asyncio.sleep(0.3)
            await context.slack.ask_to_reconnect()

    async def clicking() -> None:
        for request, prompt in zip(requests, prompts, strict=True):
            try:
                await context.click(prompt, "approve", "grace")
            except people.NotDelivered:
                await clicked_until_taken(context, request, "grace")
            await asyncio.sleep(0.15)

    await asyncio.gather(renewing(), clicking())
    for request in requests:
        assert (await request.outcome()).status is Status.APPROVED
        assert answers_by_slack(request) == ["answered grace"]


async def test_a_click_whose_connection_is_cut_before_it_is_answered_counts_once(context: Context) -> None:
    request = await context.deployment.ask("alice")
    prompt = await context.message("grace", request.id)
    shown = await people.ephemerals(context.slack, user_id("grace"), prompt["channel"])
    await all_in_order(context, request, "alice opened", "grace asked")
    await context.deployment.stop_worker()
    context.slack.lose_answers()
    with pytest.raises(people.NotDelivered) as lost:
        await people.click(context.slack, prompt, "approve", user_id("grace"))
    [click] = lost.value.unanswered
    assert answers_kept(request) == ["grace"]
    await delivered_again(context, click)
    context.deployment.start_worker()
    assert (await request.outcome()).status is Status.APPROVED
    await context.settled(request, "Approved", "grace", "alice")
    async with second_portal(context) as url:  # it remembers no click
        context.slack.request_url, ours = url, context.slack.request_url
        for _ in range(2):  # in Socket Mode, once to each portal
            await delivered_again(context, click)
        context.slack.request_url = ours
    assert answers_by_slack(request) == ["answered grace"]
    assert await people.ephemerals(context.slack, user_id("grace"), prompt["channel"]) == shown


async def delivered_again(context: Context, delivery: Delivery) -> None:
    """Have Slack send a delivery again until it is acknowledged, as its connection may just be ending."""
    deadline = time.monotonic() + 30
    while True:
        await until(lambda: not by_socket(context) or context.slack.sockets > 0, "a socket is open")
        await context.slack.deliver_again(delivery)
        again = context.slack.deliveries[-1]
        await until(partial(getattr, again, "over"), "it is answered")
        if again.status == 200:
            return
        assert time.monotonic() < deadline, "it is never acknowledged"


def answers_kept(request: Request) -> list[str]:
    """Whose answers are stored and wait to be judged."""
    kept = request.deployment.store.answers.waiting(datetime.now(UTC))
    return [one.person for one in kept if one.approval_id == request.id]


async def test_a_click_while_no_worker_is_there_is_kept_and_counts_later(context: Context) -> None:
    request = await context.deployment.ask("alice")
    prompt = await context.message("grace", request.id)
    await all_in_order(context, request, "alice opened", "grace asked")
    await context.deployment.stop_worker()
    delivery = await context.click(prompt, "approve", "grace")
    assert delivery.seconds < 3
    assert answers_kept(request) == ["grace"]
    assert request.status is Status.WAITING
    context.deployment.start_worker()
    assert (await request.outcome()).status is Status.APPROVED
    await context.settled(request, "Approved", "grace", "alice")
    assert answers_by_slack(request) == ["answered grace"]
    await all_in_order(context, request, "alice settled")


async def test_what_is_delivered_twice_counts_once(context: Context) -> None:
    request = await context.deployment.ask("alice")
    context.slack.deliver_twice()
    await context.click(await context.message("grace", request.id), "approve", "grace")
    assert (await request.outcome()).status is Status.APPROVED
    await context.settled(request, "Approved", "grace", "alice")
    assert answers_by_slack(request) == ["answered grace"]
    await all_in_order(context, request, "alice settled")


async def test_a_form_that_is_delivered_twice_counts_once(context: Context) -> None:
    request = await context.deployment.ask("alice")
    context.slack.deliver_twice(2)
    await context.click(await context.message("grace", request.id), "reject", "grace")
    await until_seen(lambda: form_of(context, "grace"))
    await people.submit(context.slack, {"comment": "Not today"}, user_id("grace"))
    assert (await request.outcome()).status is Status.REJECTED
    await context.settled(request, "Not today", "grace", "alice")
    assert answers_by_slack(request) == ["answered grace"]


async def form_of(context: Context, person: str) -> bool:
    """Whether a form to fill in is open for somebody."""
    view = people.open_modal_of(context.slack, user_id(person))
    return view is not None and any(block["type"] == "input" for block in view["blocks"])


async def test_a_command_that_is_delivered_twice_asks_once(context: Context) -> None:
    device = context.deployment.question("alice").device
    context.slack.deliver_twice()
    await people.command(context.slack, "/connect", f"{device} ssh 60m Twice", user_id("alice"))
    asked = [one for one in context.deployment.store.reading.mine("alice").asked if one.subject.target == device]
    [view] = asked
    await context.message("grace", view.approval_id)
    kinds = [row.kind for row in context.deployment.store.events.of(view.approval_id)]
    assert (kinds.count("opened"), kinds.count("asked_again")) == (1, 0)


async def test_a_signed_request_that_is_played_again_changes_nothing(context: Context) -> None:
    if by_socket(context):
        pytest.skip("nothing is signed in Socket Mode; an envelope that comes twice has its own test")
    request = await context.deployment.ask("alice", "databases")
    await request.says("grace", channel="email")
    await context.click(await context.message("heidi", request.id), "approve", "heidi")
    clicked = context.slack.deliveries[-1].payload
    body = urlencode({"payload": json.dumps(clicked)})
    assert [await played(context, body) for _ in range(3)] == [200, 200, 200]
    async with second_portal(context) as url:  # it remembers nothing; what counts once is in the database
        assert await played(context, body, url) == 200
    assert await played(context, body, at=time.time() - 301) == 401
    assert await played(context, body.replace("approve", "reject"), sign=body) == 401
    assert answers_by_slack(request) == ["answered heidi"]
    assert request.status is Status.WAITING
    await request.says("ivan", level=2, channel="email")
    await context.settled(request, "Approved", "heidi", "ivan", "alice")
    assert await played(context, body) == 200
    assert answers_by_slack(request) == ["answered heidi"]


async def played(context: Context, body: str, url: str = "", at: float = 0, sign: str = "") -> int:
    """Post a body as Slack signs it: now, or at another moment, or with the signature of another body."""
    stamp = str(int(at or time.time()))
    key = context.slack.signing_secret.encode()
    signature = hmac.new(key, f"v0:{stamp}:{sign or body}".encode(), hashlib.sha256).hexdigest()
    headers = {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={signature}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    to = url or context.slack.request_url
    async with aiohttp.ClientSession() as session, session.post(to, data=body, headers=headers) as response:
        return response.status


@asynccontextmanager
async def second_portal(context: Context) -> AsyncIterator[str]:
    """Another portal of the same installation; yields its address for Slack's requests."""
    server = Server(create_app(plan(context.deployment.settings)), "127.0.0.1", 0)
    before = context.slack.sockets
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started, "the second portal")
    if by_socket(context):
        await until(lambda: context.slack.sockets > before, "its socket")
    yield f"{server.url}/slack/events"
    server.should_exit = True
    await serving


async def test_somebody_deactivated_since_they_were_asked_decides_nothing(context: Context) -> None:
    context.deployment.apply(slack_policy(device_groups={"vaults": {"managers": ["erin"]}}))
    request = await context.deployment.ask("carol", "vaults")
    prompt = await context.message("erin", request.id)
    context.slack.state.people[user_id("erin")] = {"deleted": True}
    await context.click(prompt, "approve", "erin")
    await context.ephemerals("erin", "deactivated")
    assert (request.status, answers_by_slack(request)) == (Status.WAITING, ["answer_refused slack:UERIN"])
    assert actions_of(await context.message("erin", request.id))


async def test_a_click_that_can_not_be_taken_now_says_so_and_counts_the_next_time(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    context.deployment.apply(slack_policy(device_groups={"vaults": {"managers": ["dave"]}}))
    request = await context.deployment.ask("carol", "vaults")
    prompt = await context.message("dave", request.id)
    context.slack.fail("users.info", faults.server_error())
    await context.click(prompt, "approve", "dave")
    await context.ephemerals("dave", "try again")
    assert "HTTP status 503" in caplog.text
    assert (request.status, answers_by_slack(request)) == (Status.WAITING, [])
    await context.click(prompt, "approve", "dave")
    assert (await request.outcome()).status is Status.APPROVED
