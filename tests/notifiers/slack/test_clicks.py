"""Answers by a click and by a form: on the real engine, in a real Slack, by socket and by HTTP."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from countersign import rates
from countersign.errors import Unavailable
from countersign.models import GrantStatus, Status, Verdict
from notifiers.slack.inbound.dispatcher import CANT_READ_TOLD_AT_MOST
from notifiers.slack.inbound.payloads import named
from notifiers.slack.outbound import parts
from sandbox.slack import people
from store.tables import requests
from tests.local_slack import faults
from tests.local_slack.people import until_seen
from tests.notifiers.slack.way_in import STRANGERS, WayIn, answers, fresh, slack_policy, user_id, value_of
from tests.workflows.deployment import Request, until
from tests.workflows.people import policy

pytestmark = pytest.mark.asyncio(loop_scope="session")
GRACE, BOB, HEIDI = user_id("grace"), user_id("bob"), user_id("heidi")


async def test_a_click_counts_for_whose_it_is(way: WayIn) -> None:
    request = await way.deployment.ask("alice")
    message = await way.prompt(request)
    delivery = await way.click(message, "approve", "bob")
    await until(lambda: way.refusals(request))
    [line] = way.refusals(request)
    proof = {"user": BOB, "team": "T01TEST", "app": "A01APP"}
    assert (line.who, line.channel, proof.items() <= line.proof.items()) == ("bob", "slack", True)
    assert delivery.payload["trigger_id"] not in str(line)
    await way.click(message, "approve", "grace")
    outcome = await request.outcome()
    assert outcome.status is Status.APPROVED
    [decision] = outcome.decisions
    assert (decision.person, decision.channel, decision.comment) == ("grace", "slack", "")


async def test_what_is_delivered_twice_counts_and_is_told_once(way: WayIn) -> None:
    request = await way.deployment.ask("alice")
    message = await way.prompt(request)
    way.slack.deliver_twice(3)
    before = len(await people.ephemerals(way.slack, BOB))
    await way.click(message, "approve", "bob")
    await way.click(message, "approve", "grace")
    assert (await request.outcome()).status is Status.APPROVED
    await way.click(message, "approve", "bob")
    assert len(await way.ephemerals(BOB, before + 2)) == before + 2
    assert answers(way.deployment, request.id) == [("grace", Verdict.APPROVE)]
    assert way.seam.calls.count("store_answer") == 3


async def test_who_is_not_asked_or_too_late_is_told_so(way: WayIn) -> None:
    request = await way.deployment.ask("alice", "databases")
    old = await way.prompt(request)
    new = await way.prompt(request, level=2)
    for message, action, person, expected in (
        (old, "approve", "bob", "not asked"),
        (old, "approve", "alice", "own"),
        (new, "approve", "ivan", "level"),
        (old, "approve", "grace", ""),
        (old, "approve", "grace", "level"),
        (new, "approve", "ivan", ""),
        (new, "approve", "ivan", "already"),
        (new, "approve", "heidi", ""),
        (new, "approve", "ada", "already Approved"),
        (new, "cancel", "alice", "already Approved"),
        (new, "revoke", "alice", "Only an approver"),
        (new, "cancel", "bob", "Only Alice"),
    ):
        user = user_id(person)
        before = len(await people.ephemerals(way.slack, user))
        await way.click(message, action, person)
        if expected:
            said = (await way.ephemerals(user, before + 1))[before:]
            assert len(said) == 1
            assert expected in said[0]
        else:
            await until(lambda person=person: person in [who for who, _ in answers(way.deployment, request.id)])  # type: ignore[misc]
    assert [who for who, _ in answers(way.deployment, request.id)] == ["grace", "ivan", "heidi"]


@pytest.mark.parametrize("user", [*STRANGERS, "UNOBODY"])
async def test_strangers_are_refused_in_words_and_on_the_record(way: WayIn, user: str) -> None:
    request = await way.deployment.ask("alice")
    before = len(await people.ephemerals(way.slack, user))
    await people.click(way.slack, await way.prompt(request), "approve", user)
    assert (await way.ephemerals(user, before + 1))[before:]
    await people.click(way.slack, await way.prompt(request), "reject", user)
    await until(lambda: [line.proof["user"] for line in way.refusals(request)] == [user, user])
    assert request.status is Status.WAITING
    assert "store_answer" not in way.seam.calls


async def test_who_is_disabled_may_do_nothing(way: WayIn) -> None:
    granted, waiting = await way.deployment.ask("alice"), await way.deployment.ask("alice")
    await way.click(await way.prompt(granted), "approve", "grace")
    assert (await granted.outcome()).status is Status.APPROVED
    messages = {action: await way.prompt(waiting) for action in ("approve", "reject", "cancel")}
    messages["revoke"] = await way.prompt(granted)
    await way.click(messages["reject"], "reject", "grace")
    form = await way.modal("grace", "answer")
    way.deployment.apply(slack_policy(disabled=("grace", "heidi")))
    try:
        way.seam.calls.clear()
        before = len(await people.ephemerals(way.slack, GRACE))
        for count, action in enumerate(("approve", "cancel", "revoke"), 1):
            await way.click(messages[action], action, "grace")
            assert "disabled" in (await way.ephemerals(GRACE, before + count))[-1]
        await people.submit_view(way.slack, form, {"comment": "no"}, GRACE)
        assert "disabled" in await way.said_in_modal("grace")
        asked = await people.command(way.slack, "/connect", f"{way.deployment.devices.fresh('web')} ssh now", GRACE)
        assert "disabled" in asked.answer["text"]
        await people.open_home(way.slack, GRACE)
        await until_seen(lambda: shows(way, GRACE, "disabled"))
        assert not {"store_answer", "cancel", "revoke", "ask", "mine"} & set(way.seam.calls)
        assert {line.who for line in [*way.refusals(waiting), *way.refusals(granted)]} == {"grace"}
    finally:
        way.deployment.apply(slack_policy())


async def shows(way: WayIn, user: str, message: str) -> bool:
    """Whether somebody's Home page has these words."""
    return message in json.dumps(people.home_of(way.slack, user) or {})


