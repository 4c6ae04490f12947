"""What forgers aim at, and the genuine deliveries that they begin with."""

from __future__ import annotations

import json
import time
import uuid
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from notifiers.slack.inbound.payloads import named
from sandbox.slack import people
from sandbox.slack.workspace import TEAM, Json
from tests.local_slack.faults import Fault
from tests.local_slack.people import until_seen
from tests.notifiers.slack.way_in import value_of
from tests.slack.context import Context, user_id
from tests.slack.forge.sending import SECONDS
from tests.workflows.deployment import Request

ABSENT = object()


@dataclass(frozen=True)
class Genuine:
    """What Slack itself sent when people did things that counted."""

    click: Json
    form: Json
    command: Json
    opening: Json


async def genuine_ones(context: Context) -> Genuine:
    """Have people do each thing once, and keep what Slack sent."""
    clicked, filled = await context.deployment.ask("alice"), await context.deployment.ask("alice")
    click = await context.click(await context.message("grace", clicked.id), "approve", "grace")
    await clicked.outcome()
    await context.click(await context.message("grace", filled.id), "approve_with_comment", "grace")

    async def form_of_grace() -> Json | None:
        view = people.open_modal_of(context.slack, user_id("grace"))
        return view if view and view.get("submit") else None

    await until_seen(form_of_grace)
    form = await people.submit(context.slack, {"comment": "fine"}, user_id("grace"))
    await filled.outcome()
    command = await people.command(context.slack, "/connect", "help", user_id("alice"))
    opening = await people.open_home(context.slack, user_id("grace"))
    return Genuine(click.payload, form.payload, command.payload, opening.payload)


def about(request: Request, level: int = 1, verdict: str = "approve") -> Json:
    """What a form about a request has in its metadata."""
    return named(value_of(request, level))._asdict() | {"verdict": verdict}


@dataclass
class Aim:
    """The targets: `request`, whose `prompt` somebody got, and `other`, about which grace is not asked."""

    context: Context
    genuine: Genuine
    request: Request
    prompt: Json
    other: Request
    person: str = "grace"
    level: int = 1

    def click(self, action: str = "approve", person: str = "") -> Json:
        """A genuine click on the prompt."""
        one = deepcopy(self.genuine.click)
        one["user"]["id"] = user_id(person or self.person)
        one["channel"]["id"] = self.prompt["channel"]
        one["container"] |= {"message_ts": self.prompt["ts"], "channel_id": self.prompt["channel"]}
        one["message"] = deepcopy(self.prompt)
        value = value_of(self.request, self.level)
        one["actions"][0] |= {"action_id": action, "value": value, "action_ts": f"{time.time():.6f}"}
        return one | _fresh(self.context)

    def opener(self) -> Json:
        """A genuine click that opens a form; Slack will open it."""
        one = self.click("approve_with_comment")
        opened = Fault(body={"ok": True, "view": {"id": "V1"}})
        self.context.slack.fail("views.open", opened, trigger_id=one["trigger_id"])
        return one

    def cancel(self) -> Json:
        """A genuine Cancel by the requester."""
        return self.click("cancel", "alice")

    def revoke(self) -> Json:
        """A genuine Revoke by the approver."""
        return self.click("revoke")

    def form(self) -> Json:
        """A genuine form, filled in and sent."""
        one = deepcopy(self.genuine.form)
        one["user"]["id"] = user_id(self.person)
        metadata = about(self.request, self.level)
        one["view"] |= {"id": f"V{uuid.uuid4().hex[:10].upper()}", "private_metadata": json.dumps(metadata)}
        return one | _fresh(self.context)

    def command(self) -> Json:
        """A genuine `/connect` of alice."""
        device = self.context.deployment.devices.fresh("web")
        return deepcopy(self.genuine.command) | _fresh(self.context) | {"text": f"{device} ssh 60m for the night"}

    def shortcut(self) -> Json:
        """A genuine shortcut of alice."""
        click = self.click("", "alice")
        shared = {name: click[name] for name in ("user", "team", "api_app_id", "is_enterprise_install", "trigger_id")}
        return {"type": "shortcut", "callback_id": "connect", "action_ts": "1.2", **shared}

    def opening(self) -> Json:
        """A genuine opening of the Home page."""
        return deepcopy(self.genuine.opening) | {"event_id": f"Ev{uuid.uuid4().hex[:10].upper()}"}

    def status_lines(self) -> list[object]:
        """The state of both requests, and everything on record about them but refusals."""
        reading = self.context.deployment.store.reading
        views = [reading.request(one.id) for one in (self.request, self.other)]
        stand = [(one.status, one.level, one.decisions, one.grant) for one in views]
        lines = [line for one in (self.request, self.other) for line in one.lines()]
        return [*stand, *(line for line in lines if not line.startswith("answer_refused"))]

    async def judged(self) -> None:
        """Wait until all stored answers to the requests are judged, as a click is acknowledged before that."""

        async def done() -> bool:
            later = self.context.deployment.store.reading.request(self.request.id).deadline
            left = self.context.deployment.store.answers.waiting(later)
            return not {one.approval_id for one in left} & {self.request.id, self.other.id}

        await until_seen(done, SECONDS)

    def account(self, **fields: Any) -> str:
        """The id of a new account, about which `users.info` says the same as about grace but for these fields."""
        user = f"U{uuid.uuid4().hex[:10].upper()}"
        usual = {"id": user, "team_id": TEAM, "profile": {"email": "grace@example.test"}, "is_email_confirmed": True}
        said = {name: value for name, value in (usual | fields).items() if value is not ABSENT}
        self.context.slack.fail("users.info", Fault(body={"ok": True, "user": said}), user=user)
        return user


def _fresh(context: Context) -> Json:
    """What is new in each delivery."""
    return {
        "trigger_id": f"1.2.{uuid.uuid4().hex}",
        "response_url": f"{context.slack.url}/_hooks/response/{uuid.uuid4()}",
    }
