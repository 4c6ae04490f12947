"""Asking in Slack: what may be typed, and what the real engine makes of it."""

from __future__ import annotations

import pytest

from countersign.errors import TooMany, Unavailable
from countersign.kinds.connection import ConnectionQuestion
from countersign.models import Asked, Status
from notifiers.slack.inbound.connect_text import typed_fields
from sandbox.slack import people
from sandbox.slack.workspace import Json
from tests.local_slack import faults
from tests.local_slack.people import shortcut
from tests.notifiers.slack.way_in import ROOM, WayIn, user_id
from tests.workflows.deployment import Request, until

ALICE, CAROL = user_id("alice"), user_id("carol")
ours = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("", {}),
        ("  \n ", {}),
        ("db-1", {"device": "db-1"}),
        ("db-1 ssh 60m restore it", {"device": "db-1", "protocol": "ssh", "minutes": 60, "reason": "restore it"}),
        ("DB-1 SSH 2h", {"device": "db-1", "protocol": "ssh", "minutes": 120}),
        ("db-1 ssh 1h30m x", {"device": "db-1", "protocol": "ssh", "minutes": 90, "reason": "x"}),
        ("db-1 ssh 60min x", {"device": "db-1", "protocol": "ssh", "minutes": 60, "reason": "x"}),
        ("db-1 ssh 0m x", {"device": "db-1", "protocol": "ssh", "minutes": 0, "reason": "x"}),
        ("db-1 ssh 60 disks are full", {"device": "db-1", "protocol": "ssh", "reason": "60 disks are full"}),
        ("db-1 ssh ٦٠m", {"device": "db-1", "protocol": "ssh", "minutes": 60}),
        ("“db-1” ‘ssh’ “it’s broken”", {"device": "db-1", "protocol": "ssh", "reason": "it’s broken"}),
        ("db-1 ssh say 'no' or \"yes\"", {"device": "db-1", "protocol": "ssh", "reason": "say 'no' or \"yes\""}),
        ("<http://db-1.example|db-1.example> ssh", {"device": "db-1.example", "protocol": "ssh"}),
        ("<mailto:a@b.example|a@b.example> ssh", {"device": "a@b.example", "protocol": "ssh"}),
        ("<http://evil.example|db-1> ssh", {"device": "db-1", "protocol": "(http://evil.example)", "reason": "ssh"}),
        ("db-1 ssh see <https://x.example/1>", {"device": "db-1", "protocol": "ssh", "reason": "see https://x.example/1"}),
        ("db-1 ssh <@U1|bob> <#C1|ops> <!here> &lt;b&gt; &amp;amp;",
         {"device": "db-1", "protocol": "ssh", "reason": "@bob #ops here <b> &amp;"}),
        ("ticket:OPS-1 db-1 ssh 5m", {"ticket": "OPS-1", "device": "db-1", "protocol": "ssh", "minutes": 5}),
        ("db-1 ssh from:<http://192.0.2.7|192.0.2.7> x",
         {"source_address": "192.0.2.7", "device": "db-1", "protocol": "ssh", "reason": "x"}),
        ("db-1 ssh 5m x From:2001:db8::7",
         {"source_address": "2001:db8::7", "device": "db-1", "protocol": "ssh", "minutes": 5, "reason": "x"}),
        ("db-1 ssh a copy from:backup.7 from: 1",
         {"device": "db-1", "protocol": "ssh", "reason": "a copy from:backup.7 from: 1"}),
        ("db-1 ssh x Ticket:“OPS-1” y", {"ticket": "OPS-1", "device": "db-1", "protocol": "ssh", "reason": "x y"}),
        ("db-1\nssh\n5m\nline one\nline two",
         {"device": "db-1", "protocol": "ssh", "minutes": 5, "reason": "line one\nline two"}),
    ],
)  # fmt: skip
def test_what_was_typed_is_read(typed: str, read: Json) -> None:
    assert typed_fields(typed) == read


@pytest.mark.parametrize("typed", ["<" * 40_000, "<a|" * 13_000, "ticket:" * 6_000, "1h" * 20_000, "“" * 40_000])
@pytest.mark.timeout(30)
def test_nothing_typed_takes_long(typed: str) -> None:
    typed_fields(typed)


async def connect(way: WayIn, text: str, user: str = ALICE) -> str:
    """Type `/connect` as somebody; returns what they are told at once."""
    return str((await people.command(way.slack, "/connect", text, user, ROOM)).answer.get("text", ""))


@ours
async def test_a_question_is_asked_and_joined(way: WayIn) -> None:
    device = way.deployment.devices.fresh("web")
    said = await connect(way, f"<http://{device}|{device}> SSH 45m ticket:OPS-7 “restore *it* &lt;!channel&gt;”")
    [view] = [one for one in (await way.deployment.engine.mine("alice")).asked if one.subject.target == device]
    assert said.startswith(f"#{view.approval_id} to `{device}` over SSH is open. Asked: Grace G.")
    question = view.question
    assert isinstance(question, ConnectionQuestion)
    assert (question.requester, question.minutes, question.ticket) == ("alice", 45, "OPS-7")
    assert question.reason == "restore *it* <!channel>"
    again = await connect(way, f"{device} ssh")
    assert again.startswith(f"#{view.approval_id} was asked for before and waits: 45 minutes, with the reason “restore")
    assert "Asked: Grace G." in again
    address = f"#{view.approval_id} names no source address, so a gate that knows where you connect from refuses it."
    for one in (said, again):
        assert f"{address} Cancel it, then name yours, as in `/connect {device} ssh from:192.0.2.7`" in one
    joined = await connect(way, f"{device} ssh from:192.0.2.7")
    assert f"#{view.approval_id} was asked for without a source address, so it will not let you in from here" in joined
    request = Request(way.deployment, question, Asked(approval_id=view.approval_id, status=view.status, joined=False))
    assert (await request.says("grace")).accepted
    assert "Yes: you may connect" in await connect(way, f"{device} ssh")


