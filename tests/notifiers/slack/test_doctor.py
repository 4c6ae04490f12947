"""The doctor's checks of Slack, on a real workspace: each thing that can be wrong, and its remedy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from countersign.directory import Policy
from countersign.errors import CountersignError
from countersign.views import Finding
from notifiers.slack import doctor
from notifiers.slack.client.scopes import ROOM_SCOPES, SCOPES
from notifiers.slack.config import SlackConfig
from notifiers.slack.doctor import slack_checks
from sandbox.slack.tool import NoSlack
from sandbox.slack.workspace import BOT, Channel, User
from tests.local_slack import faults
from tests.local_slack.server import FaultySlack

pytestmark = pytest.mark.asyncio(loop_scope="module")

HERE = {"grace": {}, "heidi": {}, "ivan": {"is_restricted": True}, "judy": {"deleted": True}}
ROOM, ELSEWHERE, HIDDEN = "C1", "C2", "C3"
NOBODY = Policy.model_validate({"users": {}})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[FaultySlack]:
    users = [User(f"U{name.upper()}", name, f"{name}@example.org", flags) for name, flags in HERE.items()]
    channels = [
        Channel(ROOM, "approvals", [BOT, "UGRACE"]),
        Channel(ELSEWHERE, "lobby", ["UGRACE"]),
        Channel(HIDDEN, "hidden", ["UGRACE"], private=True),
    ]
    try:
        async with FaultySlack(users, channels) as slack:
            yield slack
    except NoSlack as error:
        pytest.skip(str(error))


@pytest.fixture
def slack(shared: FaultySlack) -> FaultySlack:
    shared.faults.clear()
    shared.state.scopes = set(SCOPES | ROOM_SCOPES)
    return shared


def policy(*asked: str, **changed: Any) -> Policy:
    """A policy under which these people can be asked in Slack."""
    usual: dict[str, Any] = {
        "users": {one: {"name": one.title(), "email": f"{one}@example.org"} for one in [*HERE, "nobody", "kim"]},
        "device_groups": {"db": {"devices": ["db-1"], "managers": asked, "require_managerial_approval": True}},
        "channels": {"slack": "decide"},
    }
    return Policy.model_validate(usual | changed)


def config(slack: FaultySlack, **changed: Any) -> SlackConfig:
    said = {"bot_token": slack.bot_token, "app_token": slack.app_token, "signing_secret": slack.signing_secret}
    return SlackConfig(**{"mode": "socket", "api_url": slack.api_url, **said, **changed})


async def look(config: SlackConfig | None, policy: Policy | None) -> list[Finding]:
    """What all checks find; an error that a check raises becomes a problem, as in the portal."""
    found: list[Finding] = []
    for check in slack_checks(config):
        try:
            found += await check.run(policy)
        except CountersignError as error:
            found.append(Finding(part=check.part, state="problem", about=check.about, message=str(error)))
    return found


def wrong(found: list[Finding]) -> dict[str, tuple[str, str]]:
    return {one.about: (one.state, one.message) for one in found if one.state != "ok"}


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_all_is_well(slack: FaultySlack, mode: str) -> None:
    found = await look(config(slack, mode=mode), policy("grace", "heidi", rooms={"slack": ROOM}))
    assert wrong(found) == {}
    assert {one.about for one in found} == {"app", "scopes", ROOM, "people"} | (
        {"socket"} if mode == "socket" else set()
    )
    assert "2 of 2" in next(one.message for one in found if one.about == "people")


@pytest.mark.parametrize("scope", [*SCOPES, *ROOM_SCOPES])
async def test_a_missing_scope_is_named_with_the_reason(slack: FaultySlack, scope: str) -> None:
    slack.state.scopes.discard(scope)
    found = wrong(await look(config(slack), policy("grace", rooms={"slack": ROOM})))
    state, message = found[scope]
    assert state == "problem"
    assert (SCOPES | ROOM_SCOPES)[scope] in message
    assert "manifest" in message


async def test_room_scopes_are_wanted_only_where_there_are_rooms(slack: FaultySlack) -> None:
    slack.state.scopes = set(SCOPES)
    assert wrong(await look(config(slack), policy("grace"))) == {}


@pytest.mark.parametrize(
    ("room", "says"),
    [
        (ELSEWHERE, "/invite"),
        (HIDDEN, "invite the app there, or correct the room"),
        ("C0NOSUCH", "correct the room in the policy"),
    ],
)
async def test_a_room_that_cannot_be_used(slack: FaultySlack, room: str, says: str) -> None:
    # Local-slack shows an empty history for a room that doesn't exist.
    slack.fail("conversations.history", faults.fails("channel_not_found"), channel="C0NOSUCH")
    state, message = wrong(await look(config(slack), policy("grace", rooms={"slack": room})))[room]
    assert (state, says in message) == ("problem", True), message


async def test_an_archived_room(slack: FaultySlack) -> None:
    last = {"type": "message", "subtype": "channel_archive", "text": "<@UGRACE> archived the channel"}
    slack.fail("conversations.history", faults.Fault(body={"ok": True, "messages": [last]}))
    state, message = wrong(await look(config(slack), policy("grace", rooms={"slack": ROOM})))[ROOM]
    assert (state, "archived" in message) == ("problem", True)


async def test_who_is_not_in_slack_will_be_asked_by_mail(slack: FaultySlack) -> None:
    found = wrong(await look(config(slack), policy("grace", "ivan", "judy", "nobody", fallback_approvers=["kim"])))
    assert {person: state for person, (state, _) in found.items()} == dict.fromkeys(
        ["ivan", "judy", "nobody", "kim"], "warning"
    )
    assert all("will be asked by another channel instead" in message for _, message in found.values())
    assert "guest" in found["ivan"][1]


async def test_many_missing_people_are_counted(slack: FaultySlack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MOST_NAMED", 1)
    found = wrong(await look(config(slack), policy("nobody", "kim", "grace")))
    assert found["people"] == ("warning", "1 more will be asked by another channel instead")


async def test_who_could_not_be_looked_at_is_not_called_missing(slack: FaultySlack) -> None:
    slack.fail("users.lookupByEmail", faults.rate_limited(30), times=2)
    state, message = wrong(await look(config(slack), policy("grace", "heidi")))["people"]
    assert (state, message.startswith("2 of 2 were not looked at: Slack takes no users.lookupByEmail")) == (
        "warning",
        True,
    )


async def test_slow_look_ups_end_in_time(slack: FaultySlack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LOOKUP_SECONDS", 0.5)
    slack.fail("users.lookupByEmail", faults.hangs(5), email="grace@example.org")
    found = await look(config(slack), policy("grace", "heidi"))
    assert wrong(found)["people"] == ("warning", "1 of 2 were not looked at: there was no time left")


@pytest.mark.parametrize("error", ["invalid_auth", "token_revoked", "account_inactive"])
async def test_a_token_that_is_no_good_is_told_once(slack: FaultySlack, error: str) -> None:
    slack.fail("auth.test", faults.fails(error), times=10)
    found = wrong(await look(config(slack), policy("grace", rooms={"slack": ROOM})))
    assert {about for about, (state, _) in found.items() if state == "problem"} == {"app"}
    assert "install" in found["app"][1]
    assert "not looked at" in found["people"][1]
    assert "not looked at" in found["rooms"][1]


async def test_a_wrong_app_token(slack: FaultySlack) -> None:
    secret = "xapp-wrong-token"
    found = wrong(await look(config(slack, app_token=secret), policy("grace")))
    state, message = found["socket"]
    assert (state, "invalid_auth" in message, "COUNTERSIGN_SLACK_APP_TOKEN" in message) == ("problem", True, True)
    assert secret not in message


@pytest.mark.parametrize("fault", [faults.server_error(), faults.cut(), faults.rate_limited(5)])
async def test_a_slack_in_trouble_is_a_problem_and_no_error(slack: FaultySlack, fault: faults.Fault) -> None:
    for method in ("auth.test", "apps.connections.open"):
        slack.fail(method, fault, times=5)
    found = wrong(await look(config(slack), policy("grace")))
    assert {found["app"][0], found["socket"][0]} == {"problem"}


async def test_a_policy_that_asks_nobody_here(slack: FaultySlack) -> None:
    assert "channels: {slack: decide}" in wrong(await look(config(slack), NOBODY))["people"][1]
    assert wrong(await look(config(slack), None)) == {}


async def test_a_policy_that_asks_in_a_slack_that_is_off() -> None:
    assert "COUNTERSIGN_SLACK_MODE" in wrong(await look(None, policy("grace")))["mode"][1]
    assert await look(None, NOBODY) == await look(None, None) == []
