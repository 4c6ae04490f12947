"""What the demo shows of Slack: the real blocks, in a terminal; and that what doesn't happen there is named."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from rich.console import Console

from countersign.models import Verdict
from notifiers.slack.inbound.payloads import Named
from notifiers.slack.outbound import parts
from notifiers.slack.outbound.views import answer_modal
from sandbox.demo import chat, workspace
from sandbox.demo.blocks import buttons_of, drawn, modal, texts_of
from sandbox.demo.chat import Chat
from sandbox.demo.screen import Screen
from sandbox.demo.steps import StepFailed
from sandbox.slack.tool import NoSlack
from sandbox.slack.workspace import Json

NAMES = {"UGRACE": "Grace"}
MESSAGE = parts.as_json(
    [
        parts.header("Approval needed · #7"),
        parts.section("*Al &lt;b&gt;* asks <@UGRACE> for `db-1`, until <!date^1^{date_short_pretty}|noon, UTC>."),
        *parts.fields(["*Who*\nAl", "*From*\n`10.0.0.1`", "*Level*\n1 of 2"]),
        *parts.quote("disk *full* <@UGRACE>", 100),
        *parts.actions([parts.button("approve", "7:1", style="primary"), parts.button("reject", "7:1")]),
        parts.context("Countersign · <https://example.com|request #7>"),
    ]
)


def seen(shown: object) -> list[str]:
    written = io.StringIO()
    Console(file=written, width=80, markup=False, emoji=False, highlight=False).print(shown)
    return [line.rstrip() for line in written.getvalue().splitlines()]


def test_a_message_is_drawn_as_slack_shows_it() -> None:
    assert seen(drawn(MESSAGE, NAMES, {})) == [
        "Approval needed · #7",
        "Al <b> asks @Grace for db-1, until noon, UTC.",
        "Who       From",
        "Al        10.0.0.1",
        "Level",
        "1 of 2",
        "› disk *full* <@UGRACE>",
        "[ Approve ]  [ Reject ]",
        "Countersign · request #7",
    ]
    assert [one["action_id"] for one in buttons_of(MESSAGE)] == ["approve", "reject"]
    assert "1 of 2" in texts_of(MESSAGE, NAMES).splitlines()


def test_a_form_is_drawn_with_what_was_written_into_it() -> None:
    view: Json = answer_modal(Named(7, 1, ""), Verdict.REJECT)
    field = {"type": "input", "label": {"type": "plain_text", "text": "Why not?"}, "element": {"action_id": "comment"}}
    submit = {"type": "plain_text", "text": "Reject"}
    shown = seen(modal({**view, "blocks": [field], "submit": submit}, NAMES, {"comment": "No."}))
    assert shown[:2] == ["Why not?", "[ No. ]"]
    assert shown[-1].endswith("[ Reject ]")


def test_a_block_that_nobody_draws_yet_is_no_silence() -> None:
    with pytest.raises(ValueError, match="rich_text"):
        drawn([{"type": "rich_text"}], NAMES, {})


@pytest.fixture
async def people(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Chat]:
    """The story's people in a Slack that Countersign is not connected to."""
    monkeypatch.setattr(chat, "SECONDS", 0.2)
    async with AsyncExitStack() as stack:
        try:
            slack = await stack.enter_async_context(workspace.new_slack(lambda _: None))
        except NoSlack as reason:
            pytest.skip(str(reason))
        yield Chat(slack, Screen(Console(file=io.StringIO(), width=80)))


async def test_what_does_not_happen_in_slack_is_named(people: Chat) -> None:
    with pytest.raises(StepFailed, match=r"^Slack never shows #web about #7 “Why” with the buttons approve, reject$"):
        await people.message(workspace.ROOM, 7, "Why", buttons=("approve", "reject"))
    with pytest.raises(StepFailed, match=r"^Slack never tells Mallory alone “not asked”$"):
        await people.ephemeral("mallory", "not asked")
    with pytest.raises(StepFailed, match=r"^Mallory has no button “revoke” to press$"):
        await people.press({"blocks": MESSAGE}, "revoke", "mallory")
    for wrong in (r"^Slack never shows #web about #7", r"^Slack shows #web two messages about #7$"):
        post = {"channel": workspace.ROOM, "text": "-", "blocks": MESSAGE}
        await people.slack.inside.post("/api/chat.postMessage", post, people.slack.bot_token)
        with pytest.raises(StepFailed, match=wrong):
            await people.message(workspace.ROOM, 7, buttons=("approve",))
