"""What was genuine and counted once, replayed: as it was, or for another request, level or verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from countersign.models import Status
from sandbox.slack.workspace import Json
from tests.notifiers.slack.way_in import value_of
from tests.slack.context import Context, user_id
from tests.slack.forge.aim import Aim, Genuine, about
from tests.slack.forge.kinds import Act, Change, Kind, kinds, put
from tests.slack.forge.sending import Post, send


@dataclass(kw_only=True)
class Halfway(Aim):
    """A request that two people answered: grace by a form, heidi by a click; ivan has yet to answer."""

    form_of_grace: Json
    click_of_heidi: Json
    post_of_heidi: Post | None


async def half_decided(context: Context, genuine: Genuine) -> Aim:
    """The request came to level 2, where it has one of two approvals."""
    request, other = await context.deployment.ask("alice", "databases"), await context.deployment.ask("carol", "vaults")
    await context.message("ivan", other.id)
    aim = Aim(context, genuine, request, await context.message("grace", request.id), other)
    form = aim.form()
    await send(context, form)
    aim.person, aim.level, aim.prompt = "heidi", 2, await context.message("heidi", request.id)
    click = aim.click()
    post = Post.of(context, click) if context.slack.workspace.mode == "http" else None
    await (post.send() if post else send(context, click))
    await aim.judged()
    prompt = await context.message("ivan", request.id, "Heidi")
    sent: dict[str, Any] = {"form_of_grace": form, "click_of_heidi": click, "post_of_heidi": post}
    return Halfway(context, genuine, request, prompt, other, "ivan", 2, **sent)


async def last_counts(aim: Aim) -> None:
    """The last approver's genuine click counts, and the request is approved by three people."""
    assert await send(aim.context, aim.click()) == 200
    outcome = await aim.request.outcome()
    assert outcome.status is Status.APPROVED
    assert [one.person for one in outcome.decisions] == ["grace", "heidi", "ivan"]


def _halfway(aim: Aim) -> Halfway:
    assert isinstance(aim, Halfway)
    return aim


def _click(aim: Aim) -> Json:
    return deepcopy(_halfway(aim).click_of_heidi)


def _form(aim: Aim) -> Json:
    return deepcopy(_halfway(aim).form_of_grace)


def _later(change: Change) -> Change:
    """Make it a new click, a moment later."""

    def changed(payload: Json, aim: Aim) -> None:
        payload["actions"][0]["action_ts"] = aim.click()["actions"][0]["action_ts"]
        change(payload, aim)

    return changed


def _about(**said: Any) -> Change:
    return put("view.private_metadata", lambda aim: json.dumps(_of_ivan(aim) | said))


def _of_ivan(aim: Aim) -> Json:
    return about(aim.request, 2)


def _as_it_was(payload: Json, aim: Aim) -> None:
    """Change nothing."""


def _value(made: Callable[[Aim], str]) -> Change:
    return put("actions.0.value", made)


# These are known by their place, person and time, so they are answered as before and looked at no further.
_CLICKS: dict[str, Change] = {
    "a click again": _as_it_was,
    "a click again by another trigger": put("trigger_id", "1.2.0"),
    "a click again to be answered elsewhere": put("response_url", "https://example.test/"),
    "a click again as a rejection": put("actions.0.action_id", "reject"),
    "a click again as a Cancel": put("actions.0.action_id", "cancel"),
    "a click again for another request": _value(lambda aim: value_of(aim.other)),
    "a click again for another level": _value(lambda aim: value_of(aim.request, 3)),
}
_FORMS: dict[str, Change] = {
    "a form again": _as_it_was,
    "a form again for the next level": _about(),
    "a form again for another request": put("view.private_metadata", lambda aim: json.dumps(about(aim.other))),
    "a form again as a rejection": _about(verdict="reject"),
    "a form again by who is asked next": lambda it, aim: (
        it["user"].update(id=user_id("ivan")),
        _about()(it, aim),
    )[0],
}
# A moment later they are new clicks, by people whose answer counted already, or can't count.
_LATER: dict[str, Change] = {
    "a second approval": _later(_as_it_was),
    "for the level before": _later(_value(lambda aim: value_of(aim.request))),
    "for the level after": _later(_value(lambda aim: value_of(aim.request, 3))),
    "for another's request": _later(_value(lambda aim: value_of(aim.other))),
    "by who approved the level before": _later(put("user.id", user_id("grace"))),
    "by who is not asked": _later(put("user.id", user_id("bob"))),
    "by the requester": _later(put("user.id", user_id("alice"))),
}
_OLD_PROMPT = kinds(Aim.click, {"the prompt of the level before": _value(lambda aim: value_of(aim.request))})
WAITING = [*kinds(_click, _CLICKS, recorded=False), *kinds(_form, _FORMS, recorded=False)]
WAITING += [*kinds(_click, _LATER), *_OLD_PROMPT]


def _again(change: Callable[[Post, Aim], None]) -> Act:
    async def act(aim: Aim) -> int:
        post = deepcopy(_halfway(aim).post_of_heidi)
        assert post is not None
        change(post, aim)
        return await post.send()

    return act


def _number(post: Post, aim: Aim) -> None:
    post.body = post.body.replace(str(aim.request.id).encode(), str(aim.other.id).encode())


def _person(post: Post, aim: Aim) -> None:
    post.body = post.body.replace(b"UHEIDI", b"UIVAN")


POSTED = [
    Kind("the same post", _again(lambda post, aim: None), False, frozenset({200})),
    Kind("the same post once more", _again(lambda post, aim: None), False, frozenset({200})),
    Kind("the same post signed anew", _again(lambda post, aim: _resign(post)), False, frozenset({200})),
    Kind("the same post with another number", _again(_number), False, frozenset({401})),
    Kind("the same post with another person", _again(_person), False, frozenset({401})),
]


def _resign(post: Post) -> None:
    post.sign()


def _rejecting(payload: Json, aim: Aim) -> None:
    payload["view"]["private_metadata"] = json.dumps(about(aim.request, verdict="reject"))


SETTLED = [
    *kinds(Aim.click, {"a second click": _as_it_was, "a click of somebody else": put("user.id", user_id("bob"))}),
    *kinds(Aim.form, {"a second form": _as_it_was, "a form that rejects": _rejecting}),
    *kinds(Aim.opener, {"a form opened too late": _as_it_was}),
    *kinds(Aim.cancel, {"a Cancel too late": _as_it_was}, recorded=False),
    *kinds(Aim.cancel, {"a Cancel of somebody else": put("user.id", user_id("bob"))}),
]