@pytest.mark.parametrize(
    "value",
    [
        *("", "1001", "1001:1:1", "0:1", "-1:1", "1001:0", " 1001:1", "1001:1\n", "٣:1", "1e3:1", "{}", "a" * 2000),
        *(
            "9" * 30 + ":1",
            "1:" + "9" * 9,
            "9999999999:1",
            "2147483648:1",
            "1001:1:",
            "1001:1:0123456789AB",
            "1001:1:0123456789abc",
        ),
    ],
)
async def test_a_value_that_is_none_of_ours_is_refused(way: WayIn, value: str) -> None:
    for action in ("approve", "reject", "cancel"):
        before = len(await people.ephemerals(way.slack, BOB))
        message = await way.buttons("1:1")
        message["blocks"][0]["elements"] = [
            {**each, "value": value} for each in message["blocks"][0]["elements"] if each["action_id"] == action
        ]
        await way.click(message, action, "bob")
        assert "can't be read" in (await way.ephemerals(BOB, before + 1))[-1]
    assert not {"store_answer", "cancel"} & set(way.seam.calls)


async def test_who_sends_what_cant_be_read_again_and_again_is_told_a_few_times_only(
    way: WayIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "HOUR_SECONDS", 3600.0)
    before = len(await people.ephemerals(way.slack, HEIDI))
    message = await way.buttons("none:1")
    for _ in range(2 * CANT_READ_TOLD_AT_MOST):
        await way.click(message, "approve", "heidi")
    told = await way.ephemerals(HEIDI, before + CANT_READ_TOLD_AT_MOST)
    assert len(told) == before + CANT_READ_TOLD_AT_MOST
    await way.click(await way.prompt(await way.deployment.ask("alice")), "cancel", "heidi")
    assert "Only Alice" in (await way.ephemerals(HEIDI, before + CANT_READ_TOLD_AT_MOST + 1))[-1]


