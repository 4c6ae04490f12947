"""Whose click it is, how long that is remembered, and who is never taken for one of our people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

from countersign.errors import Unavailable, Unreachable
from countersign.notifications import Person
from notifiers.slack.client.accounts import SLACKBOT, Cache, why_not
from notifiers.slack.client.api import SlackApi
from notifiers.slack.inbound import people
from notifiers.slack.inbound.payload_parts import Sender
from notifiers.slack.inbound.people import RejectedSender, SlackPeople, why_not_ours
from notifiers.slack.outbound import recipients
from notifiers.slack.outbound.recipients import Recipients
from sandbox.slack.workspace import TEAM
from tests.local_slack import faults
from tests.local_slack.faults import Fault
from tests.local_slack.server import FaultySlack
from tests.samples import ALICE, GRACE, HEIDI

from .workspace import NOT_MEMBERS, address, config_for, fresh, workspace

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def person_at(address: str) -> Person | None:
    """Alice, Grace and Heidi; Grace under another spelling of her address."""
    return next((one for one in (ALICE, GRACE, HEIDI) if one.email == address.casefold()), None)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[FaultySlack]:
    async with workspace() as slack:
        yield slack


@pytest_asyncio.fixture(loop_scope="module")
async def slack(shared: FaultySlack) -> FaultySlack:
    return await fresh(shared)


@pytest_asyncio.fixture(loop_scope="module")
async def api(slack: FaultySlack) -> AsyncIterator[SlackApi]:
    api = SlackApi(config_for(slack))
    yield api
    await api.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(api: SlackApi, clock: Clock) -> SlackPeople:
    return SlackPeople(api, person_at, clock)


async def test_a_member_is_the_person_who_has_their_address(slack: FaultySlack, known: SlackPeople) -> None:
    assert await known.identify("UGRACE") == GRACE
    slack.state.people["UHEIDI"]["profile"] = {"email": "Heidi@ACME.example"}
    assert await known.identify("UHEIDI") == HEIDI


@pytest.mark.parametrize("user", [*NOT_MEMBERS, "ULEFT"])
async def test_who_is_no_member_is_turned_away_with_the_reason(known: SlackPeople, user: str) -> None:
    reason = NOT_MEMBERS[user][1] if user in NOT_MEMBERS else "is deactivated"
    with pytest.raises(RejectedSender, match=f"Nothing was changed: .* your Slack account {reason}"):
        await known.identify(user)


@pytest.mark.parametrize(("team", "user_team"), [("T0OTHER", "T0OTHER"), (TEAM, "T0OTHER"), ("T0OTHER", ""), ("", "")])
async def test_what_is_done_in_or_from_another_workspace_is_not_for_us(
    api: SlackApi, team: str, user_team: str
) -> None:
    app = await api.app()
    sender = Sender(user="UGRACE", team=team, user_team=user_team, enterprise="", app=app, is_org_install=False)
    assert "another one" in await why_not_ours(api, sender)
    assert await why_not_ours(api, replace(sender, team=TEAM, user_team=TEAM)) == ""


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ("UNOONE", "is not known to it"),
        ("UIVAN", "Nobody in Countersign's directory has your address ivan@acme.example"),
    ],
)
async def test_who_is_unknown_here_or_there_is_turned_away(known: SlackPeople, user: str, message: str) -> None:
    with pytest.raises(RejectedSender, match=message):
        await known.identify(user)


async def test_an_account_is_believed_for_five_minutes(slack: FaultySlack, known: SlackPeople, clock: Clock) -> None:
    for _ in range(3):
        assert await known.identify("UGRACE") == GRACE
    assert len(slack.calls_of("users.info")) == 1
    slack.state.people["UGRACE"]["is_restricted"] = True
    clock.now += people.KNOWN_SECONDS - 1
    assert await known.identify("UGRACE") == GRACE
    clock.now += 2
    with pytest.raises(RejectedSender, match="guest"):
        await known.identify("UGRACE")


async def test_a_refusal_is_soon_looked_at_anew(slack: FaultySlack, known: SlackPeople, clock: Clock) -> None:
    slack.state.people["UGRACE"]["is_restricted"] = True
    for _ in range(3):
        with pytest.raises(RejectedSender, match="guest"):
            await known.identify("UGRACE")
    assert len(slack.calls_of("users.info")) == 1
    slack.state.people["UGRACE"]["is_restricted"] = False
    clock.now += people.REFUSED_SECONDS + 1
    assert await known.identify("UGRACE") == GRACE


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (faults.rate_limited(1), "takes no users.info"),
        (faults.server_error(), "HTTP status 503"),
        (faults.fails("token_revoked"), "was revoked"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_where_slack_can_not_be_asked_nobody_is_turned_away_for_long(
    slack: FaultySlack, known: SlackPeople, fault: Fault, message: str
) -> None:
    slack.fail("users.info", fault)
    with pytest.raises(Unavailable, match=message):
        await known.identify("UGRACE")
    assert await known.identify("UGRACE") == GRACE


async def test_an_address_that_slack_keeps_to_itself_is_a_missing_scope(slack: FaultySlack, known: SlackPeople) -> None:
    slack.state.scopes.discard("users:read.email")
    with pytest.raises(Unavailable, match=r"lacks the scope users:read\.email"):
        await known.identify("UGRACE")


async def test_an_answer_about_somebody_else_is_none(slack: FaultySlack, known: SlackPeople) -> None:
    other = {"id": "UHEIDI", "team_id": TEAM, "profile": {"email": "heidi@acme.example"}}
    slack.fail("users.info", Fault(body={"ok": True, "user": other}))
    with pytest.raises(RejectedSender, match="is not known to it"):
        await known.identify("UGRACE")


@pytest.mark.parametrize("user", [{}, {"team_id": None}, {"team_id": "T0OTHER"}, {"id": SLACKBOT, "team_id": TEAM}])
async def test_what_slack_leaves_out_is_no_member(user: dict[str, object]) -> None:
    assert why_not(user, TEAM)
    assert why_not({"team_id": TEAM, "is_email_confirmed": None}, TEAM)
    assert not why_not({"team_id": TEAM}, TEAM)


# --- the way out ----------------------------------------------------------------------------------------------------


async def test_somebody_is_found_by_their_address_once_an_hour(slack: FaultySlack, api: SlackApi, clock: Clock) -> None:
    finding = Recipients(api, clock)
    for _ in range(3):
        assert await finding.user("grace@acme.example") == "UGRACE"
        assert (await finding.conversation("grace@acme.example")).startswith("D")
    assert [len(slack.calls_of(method)) for method in ("users.lookupByEmail", "conversations.open")] == [1, 1]
    clock.now += recipients.KNOWN_SECONDS + 1
    assert await finding.user("grace@acme.example") == "UGRACE"
    assert len(slack.calls_of("users.lookupByEmail")) == 2


async def test_who_joins_slack_is_found_soon(slack: FaultySlack, api: SlackApi, clock: Clock) -> None:
    finding = Recipients(api, clock)
    for _ in range(3):
        with pytest.raises(Unreachable, match="is a guest's"):
            await finding.conversation(address("UGUEST"))
    assert len(slack.calls_of("users.lookupByEmail")) == 1
    slack.state.people["UGUEST"]["is_restricted"] = False
    clock.now += recipients.REFUSED_SECONDS + 1
    assert await finding.user(address("UGUEST")) == "UGUEST"


async def test_an_account_with_another_address_is_not_written_to(slack: FaultySlack, api: SlackApi) -> None:
    slack.state.people["UGRACE"]["profile"] = {"email": "mallory@acme.example"}
    with pytest.raises(Unreachable, match="has another address"):
        await Recipients(api).user("grace@acme.example")


async def test_what_is_too_old_is_forgotten_when_much_is_known(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifiers.slack.client.accounts.MOST_KEPT", 3)
    cache, asked = Cache(10, 1, Unreachable, clock), 0

    async def ask() -> str:
        nonlocal asked
        asked += 1
        return "found"

    for key in "abc":
        await cache.get(key, ask)
    clock.now += 11
    await cache.get("d", ask)
    assert len(cache._kept) == 1
    await cache.get("d", ask)
    assert asked == 4
