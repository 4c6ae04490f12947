"""A click and a reply by mail at the same moment, again and again: one outcome, and everybody is told it once.

So that both are judged at the same moment, the click is sent later than the mail, by as long as reading one takes.
After each race this delay is changed in favour of the one that lost. So each wins about half of the races.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import product
from typing import NamedTuple

import pytest
import pytest_asyncio

from countersign.models import Status
from sandbox.slack import people
from sandbox.slack.tool import NoSlack
from sandbox.slack.workspace import Json
from tests.local_slack.people import insisting
from tests.slack.context import Context, slack_deployment, slack_policy, still_asks, user_id, words_of
from tests.whole import IS_WHOLE
from tests.workflows.deployment import EVENT, Request, until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]

# For each group of devices, who clicks and who writes. Each lane runs one race after another.
LANES = {
    "web": ("ada", "bob"),
    "vaults": ("carol", "erin"),
    "databases": ("grace", "heidi"),
    "routers": ("ivan", "bob"),
}
REQUESTERS = {1: "alice", 2: "dave"}
GROUPS = {1: "engineers", 2: "operators"}
VERDICTS = (("approve", "approve"), ("approve", "reject"), ("reject", "approve"))
# By socket, the whole run has at least one race of each kind in each group of devices.
RACES = {"socket": 80 if IS_WHOLE else 24, "http": 40}
STEP_SECONDS = 0.03
PATIENCE_SECONDS = 120
# What has been left over for ten seconds is retried by a sweeper that runs every five; then nothing more comes.
SWEPT_SECONDS = 16


class Kind(NamedTuple):
    """The verdicts by Slack and by mail, the quorum, and whether both are of one person."""

    clicked: str
    written: str
    quorum: int
    by_one: bool


# With a quorum of two, one person's two approvals count only once.
KINDS = [
    Kind(*verdicts, quorum, by_one)
    for verdicts, quorum, by_one in product(VERDICTS, (1, 2), (False, True))
    if not (by_one and quorum == 2 and verdicts == ("approve", "approve"))
]


@dataclass
class Race:
    """A race that is over."""

    kind: Kind
    request: Request
    clicker: str
    writer: str
    other: str


@dataclass
class Arena:
    """Where races are run: a deployment whose mailbox is read, and the mails as they were delivered."""

    context: Context
    mails: dict[tuple[str, int], dict[str, EmailMessage]] = field(default_factory=lambda: defaultdict(dict))
    delay: float = 0.2  # of the click
    won: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    dice: random.Random = field(default_factory=lambda: random.Random(5))

    def kinds_of_mail(self, person: str, number: int) -> list[str]:
        """Which mails somebody got about a request; the same Message-ID is the same mail, however often it came."""
        return [found[1] for message_id in self.mails[person, number] if (found := EVENT.search(message_id))]

    def keep(self, recipient: str, raw: bytes) -> None:
        """Note a mail on its way into a mailbox."""
        mail = message_from_bytes(raw, policy=policy.default)
        number = str(mail["Subject"]).rpartition("#")[2]
        if number.isdecimal():
            self.mails[recipient.partition("@")[0], int(number)][str(mail["Message-ID"])] = mail

    async def prompt(self, person: str, number: int) -> Json:
        """The question as it was posted to somebody."""

        def look() -> Json:
            notification = f"{number}.1.asked.{person}.slack"
            for call in reversed(self.context.slack.calls):
                if (
                    call.method == "chat.postMessage"
                    and call.answer.get("ok")
                    and notification in str(call.args["metadata"])
                ):
                    return {**call.answer["message"], "channel": call.answer["channel"]}
            return {}

        await until(look, f"{person} is asked about #{number}")
        return look()

    async def run(self, group: str, kind: Kind) -> Race:
        """Run one race to its end."""
        clicker, other = LANES[group]
        writer = clicker if kind.by_one else other
        request = await self.context.deployment.ask(REQUESTERS[kind.quorum], group)
        click = await self.ready_to_click(clicker, request, kind.clicked)
        await until(lambda: self.mails[writer, request.id], f"{writer} is mailed")
        asked = next(iter(self.mails[writer, request.id].values()))
        delay = self.delay + self.dice.uniform(-STEP_SECONDS, STEP_SECONDS)
        person = self.context.deployment.person(writer)

        async def after(seconds: float, act: Callable[[], Awaitable[object]]) -> None:
            await asyncio.sleep(max(seconds, 0))
            await act()

        await asyncio.gather(
            after(delay, click), after(-delay, lambda: asyncio.to_thread(person.reply, asked, f"{kind.written}\n"))
        )
        outcome = await request.outcome()
        first = outcome.decisions[0].channel
        self.won[first] += 1
        self.delay += STEP_SECONDS if first == "slack" else -STEP_SECONDS
        return Race(kind, request, clicker, writer, other)

    async def ready_to_click(self, person: str, request: Request, verdict: str) -> Callable[[], Awaitable[object]]:
        """Prepare all but the last press of a button, which is returned; to reject, it submits a form that is open."""
        prompt = await self.prompt(person, request.id)
        if verdict == "approve":
            return lambda: self.context.click(prompt, "approve", person)
        await self.context.click(prompt, "reject", person)
        await until(lambda: has_form(self.context, person), f"{person} has the form")
        said = {"comment": "Not now"}
        return lambda: insisting(lambda: people.submit(self.context.slack, said, user_id(person)))


def has_form(context: Context, person: str) -> bool:
    """Whether a form to fill in is open for somebody."""
    view = people.open_modal_of(context.slack, user_id(person))
    return view is not None and any(block["type"] == "input" for block in view["blocks"])


def rules() -> str:
    """Two approvers for each group of devices; the engineers need one of them, the operators both."""
    workflows = [
        {
            "name": f"{GROUPS[quorum]} to {group}",
            "user_group": GROUPS[quorum],
            "device_group": group,
            "levels": [{"approvers": [{"user": one} for one in pair], "quorum": quorum}],
        }
        for group, pair in LANES.items()
        for quorum in REQUESTERS
    ]
    return slack_policy(approval_workflows=workflows)


@pytest_asyncio.fixture(
    scope="module", loop_scope="session", params=["socket", pytest.param("http", marks=pytest.mark.whole)]
)
async def arena(
    request: pytest.FixtureRequest, temporal_address: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Arena]:
    """All of Countersign, with a watcher on the mailbox, in each mode."""
    try:
        async with slack_deployment(
            temporal_address, tmp_path_factory.mktemp("races"), request.param, awake=False
        ) as context:
            deployment = context.deployment
            deployment.read_mailbox()
            deployment.apply(rules())
            deployment.start_worker()
            yield Arena(context)
    except NoSlack as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def watched(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    """Note mails as they come, and turn off the limits on messages to a person, as there are few people here."""
    deliver = arena.context.deployment.mail.deliver

    async def noting(recipient: str, content: bytes, *, sender: str = "", login: str = "", helo: str = "") -> None:
        arena.keep(recipient, content)
        await deliver(recipient, content, sender=sender, login=login, helo=helo)

    monkeypatch.setattr(arena.context.deployment.mail, "deliver", noting)
    monkeypatch.setattr("notifiers.slack.client.rate_limit.SECONDS_A_MESSAGE", 0.0)
    monkeypatch.setattr("engine.rejected_input.HELP_AT_MOST", 1000)


async def test_a_click_and_a_mail_at_the_same_moment(arena: Arena) -> None:
    count = RACES[arena.context.slack.state.workspace.mode]
    lanes = [asyncio.create_task(lane(arena, group, at, count // len(LANES))) for at, group in enumerate(LANES)]
    races = [race for runs in await asyncio.gather(*lanes) for race in runs]
    assert len(races) == count
    assert min(arena.won["slack"], arena.won["email"]) > count / 10, f"the moments were not the same: {arena.won}"
    for race in races:
        one_outcome(race)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while wrong := await not_told_yet(arena, races):
        assert time.monotonic() < deadline, f"{len(wrong)} of {len(races)}: {wrong[:5]}"
        await asyncio.sleep(1)
    await asyncio.sleep(SWEPT_SECONDS)
    assert await not_told_yet(arena, races) == []


async def lane(arena: Arena, group: str, at: int, count: int) -> list[Race]:
    """Races for the devices of one group, one after another, of all kinds."""
    return [await arena.run(group, KINDS[(number * len(LANES) + at) % len(KINDS)]) for number in range(count)]


def one_outcome(race: Race) -> None:
    """The workflow, the record and the answers agree on one outcome, and on who brought it about."""
    request, kind = race.request, race.kind
    view = request.deployment.store.reading.request(request.id)
    said = {(race.clicker, kind.clicked, "slack"), (race.writer, kind.written, "email")}
    counted = [(one.person, str(one.verdict), one.channel) for one in view.decisions]
    assert set(counted) <= said, race
    rejected = "reject" in [verdict for _, verdict, _ in counted]
    assert view.status is (Status.REJECTED if rejected else Status.APPROVED), race
    assert len(counted) >= kind.quorum or rejected, race
    ends = [line.split()[0] for line in request.lines() if line.split()[0] in ("approved", "rejected", "granted")]
    assert ends == (["rejected"] if rejected else ["approved", "granted"]), race


async def not_told_yet(arena: Arena, races: list[Race]) -> list[str]:
    """What is not yet, or no longer, right about what each person was told on each channel."""
    everybody = {person for race in races for person in (race.clicker, race.other, requester_of(race))}
    seen = {person: await messages_to(arena.context, person) for person in everybody}
    explained = await explanations(arena.context, everybody)
    return [wrong for race in races for wrong in wrongs_of(arena, race, seen, explained)]


def requester_of(race: Race) -> str:
    """Who asked."""
    return race.request.question.requester


def wrongs_of(arena: Arena, race: Race, seen: dict[str, dict[int, list[Json]]], explained: list[str]) -> Iterator[str]:
    """What is wrong with what each person of one race was told, on each channel."""
    number, requester = race.request.id, requester_of(race)
    decided = {one.channel for one in race.request.deployment.store.reading.request(number).decisions}
    if len(refused := race.request.lines("answer_refused")) != 2 - len(decided):
        yield f"#{number} was decided by {decided}, and of two answers {len(refused)} refused"
    status = str(race.request.status)
    for person in (race.clicker, race.other, requester):
        messages = seen[person].get(number, [])
        own = [one for one in messages if one.get("thread_ts", one["ts"]) == one["ts"]]
        if [status in words_of(one) and not still_asks(one) for one in own] != [True]:
            yield f"#{number} {person} sees {[one['text'][:60] for one in own]} instead of one that is {status}"
        if len(messages) - len(own) != (person == requester):
            yield f"#{number} {person} was told {len(messages) - len(own)} times below their message"
        mails = ["settled"] if person == requester else ["asked", "settled"]
        if person == race.writer and "email" not in decided:
            mails = sorted([*mails, "answer_refused"])
        got = sorted(arena.kinds_of_mail(person, number))
        # If the mail server is too busy to take the question before the request is settled, nobody is asked any more.
        was_late = person != race.writer and got == [kind for kind in mails if kind != "asked"]
        if got != mails and not was_late:
            yield f"#{number} {person} got the mails {got} instead of {mails}"
    if (told := sum(f"#{number}" in words for words in explained)) != ("slack" not in decided):
        yield f"#{number} was decided by {decided}, and explained {told} times in Slack"


async def messages_to(context: Context, person: str) -> dict[int, list[Json]]:
    """The app's messages to somebody, by the request that their metadata names."""
    found: dict[int, list[Json]] = defaultdict(list)
    for message in await people.messages(context.slack, await people.dm_of(context.slack, user_id(person))):
        notification = str(message["metadata"].get("event_payload", {}).get("id", ""))
        if notification:
            found[int(notification.partition(".")[0])].append(message)
    return found


async def explanations(context: Context, everybody: set[str]) -> list[str]:
    """What people were told privately in Slack, beside a message or in a form; not that their answer is kept."""
    told = [str(one["text"]) for person in everybody for one in await people.ephemerals(context.slack, user_id(person))]
    answers = [one.answer.get("view") for one in context.slack.deliveries]
    views = [view for view in [*answers, *(one["view"] for one in context.slack.calls_of("views.update"))] if view]
    told += [str(view) for view in views if not any(block["type"] == "input" for block in view["blocks"])]
    return [reason for reason in told if " is kept" not in reason]