EARLIER = "an earlier request that had the number"


async def test_a_button_of_an_earlier_request_of_the_same_number_changes_nothing(way: WayIn) -> None:
    waits, granted = await way.deployment.ask("alice"), await way.deployment.ask("alice")
    assert (await granted.says("grace")).accepted
    await granted.outcome()
    way.seam.calls.clear()
    for request, action, person in (
        (waits, "approve", "grace"),
        (waits, "cancel", "alice"),
        (granted, "revoke", "grace"),
        (granted, "give_back", "alice"),
    ):
        before = len(await people.ephemerals(way.slack, user_id(person)))
        old = await way.buttons(parts.value(request.id, 1, "the run of an earlier request"))
        await way.click(old, action, person)
        assert EARLIER in (await way.ephemerals(user_id(person), before + 1))[-1]
        assert way.refusals(request)[-1].who == person
    await way.click(await way.buttons(parts.value(waits.id, 1, "")), "reject", "grace")
    assert EARLIER in await way.said_in_modal("grace")
    assert not {"cancel", "revoke", "give_back"} & set(way.seam.calls)
    assert (waits.status, answers(way.deployment, waits.id)) == (Status.WAITING, [])
    grant = way.deployment.store.reading.request(granted.id).grant
    assert grant is not None
    assert grant.status is GrantStatus.ACTIVE


async def test_a_form_of_an_earlier_request_of_the_same_number_changes_nothing(way: WayIn) -> None:
    request = await opened(way, "approve_with_comment", "grace")
    view = await way.modal("grace", "answer")
    good = json.loads(view["private_metadata"])
    view = {**view, "private_metadata": json.dumps(good | {"run": "0123456789ab"}), "id": f"V{fresh()}"}
    sent = await people.submit_view(way.slack, view, {"comment": "fine"}, GRACE)
    assert EARLIER in json.dumps(sent.answer)
    assert (request.status, way.refusals(request)[-1].who) == (Status.WAITING, "grace")


async def test_the_buttons_of_a_request_without_a_run_on_record_stay_good(way: WayIn) -> None:
    request = await way.deployment.ask("alice")
    with way.deployment.store.database.transaction() as connection:
        connection.execute(requests.update().where(requests.c.approval_id == request.id).values(token_run=""))
    assert value_of(request) == f"{request.id}:1"
    await way.click(await way.prompt(request), "approve", "grace")
    assert (await request.outcome()).status is Status.APPROVED


async def test_where_slack_only_links_nothing_is_decided(way: WayIn) -> None:
    way.deployment.apply(policy(channels={"email": "decide", "slack": "link_only"}))
    try:
        request = await way.deployment.ask("alice")
        message = await way.prompt(request)
        before = len(await people.ephemerals(way.slack, GRACE))
        await way.click(message, "approve", "grace")
        assert "can't be decided" in (await way.ephemerals(GRACE, before + 1))[-1]
        await way.click(message, "reject", "grace")
        assert "can't be decided" in await way.said_in_modal("grace")
        assert [line.who for line in way.refusals(request)] == ["grace", "grace"]
        assert request.status is Status.WAITING
    finally:
        way.deployment.apply(slack_policy())


async def test_an_approval_that_needs_a_fresh_sign_in_counts_by_no_click_and_a_rejection_by_one(way: WayIn) -> None:
    way.deployment.apply(slack_policy(confirm="sign_in_again"))
    try:
        request = await way.deployment.ask("alice")
        message = await way.prompt(request)
        before = len(await people.ephemerals(way.slack, GRACE))
        await way.click(message, "approve", "grace")
        assert "on its page alone" in (await way.ephemerals(GRACE, before + 1))[-1]
        assert request.status is Status.WAITING
        await way.click(message, "reject", "grace")
        await people.submit_view(way.slack, await way.modal("grace", "answer"), {"comment": "no"}, GRACE)
        assert (await request.outcome()).status is Status.REJECTED
    finally:
        way.deployment.apply(slack_policy())


