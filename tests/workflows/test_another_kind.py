"""A kind of subject is added by its question, its route, its workflow and its wording: here, in this one file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
from sqlalchemy import Connection
from temporalio import workflow
from typer.testing import CliRunner

import worker
from countersign.cli.command import app
from countersign.directory import Policy
from countersign.errors import BadQuestion, Refused
from countersign.kinds import KINDS
from countersign.kinds.kind import SubjectKind
from countersign.kinds.routes import ROUTES
from countersign.models import Id, LevelRule, NamedUser, Outcome, Question, Route, Scope, Status, Subject, key_of
from countersign.permissions import Principal
from countersign.question import read_question
from countersign.transitions import Transition
from countersign.visibility import Visibility
from engine.consequences import OPENED, SETTLED
from engine.credentials.tokens import TokenActions
from notifiers.slack.outbound.views import home_view
from notifiers.templates import loader
from sandbox.slack.tool import NoSlack
from store.tokens import Owner
from tests.http_clients import plain_client
from tests.slack.context import Context, slack_deployment
from tests.workflows.deployment import Deployment, new_namespace, refused
from workflows.approval import Approval

pytestmark = pytest.mark.asyncio(loop_scope="session")


class LunchQuestion(Question):
    """May this person have lunch there?"""

    kind: Literal["lunch"] = "lunch"
    restaurant: Id

    @property
    def subject(self) -> Subject:
        """The lunch."""
        key = key_of(self.kind, self.requester, self.restaurant)
        return Subject(kind=self.kind, key=key, target=self.restaurant, fields={"restaurant": self.restaurant})


def route(policy: Policy, question: LunchQuestion) -> Route:
    """Grace is asked about every lunch but one; a question with minutes gets a grant."""
    if question.restaurant == "closed":
        raise Refused("Nobody has lunch there.")
    level = LevelRule(approvers=[NamedUser(user="grace")])
    return Route(
        because="lunch",
        levels=[level],
        expires_after=timedelta(hours=1),
        grant_lasts=timedelta(minutes=question.minutes or 0),
        channels=policy.channels,
    )


class Kitchen:
    """Notes what the engine's transactions report."""

    def __init__(self) -> None:
        self.asked = set[str]()
        self.decided: dict[str, Status] = {}

    def opened(self, connection: Connection, question: LunchQuestion, approval_id: int) -> None:
        self.asked.add(question.restaurant)

    def settled(self, connection: Connection, policy: Policy, question: LunchQuestion, transition: Transition) -> None:
        self.decided[question.restaurant] = transition.status


LUNCH = SubjectKind(
    name="lunch",
    workflow="LunchApproval",
    question=LunchQuestion,
    example='{"kind": "lunch", "requester": "alice", "restaurant": "luigis"}',
)


@workflow.defn(name="LunchApproval", sandboxed=False)
class LunchApproval(Approval):
    kind = LUNCH

    @workflow.run
    async def run(self, raw: object = None, *extra: object) -> Outcome:
        return await self.decided(raw, extra)


WORDING = {
    "email": "have lunch at {{ subject.fields.restaurant }}",
    "slack": "have lunch at {{ subject.fields.restaurant|code(longest) }}",
}


@pytest.fixture
def lunches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kitchen:
    """Add lunches to everything that runs in this process."""
    kitchen = Kitchen()
    monkeypatch.setitem(KINDS, LUNCH.name, LUNCH)
    monkeypatch.setitem(ROUTES, LUNCH.name, route)
    monkeypatch.setitem(OPENED, LUNCH.name, kitchen.opened)
    monkeypatch.setitem(SETTLED, LUNCH.name, kitchen.settled)
    monkeypatch.setattr(worker, "WORKFLOWS", [*worker.WORKFLOWS, LunchApproval])
    for channel, wording in WORDING.items():
        message = tmp_path / channel / "subject" / "lunch.j2"
        message.parent.mkdir(parents=True)
        message.write_text(wording)
        monkeypatch.setattr(loader(channel), "searchpath", [*loader(channel).searchpath, str(tmp_path / channel)])
    return kitchen


@pytest_asyncio.fixture(loop_scope="session")
async def deployment(temporal_address: str, sqlite_url: str, lunches: None) -> AsyncIterator[Deployment]:
    """An engine that knows lunches."""
    namespace = await new_namespace(temporal_address)
    async with Deployment(temporal_address, namespace, sqlite_url) as deployment:
        yield deployment


@pytest_asyncio.fixture(loop_scope="session")
async def context(temporal_address: str, tmp_path: Path, lunches: None) -> AsyncIterator[Context]:
    """The same with a portal and Slack; mailed replies are read."""
    try:
        async with slack_deployment(temporal_address, tmp_path, "socket", awake=False) as context:
            context.deployment.read_mailbox()
            context.deployment.start_worker()
            yield context
    except NoSlack as error:
        pytest.skip(str(error))


def lunch(restaurant: str = "luigis", **fields: object) -> Question:
    return read_question({"kind": "lunch", "requester": "alice", "restaurant": restaurant} | fields)


async def mailed(deployment: Deployment, login: str, number: int, message: str) -> str:
    mail = await asyncio.to_thread(deployment.person(login).wait_for_mail, number, message)
    assert mail["Subject"] == f"Countersign - Lunch Approval Notification - #{number}"
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


