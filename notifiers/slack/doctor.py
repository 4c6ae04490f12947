"""What `countersign doctor` checks of Slack: the app and its scopes, the socket, the rooms, all who are asked."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from countersign.checks import Check
from countersign.directory import Policy
from countersign.errors import CountersignError, Unavailable, Unreachable
from countersign.policy.channels import people_asked, rooms_used
from countersign.views import Finding
from notifiers.slack.client.api import SlackApi
from notifiers.slack.client.scopes import ROOM_SCOPES, SCOPES
from notifiers.slack.config import CHANNEL, SlackConfig
from notifiers.slack.outbound.recipients import Recipients

PART = "Slack"
# Slack takes some 50 look-ups a minute, and short bursts beyond that; people for whom there is no time are reported.
LOOKUP_SECONDS = 8.0
AT_ONCE = 8
MOST_NAMED = 50
# Besides the errors that `SlackApi` knows, a room's last message tells that it is archived: nothing follows these.
# https://docs.slack.dev/reference/events/message/channel_archive and group_archive
ARCHIVED = {"channel_archive", "group_archive"}
REINSTALL = "add it to the app's manifest and install the app again (docs/slack.md)"

CheckWithApi = Callable[[SlackApi, Policy | None], Awaitable[list[Finding]]]
ok = partial(Finding, part=PART, state="ok")
warning = partial(Finding, part=PART, state="warning")
problem = partial(Finding, part=PART, state="problem")


def slack_checks(config: SlackConfig | None) -> list[Check]:
    """The checks of this channel; `config` is None if it is off."""
    if config is None:
        return [Check(PART, "mode", _off)]
    checks: dict[str, CheckWithApi] = {"app": _app, "rooms": _rooms, "people": _people}
    if config.mode == "socket":
        checks["socket"] = partial(_socket, config)
    return [Check(PART, about, partial(_with_api, config, check)) for about, check in checks.items()]


async def _off(policy: Policy | None) -> list[Finding]:
    asked = people_asked(policy, CHANNEL) if policy else []
    if not asked:
        return []
    message = (
        f"is off, and the policy asks {len(asked)} people there: set COUNTERSIGN_SLACK_MODE, or take slack out of it"
    )
    return [problem(about="mode", message=message)]


async def _with_api(config: SlackConfig, check: CheckWithApi, policy: Policy | None) -> list[Finding]:
    api = SlackApi(config)
    try:
        return await check(api, policy)
    finally:
        await api.close()


async def _app(api: SlackApi, policy: Policy | None) -> list[Finding]:
    """Whether the bot token is good, and what it may do."""
    app = await api.call("auth.test", "the app")
    found = [ok(about="app", message=f"is {app.get('user')} in the workspace {app.get('team')}")]
    needed = SCOPES | (ROOM_SCOPES if policy and rooms_used(policy, CHANNEL) else {})
    granted = await api.scopes()
    missing = {scope: why for scope, why in needed.items() if scope not in granted}
    for scope, why in missing.items():
        found.append(problem(about=scope, message=f"the app lacks this scope, needed to {why}: {REINSTALL}"))
    return found if missing else [*found, ok(about="scopes", message=f"has all {len(needed)} that it needs")]


async def _socket(config: SlackConfig, api: SlackApi, policy: Policy | None) -> list[Finding]:
    """Whether the app token opens a socket; the address that Slack gives for one here is never used."""
    await api.call("apps.connections.open", "the app", app_token=config.app_token.get_secret_value())
    return [ok(about="socket", message="can be opened")]


async def _rooms(api: SlackApi, policy: Policy | None) -> list[Finding]:
    """Whether each room of the policy is there, in use, and has the app in it."""
    rooms = rooms_used(policy, CHANNEL) if policy else []
    if not rooms:
        return []
    if why := await _in_the_way(api):
        return [warning(about="rooms", message=f"were not looked at: {why}")]
    return list(await asyncio.gather(*(_room(api, room) for room in rooms)))


async def _room(api: SlackApi, room: str) -> Finding:
    try:
        answer = await api.call("conversations.history", f"the room {room}", channel=room, limit=1)
    except CountersignError as error:
        return problem(about=room, message=str(error))
    if any(message.get("subtype") in ARCHIVED for message in answer.get("messages") or []):
        return problem(about=room, message="is archived: unarchive it, or name another room in the policy")
    return ok(about=room, message="the app is in this room")


async def _people(api: SlackApi, policy: Policy | None) -> list[Finding]:
    """Whether everybody whom the policy can ask here is a member of the workspace, by their mail address."""
    if policy is None:
        return []
    people = people_asked(policy, CHANNEL)
    if not people:
        message = "the policy asks nobody in Slack: say channels: {slack: decide} in it (docs/slack.md)"
        return [warning(about="people", message=message)]
    if why := await _in_the_way(api):
        return [warning(about="people", message=f"were not looked at: {why}")]
    return _summed_up(people, await _looked_up(api, policy, people))


async def _looked_up(api: SlackApi, policy: Policy, people: Sequence[str]) -> dict[str, str | Unavailable]:
    """Why each can't be asked in Slack, "" if they can; without those for whom there was no time."""
    recipients, slots, found = Recipients(api), asyncio.Semaphore(AT_ONCE), dict[str, str | Unavailable]()

    async def look_up(person: str) -> None:
        async with slots:
            try:
                await recipients.user(policy.users[person].email)
                found[person] = ""
            except Unreachable as error:
                found[person] = str(error)
            except Unavailable as error:
                found[person] = error

    tasks = [asyncio.create_task(look_up(person)) for person in people]
    try:
        await asyncio.wait(tasks, timeout=LOOKUP_SECONDS)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return found


def _summed_up(people: Sequence[str], found: dict[str, str | Unavailable]) -> list[Finding]:
    """A finding for each who is not in Slack, and one for all others."""
    missing = [(person, why) for person in people if isinstance(why := found.get(person), str) and why]
    instead = "will be asked by another channel instead"
    findings = [warning(about=person, message=f"{instead}: {why}") for person, why in missing]
    if len(findings) > MOST_NAMED:
        rest = f"{len(findings) - MOST_NAMED} more {instead}"
        findings = [*findings[:MOST_NAMED], warning(about="people", message=rest)]
    well = sum(why == "" for why in found.values())
    if unknown := len(people) - well - len(missing):
        why = next((str(error) for error in found.values() if isinstance(error, Unavailable)), "there was no time left")
        findings.append(warning(about="people", message=f"{unknown} of {len(people)} were not looked at: {why}"))
    if well:
        findings.append(ok(about="people", message=f"{well} of {len(people)} who can be asked are in the workspace"))
    return findings


async def _in_the_way(api: SlackApi) -> str:
    """Why nothing can be checked; the check of the app itself names the remedy."""
    try:
        await api.myself()
    except Unavailable:
        return "Slack does not let the app in"
    return ""