async def test_a_request_that_never_was_and_a_button_that_is_none(way: WayIn) -> None:
    before = len(await people.ephemerals(way.slack, GRACE))
    message = await way.buttons("2147483647:1")
    for count, (action, expected) in enumerate(
        [("approve", "There is no request"), ("cancel", "no request"), ("unheard_of", "can't be read")], 1
    ):
        await way.click(message, action, "grace")
        assert expected in (await way.ephemerals(GRACE, before + count))[-1]


async def test_a_stored_answer_is_kept_while_the_engine_is_away(way: WayIn) -> None:
    request = await way.deployment.ask("alice")
    before = len(await people.ephemerals(way.slack, GRACE))
    way.seam.failing["submit"] = Unavailable("Temporal does not answer")
    await way.click(await way.prompt(request), "approve", "grace")
    assert "is kept" in (await way.ephemerals(GRACE, before + 1))[-1]
    assert answers(way.deployment, request.id) == []
    [left] = [
        one
        for one in way.deployment.store.answers.waiting(way.deployment.store.reading.request(request.id).deadline)
        if one.approval_id == request.id
    ]
    await way.deployment.engine.submit(left)
    assert (await request.outcome()).status is Status.APPROVED


@pytest.mark.parametrize("error", [Unavailable("The database is away"), RuntimeError("xoxb-1-secret")])
async def test_what_was_not_stored_can_be_clicked_again(
    way: WayIn, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    request = await way.deployment.ask("alice")
    message = await way.prompt(request)
    before = len(await people.ephemerals(way.slack, GRACE))
    way.seam.failing["store_answer"] = error
    await way.click(message, "approve", "grace")
    said = (await way.ephemerals(GRACE, before + 1))[-1]
    assert "not recorded" in said
    assert "xoxb" not in said
    way.seam.failing.clear()
    await way.click(message, "approve", "grace")
    assert (await request.outcome()).status is Status.APPROVED


async def test_a_slow_engine_keeps_nobody_waiting(way: WayIn) -> None:
    request = await way.deployment.ask("alice")
    way.seam.slow["submit"] = 4.0
    delivery = await way.click(await way.prompt(request), "approve", "grace")
    assert delivery.seconds < 2
    assert (await request.outcome()).status is Status.APPROVED


async def opened(way: WayIn, action: str, person: str, group: str = "web") -> Request:
    request = await way.deployment.ask("alice", group)
    await way.click(await way.prompt(request), action, person)
    return request


async def test_approve_with_a_comment(way: WayIn) -> None:
    request = await opened(way, "approve_with_comment", "grace")
    view = await way.modal("grace", "answer")
    assert json.loads(view["private_metadata"]) == named(value_of(request))._asdict() | {"verdict": "approve"}
    await people.submit(way.slack, {"comment": "  for tonight\u202e only "}, GRACE)
    assert (await request.outcome()).decisions[0].comment == "for tonight only"
    await until(lambda: people.open_modal_of(way.slack, GRACE) is None)


async def test_the_form_is_open_before_anything_else_is_asked(way: WayIn) -> None:
    way.seam.slow["request"] = 1.0
    await opened(way, "reject", "grace")
    methods = [call.method for call in way.slack.calls]
    assert people.open_modal_of(way.slack, GRACE) is not None or "views.open" in methods[-2:]
    await way.modal("grace", "answer")


async def test_a_rejection_needs_a_reason_where_the_policy_says_so(way: WayIn) -> None:
    way.deployment.apply(slack_policy(rejection_needs_reason=True))
    try:
        request = await opened(way, "reject", "grace")
        view = await way.modal("grace", "answer")
        refused = await people.submit(way.slack, {"comment": " \n\u200b "}, GRACE)
        assert refused.answer["response_action"] == "errors"
        assert list(refused.answer["errors"]) == ["comment"]
        assert people.open_modal_of(way.slack, GRACE) is not None
        await people.submit_view(way.slack, view, {"comment": "not on a Friday"}, GRACE)
        outcome = await request.outcome()
        assert (outcome.status, outcome.decisions[0].comment) == (Status.REJECTED, "not on a Friday")
    finally:
        way.deployment.apply(slack_policy())


async def test_a_form_says_why_it_can_not_be_answered(way: WayIn) -> None:
    request = await opened(way, "reject", "bob")
    assert "not asked" in await way.said_in_modal("bob")
    await until(lambda: [line.who for line in way.refusals(request)] == ["bob"])
    await way.click(await way.prompt(request), "approve_with_comment", "grace")
    await way.modal("grace", "answer")
    assert (await request.says("grace")).accepted
    await people.submit(way.slack, {"comment": "too late"}, GRACE)
    assert "already Approved" in await way.said_in_modal("grace")


async def test_a_form_is_kept_while_the_engine_is_away_or_slow(way: WayIn) -> None:
    await opened(way, "reject", "grace")
    await way.modal("grace", "answer")
    way.seam.failing["submit"] = Unavailable("Temporal does not answer")
    await people.submit(way.slack, {"comment": ""}, GRACE)
    assert "is kept" in await way.said_in_modal("grace")
    way.seam.failing.clear()
    way.seam.slow["submit"] = 3.0
    request = await opened(way, "reject", "grace")
    await way.modal("grace", "answer")
    sent = await people.submit(way.slack, {"comment": ""}, GRACE)
    assert sent.seconds < 3
    assert "is kept" in await way.said_in_modal("grace")
    assert (await request.outcome()).status is Status.REJECTED

    async def counted() -> bool:
        return "counted" in await way.said_in_modal("grace")

    await until_seen(counted)


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("views.open", faults.fails("expired_trigger_id")),
        ("views.open", faults.server_error()),
        ("views.update", faults.fails("not_found")),
    ],
)
async def test_a_form_that_slack_does_not_open(way: WayIn, method: str, fault: faults.Fault) -> None:
    before = len(await people.ephemerals(way.slack, GRACE))
    way.slack.fail(method, fault, times=2)
    await opened(way, "reject", "grace")
    assert "press the button again" in (await way.ephemerals(GRACE, before + 1))[-1]


