"""The Home page: what waits, what was asked, and what may be used; and what its buttons do."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest

from countersign.errors import Refused
from countersign.models import GrantStatus, Status
from countersign.permissions import Principal
from sandbox.slack import people
from sandbox.slack.workspace import Json
from tests.local_slack import faults
from tests.local_slack.people import until_seen
from tests.notifiers.slack.way_in import WayIn, user_id, value_of
from tests.workflows.deployment import until

pytestmark = pytest.mark.asyncio(loop_scope="session")
ALICE, GRACE = user_id("alice"), user_id("grace")


async def home(way: WayIn, user: str, *wanted: str, gone: str = "") -> Json:
    """The page, once it shows all that is `wanted` and not what should be `gone`."""

    async def look() -> Json:
        view = people.home_of(way.slack, user) or {}
        shown = json.dumps(view)
        return view if all(each in shown for each in wanted) and not (gone and gone in shown) else {}

    return await until_seen(look)


async def cancel_all(way: WayIn, approver: str) -> None:
    """Cancel what waits for somebody: the page shows the most urgent ten, and other tests leave theirs waiting."""
    engine, reading = way.deployment.engine, way.deployment.store.reading
    while waiting := reading.waiting_for(approver)[0]:
        for one in waiting:
            with suppress(Refused):  # something that another test did may end it first
                await engine.cancel(one.approval_id, Principal(one.question.requester), "page")


async def test_it_shows_what_waits_and_answers_from_there(way: WayIn) -> None:
    await cancel_all(way, "grace")
    request = await way.deployment.ask("alice")
    value = value_of(request)
    await people.open_home(way.slack, GRACE)
    page = await home(way, GRACE, f'"{value}"')
    await people.click_in_view(way.slack, page, "reject", GRACE, value)
    await way.modal("grace", "answer")
    await people.submit(way.slack, {"comment": "not now"}, GRACE)
    assert (await request.outcome()).status is Status.REJECTED
    await home(way, GRACE, gone=f'"{value}"')
    await people.click_in_view(way.slack, page, "approve", GRACE, value)
    assert "already Rejected" in await way.said_in_modal("grace")


async def test_the_requester_cancels_there(way: WayIn) -> None:
    request = await way.deployment.ask("alice")
    value = value_of(request)
    await people.open_home(way.slack, ALICE)
    page = await home(way, ALICE, f'"{value}"')
    await people.click_in_view(way.slack, page, "cancel", ALICE, value)
    assert (await request.outcome()).status is Status.CANCELLED
    await home(way, ALICE, f"#{request.id}", gone=f'"{value}"')


async def test_a_grant_is_shown_and_revoked_by_who_may(way: WayIn) -> None:
    request = await way.deployment.ask("alice")
    message = await way.prompt(request)
    await way.click(message, "approve", "grace")
    assert (await request.outcome()).status is Status.APPROVED
    await people.open_home(way.slack, ALICE)
    page = await home(way, ALICE, f"*#{request.id}*", "You may connect")
    button = next(each for each in message["blocks"][0]["elements"] if each["action_id"] == "revoke")
    page["blocks"].append({"type": "actions", "block_id": "b", "elements": [button]})
    await people.click_in_view(way.slack, page, "revoke", ALICE)
    assert "Only an approver" in await way.said_in_modal("alice")
    await until(lambda: [line.who for line in way.refusals(request)] == ["alice"])
    await people.open_home(way.slack, GRACE)
    page = await home(way, GRACE, f'"{value_of(request)}"', '"revoke"')
    way.slack.deliver_twice()
    await people.click_in_view(way.slack, page, "revoke", GRACE, value_of(request))

    def status() -> GrantStatus | None:
        grant = way.deployment.store.reading.request(request.id).grant
        return grant.status if grant else None

    await until(lambda: status() is GrantStatus.REVOKED)
    await home(way, GRACE, gone=f'"{value_of(request)}"')
    assert way.seam.calls.count("revoke") == 2


async def test_a_grant_is_given_back_there_by_who_holds_it(way: WayIn) -> None:
    request = await way.deployment.ask("alice")
    value = value_of(request)
    await way.click(await way.prompt(request), "approve", "grace")
    assert (await request.outcome()).status is Status.APPROVED
    await people.open_home(way.slack, ALICE)
    page = await home(way, ALICE, f'"{value}"', '"give_back"')
    await people.click_in_view(way.slack, page, "give_back", ALICE, value)
    await home(way, ALICE, gone=f'"{value}"')
    grant = way.deployment.store.reading.request(request.id).grant
    assert grant is not None
    assert (grant.status, grant.message) == (GrantStatus.ENDED, "Given back by Alice A.")


async def test_who_may_not_see_it_reads_why(way: WayIn) -> None:
    for user in ("UGUEST", "UNOBODY"):
        await people.open_home(way.slack, user)
        page = await home(way, user, '"section"')
        assert "actions" not in {block["type"] for block in page["blocks"]}


async def test_a_page_that_can_not_be_shown_costs_nothing(way: WayIn) -> None:
    way.slack.fail("views.publish", faults.server_error(), times=2)
    way.seam.failing["mine"] = RuntimeError("it failed")
    await people.open_home(way.slack, GRACE)
    way.seam.failing.clear()
    request = await way.deployment.ask("alice")
    before = len(await people.ephemerals(way.slack, GRACE))
    await way.click(await way.prompt(request), "approve", "grace")
    assert (await request.outcome()).status is Status.APPROVED
    assert len(await people.ephemerals(way.slack, GRACE)) == before