async def test_it_is_asked_approved_and_told_by_mail_and_in_slack(deployment: Deployment) -> None:
    request = await deployment.ask_for(lunch())
    assert (request.question.workflow_id, request.status) == ("lunch:alice:luigis", Status.WAITING)
    asked = await mailed(deployment, "grace", request.id, "have lunch")
    assert asked.startswith("Alice A. asks to have lunch at luigis.\n")
    assert "Wants to:    have lunch at luigis\n" in asked
    home = str(home_view(await deployment.engine.mine("grace"), Principal("grace")))
    assert f"*#{request.id}* · *Alice A.* asks to have lunch at `luigis`." in home
    assert (await request.says("grace")).accepted
    outcome = await request.outcome()
    assert (outcome.status, outcome.grant) == (Status.APPROVED, None)
    told = await mailed(deployment, "alice", request.id, "Approved")
    assert told.startswith("Approved by Grace G.: you may have lunch at luigis.\n")
    assert "have lunch at `luigis`" in str(home_view(await deployment.engine.mine("alice"), Principal("alice")))


async def test_what_waits_is_asked_once_and_an_approval_may_bring_a_grant_for_it_alone(deployment: Deployment) -> None:
    first = await deployment.ask_for(lunch(minutes=60))
    again = await deployment.ask_for(lunch(minutes=60))
    other = await deployment.ask_for(lunch("marios", minutes=60))
    assert (again.id, again.asked.joined, other.asked.joined) == (first.id, True, False)
    await first.says("grace")
    granted = await deployment.ask_as("alice", lunch())
    assert granted.grant is not None
    assert granted.grant.approval_id == first.id
    assert (await deployment.ask_as("alice", lunch("marios"))).grant is None
    await deployment.engine.give_back(first.id, Principal("alice"), "test")
    await mailed(deployment, "alice", first.id, "Ended: your permission to have lunch at luigis is over.")


async def test_what_else_its_requests_bring_about_is_done_as_they_are_opened_and_settled(
    deployment: Deployment, lunches: Kitchen
) -> None:
    approved, rejected = await deployment.ask_for(lunch()), await deployment.ask_for(lunch("marios"))
    assert (lunches.asked, lunches.decided) == ({"luigis", "marios"}, {})
    await approved.says("grace")
    await rejected.says("grace", "reject")
    assert {(await one.outcome()).status for one in (approved, rejected)} == {Status.APPROVED, Status.REJECTED}
    assert lunches.decided == {"luigis": Status.APPROVED, "marios": Status.REJECTED}


async def test_its_rules_refuse_it_and_wrong_input_is_told_what_to_write(deployment: Deployment) -> None:
    assert await refused(deployment.ask_for(lunch("closed"))) == "Nobody has lunch there."
    with pytest.raises(BadQuestion, match="table is not a field; use requester, restaurant, reason"):
        lunch(table=1)
    with pytest.raises(BadQuestion, match="kind must be connection or device or lunch"):
        read_question({"kind": "dinner"})


async def test_a_gateway_sees_connections_alone(deployment: Deployment) -> None:
    request = await deployment.ask_for(lunch("web-1"))
    gateway = Visibility(scope=Scope(targets=frozenset({"web-1"}), variants=frozenset({"ssh", ""})))
    view = deployment.store.reading.request(request.id)
    assert view.subject == Subject(
        kind="lunch", key="lunch:alice:web-1", target="web-1", fields={"restaurant": "web-1"}
    )
    assert not gateway.sees(view)
    assert deployment.store.visible_events.since(0, gateway, 100)[0] == []


async def test_it_is_listed_and_shown_by_api_and_command_line_and_answered_by_mail_and_in_slack(
    context: Context,
) -> None:
    deployment = context.deployment
    by_mail, in_slack = await deployment.ask_for(lunch("luigis")), await deployment.ask_for(lunch("marios"))
    mail = await asyncio.to_thread(deployment.person("grace").wait_for_mail, by_mail.id)
    await asyncio.to_thread(deployment.person("grace").reply, mail, "Approved")
    assert (await by_mail.outcome()).decisions[0].channel == "email"
    prompt = await context.message("grace", in_slack.id, "asks to have lunch at `marios`")
    await context.click(prompt, "approve", "grace")
    assert (await in_slack.outcome()).decisions[0].channel == "slack"
    await context.settled(in_slack, "you may have lunch at `marios`", "alice")

    url = context.slack.request_url.removesuffix("/slack/events")
    token = TokenActions(deployment.store).create(Owner(kind="person", name="alice"), "tests")
    async with plain_client(headers={"Authorization": f"Bearer {token}"}) as client:
        listed = (await client.get(f"{url}/api/v1/requests")).json()
        shown = (await client.get(f"{url}/api/v1/requests/{by_mail.id}")).json()
    assert [one["subject"]["fields"] for one in listed] == [{"restaurant": "marios"}, {"restaurant": "luigis"}]
    assert (shown["status"], shown["question"]["restaurant"]) == ("Approved", "luigis")

    def typed(*words: str) -> str:
        ran = CliRunner().invoke(app, [*words, "--url", url, "--token", token], env={"COLUMNS": "100"})
        assert ran.exit_code == 0, ran.output
        return " ".join(ran.output.split())

    table = await asyncio.to_thread(typed, "list")
    assert f"{in_slack.id} Approved Alice A. marios Grace G." in table
    page = await asyncio.to_thread(typed, "show", str(by_mail.id))
    assert "Alice A. to luigis" in page