async def test_metadata_that_is_not_ours_is_refused(way: WayIn) -> None:
    request = await opened(way, "reject", "grace")
    view = await way.modal("grace", "answer")
    good = json.loads(view["private_metadata"])
    for bad in ("", "[]", "{", json.dumps(good | {"id": str(good["id"])}), json.dumps(good | {"id": 2**40}),
                json.dumps(good | {"level": -1}), json.dumps(good | {"verdict": "maybe"}),
                json.dumps(good | {"run": "f"})):  # fmt: skip
        sent = await people.submit_view(way.slack, {**view, "private_metadata": bad, "id": f"V{fresh()}"}, {}, GRACE)
        assert "can't be read" in json.dumps(sent.answer)
    assert request.status is Status.WAITING


async def test_no_secret_reaches_the_log(way: WayIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    way.slack.fail("views.open", faults.cut())
    way.slack.fail("response_url", faults.cut())
    way.seam.failing["store_answer"] = RuntimeError("it failed")
    request = await way.deployment.ask("alice")
    message = await way.prompt(request)
    sent = [await way.click(message, action, "grace") for action in ("approve", "reject", "unheard_of")]
    await asyncio.sleep(0.2)
    log = "\n".join(record.getMessage() + str(record.exc_text) for record in caplog.records if record.name != "asyncio")
    secrets = [way.slack.bot_token, way.slack.app_token, way.slack.signing_secret]
    secrets += [each.payload[name] for each in sent for name in ("trigger_id", "response_url")]
    assert not [secret for secret in secrets if secret in log]
