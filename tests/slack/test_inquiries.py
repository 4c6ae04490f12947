"""Questions and comments in Slack: below the message that shows the request, and nothing in them is more than text."""

from __future__ import annotations

import asyncio

import pytest

from countersign.notifications import SubmittedComment
from engine.engine import Engine
from sandbox.slack.workspace import Json
from tests.slack.context import MOSTLY_BY_SOCKET, ROOM, Context, actions_of, slack_policy, words_of
from tests.workflows.deployment import Request

pytestmark = [pytest.mark.asyncio(loop_scope="session"), MOSTLY_BY_SOCKET]

HOSTILE = "<!channel> *Approved* by <https://evil.example|Grace>, right?"


def written(request: Request, person: str, text: str) -> SubmittedComment:
    return SubmittedComment(channel="email", source_id=text, approval_id=request.id, person=person, text=text)


def engine_of(context: Context) -> Engine:
    """The engine of a process that sends nothing by itself, as the workers have Slack."""
    return Engine(context.deployment.client, context.deployment.store)


async def below(context: Context, person: str, number: int) -> Json:
    """The one reply below somebody's message about a request."""
    return await context.one_of(lambda: context.replies(person, number), f"a reply to {person}'s message")


def quoted(message: Json) -> list[str]:
    """The texts of a message in which Slack reads no markup."""
    texts = [block["text"] for block in message["blocks"] if "text" in block]
    return [text["text"] for text in texts if text["type"] == "plain_text"]


async def test_a_question_and_a_comment_stand_below_each_one_s_message(context: Context) -> None:
    request = await context.deployment.ask("alice", "vaults")
    prompts = [await context.message(one, request.id, "asks to") for one in ("grace", "ivan")]
    await context.message("alice", request.id, "You asked")
    await engine_of(context).inquire(written(request, "grace", HOSTILE))
    question = await below(context, "alice", request.id)
    assert question["text"].startswith(f"#{request.id} · *Grace G.* asks about your request to connect to")
    assert (quoted(question), actions_of(question)) == ([f"› {HOSTILE}"], [])

    await engine_of(context).comment(written(request, "alice", "The backup failed."))
    for person in ("grace", "ivan"):
        comment = await below(context, person, request.id)
        assert "*Alice A.* commented on the request" in words_of(comment)
        assert quoted(comment) == ["› The backup failed."]
    await context.click(prompts[0], "approve", "grace")
    await context.settled(request, "Approved", "grace", "ivan", "alice")


async def test_a_comment_stands_once_below_the_message_in_a_room(context: Context) -> None:
    context.deployment.apply(slack_policy(rooms={"slack": ROOM}))
    request = await context.deployment.ask("carol", "databases")
    await context.in_room(request.id, "<@UHEIDI>")
    await engine_of(context).comment(written(request, "carol", "It is for the audit."))
    comment = await context.in_room(request.id, "It is for the audit.")
    assert comment["thread_ts"] != comment["ts"]
    assert [await context.all_messages(one, request.id) for one in ("heidi", "ivan")] == [[], []]


async def test_a_requester_who_is_missing_in_slack_is_asked_by_mail_once(context: Context) -> None:
    request = await context.deployment.ask("judy", "vaults")
    await context.message("ivan", request.id)
    await engine_of(context).inquire(written(request, "ivan", "What is this about?"))
    await context.one_of(lambda: context.messages("ivan", request.id), "the prompt")
    mail = await asyncio.to_thread(context.deployment.person("judy").wait_for_mail, request.id, "asks about")
    assert "What is this about?" in str(mail)
    await request.until_mailed(judy=["inquiry"])
