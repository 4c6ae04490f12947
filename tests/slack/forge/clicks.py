"""Clicks, forms, commands and events that are not what they say, each signed as Slack signs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from sandbox.slack.workspace import TEAM
from tests.notifiers.slack.way_in import value_of
from tests.slack.context import user_id
from tests.slack.forge.aim import ABSENT
from tests.slack.forge.kinds import Change, put

FULLWIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
DEEP = "[" * 5000 + "]" * 5000
OTHER_TEAM = "T0OTHER"

# What Slack says about accounts that could be taken for grace, who is asked.
ACCOUNTS: dict[str, dict[str, Any]] = {
    "a bot": {"is_bot": True},
    "a workflow bot": {"is_workflow_bot": True},
    "a connector's bot": {"is_connector_bot": True},
    "a guest of some rooms": {"is_restricted": True},
    "a guest of one room": {"is_ultra_restricted": True},
    "a deleted account": {"deleted": True},
    "a stranger from a shared room": {"is_stranger": True},
    "somebody invited who never joined": {"is_invited_user": True},
    "an address never confirmed": {"is_email_confirmed": False},
    "an address confirmed in other words": {"is_email_confirmed": "yes"},
    "an address of which nothing is said": {"is_email_confirmed": None},
    "the approver's address in another workspace": {"team_id": OTHER_TEAM},
    "an account of no workspace": {"team_id": ABSENT},
    "an account of a list of workspaces": {"team_id": [TEAM]},
    "an answer about somebody else": {"id": user_id("grace")},
    "an answer about nobody": {"id": None},
    "an address of nobody": {"profile": {"email": "nobody@example.test"}},
    "an address in other letters": {"profile": {"email": "grаce@example.test"}},
    "an address that only folds to hers": {"profile": {"email": "grace@example.teſt"}},
    "an address with a name": {"profile": {"email": "Grace <grace@example.test>"}},
    "an address with a tag": {"profile": {"email": "grace+x@example.test"}},
    "two addresses": {"profile": {"email": "grace@example.test,mallory@example.test"}},
    "an address and a line": {"profile": {"email": "grace@example.test\n"}},
    "her name and no address of hers": {"name": "grace", "profile": {"email": "x@y.test", "display_name": "grace"}},
}
# Slack gives an app everybody's address or nobody's: without one, our app is set up wrong, and nobody is known.
NO_ADDRESS: dict[str, dict[str, Any]] = {
    "no address": {"profile": {}},
    "an empty address": {"profile": {"email": ""}},
    "a list of addresses": {"profile": {"email": ["grace@example.test"]}},
    "no profile": {"profile": None},
}
# What the payload itself says about who sent it, and from where.
SENDERS: dict[str, Change] = {
    "a person who is not asked": put("user.id", user_id("bob")),
    "the requester approves": put("user.id", user_id("alice")),
    "somebody in Slack and not in the directory": put("user.id", "USTRANGER"),
    "a user that is none": put("user.id", "U0MISSING"),
    "Slackbot": put("user.id", "USLACKBOT"),
    "our own bot": put("user.id", "U0BOT"),
    "the approver's id in small letters": put("user.id", "ugrace"),
    "an admin who is not asked": put("user.id", user_id("ada")),
    "another with the approver's name": lambda it, _: it["user"].update(id=user_id("bob"), email="grace@example.test"),
    "a user of another workspace": put("user.team_id", OTHER_TEAM),
    "a user of a workspace in small letters": put("user.team_id", TEAM.lower()),
    "a user of no workspace": put("user.team_id", ABSENT),
    "done in another workspace": put("team.id", OTHER_TEAM),
    "all in another workspace": lambda it, _: it.update(
        team={"id": OTHER_TEAM}, user=it["user"] | {"team_id": OTHER_TEAM}
    ),
    "of an organisation": put("enterprise", {"id": "E0OTHER"}),
    "of an organisation that has our id": put("enterprise", {"id": TEAM}),
    "an installation for an organisation": put("is_enterprise_install", True),
    "an organisation without a workspace": lambda it, _: it.update(team=None, enterprise={"id": "E0OTHER"}),
    "another app": put("api_app_id", "A0OTHER"),
    "our app in small letters": put("api_app_id", "a01app"),
    "a message of another bot": put("message.bot_id", "B0OTHER"),
    "a message of another app": put("message.app_id", "A0OTHER"),
    "a message of another bot in our app": lambda it, _: it["message"].update(bot_id="B0OTHER", app_id="A01APP"),
    "the page of another app": lambda it, _: (it.pop("message"), it.update(view={"id": "V1", "app_id": "A0OTHER"})),
    "no message": put("message", ABSENT),
    "a message of a person": lambda it, _: [it["message"].pop(each) for each in ("bot_id", "app_id")],
}
_WRONG: dict[str, Any] = {"gone": ABSENT, "null": None, "a list": [], "a number": 7, "a text": "?", "a map": {"a": 1}}
_PLACES = ("user", "user.id", "team", "team.id", "api_app_id", "actions", "actions.0.action_id", "actions.0.action_ts")
_ALSO: dict[str, Any] = {
    "user.team_id": [TEAM],
    "user.id": [user_id("grace")],
    "user.id ": user_id("grace") + "\n",
    "user.id  ": user_id("grace") + "\0",
    "user.id   ": user_id("grace") + "/../UBOB",
    "user.id    ": "U" * 5000,
    "team.id": [TEAM],
    "api_app_id": ["A01APP"],
    "enterprise": "E0OTHER",
    "enterprise.id": None,
    "is_enterprise_install": "false",
    "is_enterprise_install ": None,
    "container": [],
    "container.channel_id": {"id": "C1"},
    "message": 7,
    "message.bot_id": ["B0BOT"],
    "trigger_id": "\ud800",
    "trigger_id ": 7,
    "response_url": ["https://hooks.slack.com/"],
    "actions.0": "approve",
    "actions.0.action_ts": "-1",
    "actions.0.action_ts ": "٣",
    "actions.0.action_ts  ": "9" * 400,
}
SHAPES: dict[str, Change] = {
    **{f"{place} is {how}": put(place, wrong) for place in _PLACES for how, wrong in _WRONG.items()},
    **{f"{place.strip()} is {str(wrong)[:30]!a}": put(place.strip(), wrong) for place, wrong in _ALSO.items()},
}
_VALUES: dict[str, Callable[[int], Any]] = {
    "another's request": lambda n: f"{n + 1}:1",
    "a request that never was": lambda n: "2147483647:1",
    "a level to come": lambda n: f"{n}:2",
    "level 0": lambda n: f"{n}:0",
    "level -1": lambda n: f"{n}:-1",
    "level 999": lambda n: f"{n}:999",
    "a huge level": lambda n: f"{n}:{'9' * 400}",
    "a huge number": lambda n: f"{'9' * 400}:1",
    "a number beyond 32 bits": lambda n: f"{2**32 + n}:1",
    "a number beyond 64 bits": lambda n: f"{2**64 + n}:1",
    "no number": lambda n: "approve:1",
    "a negative number": lambda n: f"-{n}:1",
    "a plus sign": lambda n: f"+{n}:1",
    "leading zeros": lambda n: f"000{n}:1",
    "a level with zeros": lambda n: f"{n}:01",
    "a fraction": lambda n: f"{n}.0:1",
    "an exponent": lambda n: f"{n}e0:1",
    "hexadecimal": lambda n: f"{n:#x}:1",
    "an underscore": lambda n: f"1_{n - 1000:03}:1",
    "fullwidth digits": lambda n: f"{n}:1".translate(FULLWIDTH),
    "arabic digits": lambda n: f"{n}:1".translate(ARABIC),
    "superscript": lambda n: f"{n}:¹",
    "a fullwidth colon": lambda n: f"{n}：1",
    "space before": lambda n: f" {n}:1",
    "space behind": lambda n: f"{n}:1 ",
    "space within": lambda n: f"{n} : 1",
    "a line behind": lambda n: f"{n}:1\n",
    "a NUL": lambda n: f"{n}:1\0",
    "a mark that turns the text around": lambda n: f"\u202e{n}:1",
    "more parts": lambda n: f"{n}:1:1",
    "one part": lambda n: str(n),
    "two in one": lambda n: f"{n}:1,{n}:1",
    "nothing": lambda n: "",
    "no value": lambda n: ABSENT,
    "null": lambda n: None,
    "a number as such": lambda n: n,
    "a list": lambda n: [n, 1],
    "a map": lambda n: {"id": n, "level": 1},
    "JSON": lambda n: json.dumps({"id": n, "level": 1}),
    "half of a character": lambda n: f"{n}:1\ud800",
    "very long": lambda n: f"{n}:1" + " " * 100_000,
    "SQL": lambda n: f"{n}:1' OR '1'='1",
}


def _with_run(value: Any, genuine: str) -> Any:
    """A value that lacks only its run, with the right run; any other value as it is."""
    return value + genuine[genuine.rindex(":") :] if re.fullmatch(r"[0-9]+:[0-9]{1,3}", str(value)) else value


def _values() -> dict[str, Change]:
    def with_number(made: Callable[[int], Any]) -> Change:
        return put("actions.0.value", lambda aim: _with_run(made(aim.request.id), value_of(aim.request)))

    values = {f"value: {name}": with_number(made) for name, made in _VALUES.items()}
    values["value: without a run"] = put("actions.0.value", lambda aim: f"{aim.request.id}:1")
    values["value: of an earlier request of its number"] = put(
        "actions.0.value", lambda aim: f"{aim.request.id}:1:0123456789ab"
    )
    return values | {"value: another's request": put("actions.0.value", lambda aim: value_of(aim.other))}


VALUES = _values()
_NAMES = ("approved", "Approve", "approve ", " approve", "approve\n", "", "app", ".*", "approve:1", "\ud800", "аpprove")
BUTTONS: dict[str, Change] = {
    f"button {name!a}"[:60]: put("actions.0.action_id", name)
    for name in (*_NAMES, "approve" * 40, "submit", "auto_approve", "approve_all")
} | {
    "two buttons": lambda it, _: it["actions"].append(dict(it["actions"][0], action_id="reject")),
    "one button twice": lambda it, _: it["actions"].append(it["actions"][0]),
    "a menu": lambda it, _: it["actions"][0].update(
        type="static_select", selected_option={"value": it["actions"][0].pop("value")}
    ),
}
_TYPES = ("interactive_message", "message_action", "block_suggestion", "dialog_submission", "workflow_step_edit")
_NO_TYPES: tuple[Any, ...] = (
    "Block_Actions",
    "block_actions ",
    "",
    "\ud800",
    None,
    [],
    {},
    7,
    ["block_actions"],
    ABSENT,
)
# Deliveries that we never asked for: they are answered, and nothing else happens.
UNASKED: dict[str, Change] = {
    f"type {kind!a}"[:60]: put("type", kind) for kind in (*_TYPES, "view_closed", *_NO_TYPES)
} | {
    "the link's button": put("actions.0.action_id", "open"),
    "a grant that there is none of": put("actions.0.action_id", "revoke"),
    "an address check with a click": lambda it, _: it.update(type="url_verification", challenge="x"),
    "an address check without a challenge": lambda it, _: it.update(type="url_verification"),
    "an event with a click": lambda it, _: it.update(type="event_callback", event=dict(it)),
    "a check of our certificate": lambda it, _: it.update(type=None, ssl_check="1"),
}


def _account(fields: dict[str, Any]) -> Change:
    return put("user.id", lambda aim: aim.account(**fields))


def _accounts(table: dict[str, dict[str, Any]]) -> dict[str, Change]:
    return {name: _account(fields) for name, fields in table.items()}


ACCOUNT_CHANGES = _accounts(ACCOUNTS)
NO_ADDRESS_CHANGES = _accounts(NO_ADDRESS)
