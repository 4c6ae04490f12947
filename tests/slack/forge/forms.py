"""Forms, commands, shortcuts, events, and other people's Cancel and Revoke, each signed as Slack signs."""

from __future__ import annotations

import json
from typing import Any

from sandbox.slack.workspace import Json
from tests.notifiers.slack.way_in import value_of
from tests.slack.context import user_id
from tests.slack.forge.aim import ABSENT, Aim, about
from tests.slack.forge.clicks import OTHER_TEAM
from tests.slack.forge.kinds import Change, put

DEEP = "[" * 1500 + "]" * 1500


def metadata(said: Any) -> Change:
    """A form whose `private_metadata` is this text, or the good one with these fields changed."""

    def change(payload: Json, aim: Aim) -> None:
        view = payload["view"]
        good = json.loads(view["private_metadata"])
        view["private_metadata"] = json.dumps(good | said) if isinstance(said, dict) else said

    return change


FORMS: dict[str, Change] = {
    "metadata: another's request": put("view.private_metadata", lambda aim: json.dumps(about(aim.other))),
    "metadata: a request that never was": metadata({"id": 2**31 - 1}),
    "metadata: a huge number": metadata({"id": 10**400}),
    "metadata: a number as text": metadata({"id": "1001"}),
    "metadata: a fraction": metadata({"id": 1001.5}),
    "metadata: true": metadata({"id": True}),
    "metadata: no number": metadata({"id": None}),
    "metadata: a list": metadata({"id": [1001]}),
    "metadata: a level to come": metadata({"level": 2}),
    "metadata: level 0": metadata({"level": 0}),
    "metadata: level -1": metadata({"level": -1}),
    "metadata: a level as text": metadata({"level": "1"}),
    "metadata: another verdict": metadata({"verdict": "expire"}),
    "metadata: a verdict in capitals": metadata({"verdict": "APPROVE"}),
    "metadata: two verdicts": metadata({"verdict": ["approve"]}),
    "metadata: no verdict": metadata({"verdict": None}),
    "metadata: empty": metadata(""),
    "metadata: no JSON": metadata("approve"),
    "metadata: half of it": metadata('{"id": 1001'),
    "metadata: a list as such": metadata("[1001, 1]"),
    "metadata: null": metadata("null"),
    "metadata: a run that is none": metadata({"run": "0123456789AB"}),
    "metadata: the run of an earlier request of its number": metadata({"run": "0123456789ab"}),
    "metadata: no run": metadata({"run": ""}),
    "metadata: deep": metadata(DEEP),
    "metadata: very long": metadata(" " * 5000),
    "metadata: none": put("view.private_metadata", ABSENT),
    "metadata: a map": put("view.private_metadata", {"id": 1001}),
    "another form": put("view.callback_id", "approve"),
    "another form's capitals": put("view.callback_id", "Answer"),
    "no form": put("view.callback_id", ABSENT),
    "a form's name as a list": put("view.callback_id", ["answer"]),
    "a form of another app": put("view.app_id", "A0OTHER"),
    "a form of another bot": put("view.bot_id", "B0OTHER"),
    "sent for another app": put("api_app_id", "A0OTHER"),
    "a form somebody else had opened": put("user.id", user_id("bob")),
    "a form that the requester sends": put("user.id", user_id("alice")),
    "a form sent by a stranger": put("user.id", "USTRANGER"),
    "a form sent by a bot": put("user.id", lambda aim: aim.account(is_bot=True)),
    "a form sent by a guest": put("user.id", lambda aim: aim.account(is_restricted=True)),
    "a form sent from another workspace": put("user.team_id", OTHER_TEAM),
    "no view": put("view", ABSENT),
    "a view that is null": put("view", None),
    "a view that is a list": put("view", []),
    "a view without an id": put("view.id", ABSENT),
    "a view's id with a path": put("view.id", "V1/../V2"),
}
# The form opens before anything is looked up; then it says why there is nothing to fill in.
OPENERS: dict[str, Change] = {
    "opened by who is not asked": put("user.id", user_id("bob")),
    "opened by the requester": put("user.id", user_id("alice")),
    "opened by a stranger": put("user.id", "USTRANGER"),
    "opened by a bot": put("user.id", lambda aim: aim.account(is_bot=True)),
    "opened by a guest": put("user.id", lambda aim: aim.account(is_restricted=True)),
    "opened from another workspace": put("user.team_id", OTHER_TEAM),
    "opened for another app": put("api_app_id", "A0OTHER"),
    "opened for a level to come": put("actions.0.value", lambda aim: value_of(aim.request, 2)),
    "opened for another's request": put("actions.0.value", lambda aim: value_of(aim.other)),
    "opened for no request": put("actions.0.value", "1:1:1"),
}
CANCELS: dict[str, Change] = {
    "the approver cancels": put("user.id", user_id("grace")),
    "somebody else cancels": put("user.id", user_id("bob")),
    "a stranger cancels": put("user.id", "USTRANGER"),
    "a bot cancels": put("user.id", lambda aim: aim.account(is_bot=True)),
    "cancelled from another workspace": put("user.team_id", OTHER_TEAM),
    "cancelled by another app": put("api_app_id", "A0OTHER"),
    "another's request is cancelled": put("actions.0.value", lambda aim: value_of(aim.other)),
    "cancelled with a sign": put("actions.0.value", lambda aim: f"+{value_of(aim.request)}"),
}
REVOKES: dict[str, Change] = {
    "the requester revokes": put("user.id", user_id("alice")),
    "somebody else revokes": put("user.id", user_id("bob")),
    "a stranger revokes": put("user.id", "USTRANGER"),
    "a guest revokes": put("user.id", lambda aim: aim.account(is_restricted=True)),
    "revoked from another workspace": put("user.team_id", OTHER_TEAM),
    "revoked by another app": put("api_app_id", "A0OTHER"),
    "revoked with a space": put("actions.0.value", lambda aim: f"{value_of(aim.request)} "),
}
COMMANDS: dict[str, Change] = {
    "typed by a stranger": put("user_id", "USTRANGER"),
    "typed by nobody": put("user_id", "U0MISSING"),
    "typed without a user": put("user_id", ABSENT),
    "typed by a user's path": put("user_id", "../UALICE"),
    "typed by a bot": put("user_id", lambda aim: aim.account(is_bot=True)),
    "typed by a guest": put("user_id", lambda aim: aim.account(is_ultra_restricted=True)),
    "typed by a deleted user": put("user_id", lambda aim: aim.account(deleted=True)),
    "typed by a stranger from a shared room": put("user_id", lambda aim: aim.account(is_stranger=True)),
    "typed by alice's name": lambda it, _: it.update(user_id="USTRANGER", user_name="alice"),
    "typed in another workspace": put("team_id", OTHER_TEAM),
    "typed in no workspace": put("team_id", ABSENT),
    "typed in an organisation": put("enterprise_id", "E0OTHER"),
    "typed for an organisation": put("is_enterprise_install", "true"),
    "typed for another app": put("api_app_id", "A0OTHER"),
    "typed for no app": put("api_app_id", ABSENT),
    "typed without a trigger": put("trigger_id", ABSENT),
    "typed with an empty trigger": put("trigger_id", ""),
    "another command": put("command", "/approve"),
    "a command in capitals": put("command", "/CONNECT"),
    "an empty command": put("command", ""),
    "a command too long": put("command", "/connect" * 100),
}
EVENTS: dict[str, Change] = {
    "opened in another workspace": put("team_id", OTHER_TEAM),
    "opened for another app": put("api_app_id", "A0OTHER"),
    "opened by a stranger": put("event.user", "USTRANGER"),
    "opened by a bot": put("event.user", lambda aim: aim.account(is_bot=True)),
    "another tab": put("event.tab", "messages"),
    "a message that approves": put("event", lambda aim: _said(f"approve #{aim.request.id}")),
    "a mention that approves": put("event", lambda aim: _said(f"<@U0BOT> approve {aim.request.id}", "app_mention")),
    "a thumb up": put("event", {"type": "reaction_added", "user": "UGRACE", "reaction": "+1"}),
    "no event": put("event", ABSENT),
    "an event that is a list": put("event", [{"type": "app_home_opened"}]),
    "an event that is a text": put("event", "app_home_opened"),
    "an event of no type": put("event.type", ABSENT),
    "an address check": lambda it, _: it.update(type="url_verification", challenge="<script>"),
    "an address check with a list": lambda it, _: it.update(type="url_verification", challenge=["x"]),
    "a limit reached": put("type", "app_rate_limited"),
}
# An opening that can't be read is recorded as refused.
BAD_EVENTS: dict[str, Change] = {
    "opened in no workspace": put("team_id", ABSENT),
    "opened by nobody": put("event.user", ABSENT),
    "opened by a list": put("event.user", ["UGRACE"]),
    "opened by a path": put("event.user", "UGRACE/../UBOB"),
}


def _said(text: str, kind: str = "message") -> Json:
    return {"type": kind, "user": user_id("grace"), "text": text, "channel": "C01ROOM", "ts": "1.2"}


SHORTCUTS: dict[str, Change] = {
    "a shortcut that is none of ours": put("callback_id", "approve"),
    "a shortcut of no name": put("callback_id", ABSENT),
    "a shortcut of a list": put("callback_id", ["connect"]),
    "a shortcut of nobody": put("user", None),
    "a shortcut's half trigger": put("trigger_id", "\ud800"),
}
