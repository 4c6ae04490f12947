"""Families of kinds, each with its target, and with a genuine action that counts there afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from countersign.models import GrantStatus, Status
from sandbox.slack.workspace import Mode
from tests.slack.context import Context, slack_policy
from tests.slack.forge import bodies, clicks, forms, posts, replays
from tests.slack.forge.aim import Aim, Genuine
from tests.slack.forge.kinds import Kind, kinds
from tests.slack.forge.sending import send

Aiming = Callable[[Context, Genuine], Awaitable[Aim]]
Control = Callable[[Aim], Awaitable[None]]


async def waiting(context: Context, genuine: Genuine) -> Aim:
    """The request waits for grace, and the other one for ivan."""
    request = await context.deployment.ask("alice")
    other = await context.deployment.ask("carol", "vaults")
    await context.message("ivan", other.id)
    return Aim(context, genuine, request, await context.message("grace", request.id), other)


async def approved(context: Context, genuine: Genuine) -> Aim:
    """Grace approved the request, and alice has the grant."""
    aim = await waiting(context, genuine)
    await counts(aim)
    return aim


async def disabled(context: Context, genuine: Genuine) -> Aim:
    """The request waits for heidi and ivan, and heidi was disabled after she was asked."""
    context.deployment.apply(slack_policy())
    request = await context.deployment.ask("carol", "databases")
    other = await context.deployment.ask("carol", "vaults")
    await context.message("ivan", other.id)
    aim = Aim(context, genuine, request, await context.message("heidi", request.id), other, "heidi")
    context.deployment.apply(slack_policy(disabled=("heidi",)))
    await context.deployment.enforce_directory()
    return aim


def unheard(use: Literal["link_only", "off"]) -> Aiming:
    """The request waits for grace, whose answers by Slack don't count."""

    async def aiming(context: Context, genuine: Genuine) -> Aim:
        context.deployment.apply(slack_policy(channels={"email": "decide", "slack": use}))
        request, other = await context.deployment.ask("alice"), await context.deployment.ask("carol", "vaults")
        prompt = {**genuine.click["message"], "channel": genuine.click["channel"]["id"]}
        return Aim(context, genuine, request, prompt, other)

    return aiming


async def counts(aim: Aim) -> None:
    """The genuine click counts."""
    assert await send(aim.context, aim.click()) == 200
    await _approved_by(aim, aim.person, "slack")


async def form_counts(aim: Aim) -> None:
    """The genuine form counts."""
    assert await send(aim.context, aim.form()) == 200
    await _approved_by(aim, aim.person, "slack")


async def ivan_counts(aim: Aim) -> None:
    """The genuine click of somebody else who is asked counts."""
    aim.person = "ivan"
    await counts(aim)


async def mail_counts(aim: Aim) -> None:
    """An answer by mail counts."""
    assert (await aim.request.says("grace", channel="email")).accepted
    await _approved_by(aim, "grace", "email")


async def cancels(aim: Aim) -> None:
    """The requester's own Cancel counts."""
    assert await send(aim.context, aim.cancel()) == 200
    assert (await aim.request.outcome()).status is Status.CANCELLED


async def revokes(aim: Aim) -> None:
    """The approver's own Revoke counts."""
    assert await send(aim.context, aim.revoke()) == 200
    grant = aim.context.deployment.store.reading.request(aim.request.id).grant
    assert grant is not None
    assert grant.status is GrantStatus.REVOKED


async def asks(aim: Aim) -> None:
    """A genuine command opens a request."""
    before = aim.context.deployment.store.reading.mine("alice").asked[0].approval_id
    assert await send(aim.context, aim.command(), "slash_commands") == 200
    assert aim.context.deployment.store.reading.mine("alice").asked[0].approval_id > before


@dataclass(frozen=True)
class Family:
    """Kinds that are sent at one request, one after another; `control` is the genuine action at the end."""

    name: str
    kinds: list[Kind]
    aim: Aiming = waiting
    control: Control = counts
    modes: tuple[Mode, ...] = ("socket", "http")