@ours
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("help", "Ask for a connection"),
        ("web-1", "protocol is missing"),
        ("web-1 telnet", "protocol must be ssh"),
        ("web-1 ssh 0m", "minutes"),
        ("web-1 ssh from:192.0.2", "source_address"),
        ("web-1 ssh 99999999h", "minutes"),
        ("no-such-device ssh", "no-such-device"),
        ("<!channel> ssh", "channel is in no device group"),
        ("&lt;!channel&gt; ssh", "is not an id"),
        ("web-1 ssh " + "x" * 1001, "reason"),
    ],
)
async def test_what_can_not_be_asked_is_refused_in_words(way: WayIn, text: str, message: str) -> None:
    before = len((await way.deployment.engine.mine("alice")).asked)
    said = await connect(way, text)
    assert message in said
    assert "<!channel" not in said
    assert len((await way.deployment.engine.mine("alice")).asked) == before


@ours
async def test_nobody_asks_for_another_or_without_being_known(way: WayIn) -> None:
    device = way.deployment.devices.fresh("web")
    await connect(way, f"{device} ssh requester=carol requester:carol")
    assert not [one for one in (await way.deployment.engine.mine("carol")).asked if one.subject.target == device]
    assert "open" not in await connect(way, f"{device} ssh", "UGUEST")
    before = len(way.seam.calls)
    await connect(way, f"{device} ssh", "UNOBODY")
    assert "ask" not in way.seam.calls[before:]


@ours
async def test_a_slow_or_absent_engine(way: WayIn) -> None:
    way.seam.slow["ask"] = 3.0
    before = len(await people.ephemerals(way.slack, ALICE, ROOM))
    device = way.deployment.devices.fresh("web")
    delivery = await people.command(way.slack, "/connect", f"{device} ssh", ALICE, ROOM)
    assert delivery.seconds < 3
    assert "on its way" in delivery.answer["text"]
    assert "is open" in (await way.ephemerals(ALICE, before + 2, ROOM))[-1]
    way.seam.failing["ask"] = Unavailable("Temporal does not answer")
    way.seam.slow.clear()
    assert "Temporal does not answer. Please try again." in await connect(way, f"{device} rdp")
    way.seam.failing["ask"] = TooMany("60 requests were opened for alice within an hour; ask again in 7 minutes.")
    assert (await connect(way, f"{device} rdp")).endswith("ask again in 7 minutes.")
    way.seam.failing["ask"] = Unavailable("Temporal does not answer; try again.")
    assert (await connect(way, f"{device} rdp")).endswith("Temporal does not answer. Please try again.")
    before = len(await people.ephemerals(way.slack, ALICE, ROOM))
    way.slack.fail("views.open", faults.fails("expired_trigger_id"))
    await people.command(way.slack, "/connect", "", ALICE, ROOM)
    assert "could not open the form" in (await way.ephemerals(ALICE, before + 1, ROOM))[-1]


@ours
async def test_a_command_delivered_twice_asks_once(way: WayIn) -> None:
    way.slack.deliver_twice()
    device = way.deployment.devices.fresh("web")
    await connect(way, f"{device} ssh")
    [view] = [one for one in (await way.deployment.engine.mine("alice")).asked if one.subject.target == device]
    assert [line.kind for line in way.deployment.store.events.of(view.approval_id)].count("asked_again") == 0


@ours
@pytest.mark.parametrize("by", ["command", "shortcut"])
async def test_the_form_asks_too(way: WayIn, by: str) -> None:
    if by == "command":
        await connect(way, "")
    else:
        await shortcut(way.slack, "connect", ALICE)
    form = await way.modal("alice", "connect")
    device = way.deployment.devices.fresh("web")
    fields = {"device": f" {device.upper()} ", "protocol": "ssh", "minutes": "30", "reason": "", "ticket": ""}
    refused = await people.submit_view(way.slack, form, fields | {"device": "no such"}, ALICE)
    assert list(refused.answer["errors"]) == ["device"]
    refused = await people.submit_view(way.slack, form, fields | {"device": "unheard-of"}, ALICE)
    assert "unheard-of" in refused.answer["errors"]["device"]
    refused = await people.submit_view(way.slack, form, fields | {"source_address": "at home"}, ALICE)
    assert list(refused.answer["errors"]) == ["source_address"]
    await people.submit_view(way.slack, form, fields | {"source_address": " 192.0.2.7 "}, ALICE)
    assert f"`{device}`" in await way.said_in_modal("alice")
    [view] = [one for one in (await way.deployment.engine.mine("alice")).asked if one.subject.target == device]
    assert (view.status, view.question.minutes, view.question.source_address) == (Status.WAITING, 30, "192.0.2.7")


@ours
async def test_the_requester_cancels_and_nobody_else(way: WayIn) -> None:
    request = await way.deployment.ask("alice")
    message = await way.prompt(request)
    before = len(await people.ephemerals(way.slack, CAROL))
    await way.click(message, "cancel", "carol")
    assert "Only Alice" in (await way.ephemerals(CAROL, before + 1))[-1]
    await until(lambda: [line.who for line in way.refusals(request)] == ["carol"])
    way.slack.deliver_twice()
    await way.click(message, "cancel", "alice")
    assert (await request.outcome()).status is Status.CANCELLED
    await until(lambda: way.seam.calls.count("cancel") == 2)