def _unheard(use: Literal["link_only", "off"]) -> Family:
    each = kinds(Aim.click, {f"a click where Slack is {use}": _as_it_is})
    each += kinds(Aim.form, {f"a form where Slack is {use}": _as_it_is})
    return Family(use, each, unheard(use), mail_counts)


def _as_it_is(payload: object, aim: Aim) -> None:
    """Change nothing: it is genuine, but in the wrong place."""


async def _send_odd(odd: object, aim: Aim) -> int:
    return await send(aim.context, odd)


DISABLED = [
    *kinds(Aim.click, {"a click of somebody disabled": _as_it_is}),
    # They may look at what they were asked; what they send doesn't count.
    *kinds(Aim.opener, {"a form opened by somebody disabled": _as_it_is}),
    *kinds(Aim.form, {"a form of somebody disabled": _as_it_is}),
]
# Slack's library itself drops what is neither a map nor a text.
_ODD: list[Any] = ["approve", "", {}, {"payload": {}}, {"payload": "block_actions"}, {"actions": []}, {"user": None}]
ENVELOPES = [
    Kind(f"an envelope with {odd!r}", partial(_send_odd, odd), recorded=False, answers=frozenset({200})) for odd in _ODD
]
EVENTS = kinds(Aim.opening, forms.EVENTS, recorded=False, wire="events_api")
FAMILIES = [
    Family("signatures", posts.posts(posts.SIGNATURES, 401), modes=("http",)),
    Family("times", posts.posts(posts.TIMES, 401), modes=("http",)),
    Family("bodies changed", posts.posts(bodies.CHANGED, 401, 413), modes=("http",)),
    Family("bodies signed", posts.posts(bodies.SIGNED, 200, 400, 401, 413), modes=("http",)),
    Family("elsewhere", posts.posts(posts.ELSEWHERE, 404, 405), modes=("http",)),
    Family("posts where Slack has a socket", posts.posts({"a signed post": _as_it_is}, 404), modes=("socket",)),
    Family("envelopes", ENVELOPES, modes=("socket",)),
    Family("accounts", kinds(Aim.click, clicks.ACCOUNT_CHANGES)),
    Family("accounts without address", kinds(Aim.click, clicks.NO_ADDRESS_CHANGES, recorded=False)),
    Family("senders", kinds(Aim.click, clicks.SENDERS)),
    Family("shapes", kinds(Aim.click, clicks.SHAPES)),
    Family("values", kinds(Aim.click, clicks.VALUES)),
    Family("buttons", kinds(Aim.click, clicks.BUTTONS)),
    Family("unasked", kinds(Aim.click, clicks.UNASKED, recorded=False)),
    Family("openers", kinds(Aim.opener, forms.OPENERS), control=form_counts),
    Family("forms", kinds(Aim.form, forms.FORMS), control=form_counts),
    Family("cancels", kinds(Aim.cancel, forms.CANCELS), control=cancels),
    Family("revokes", kinds(Aim.revoke, forms.REVOKES), approved, revokes),
    Family("commands", kinds(Aim.command, forms.COMMANDS, wire="slash_commands"), control=asks),
    Family("shortcuts", kinds(Aim.shortcut, forms.SHORTCUTS)),
    Family("events", EVENTS + kinds(Aim.opening, forms.BAD_EVENTS, wire="events_api")),
    Family("replays", replays.WAITING, replays.half_decided, replays.last_counts),
    Family("replayed posts", replays.POSTED, replays.half_decided, replays.last_counts, ("http",)),
    Family("replays after the outcome", replays.SETTLED, approved, revokes),
    Family("disabled", DISABLED, disabled, ivan_counts),
    _unheard("link_only"),
    _unheard("off"),
]


def families(mode: Mode) -> list[Family]:
    """The families that make sense in this mode."""
    return [one for one in FAMILIES if mode in one.modes]


async def _approved_by(aim: Aim, person: str, channel: str) -> None:
    outcome = await aim.request.outcome()
    assert outcome.status is Status.APPROVED
    assert (outcome.decisions[-1].person, outcome.decisions[-1].channel) == (person, channel)
