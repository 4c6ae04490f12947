"""What Slack sends us when somebody clicks, submits a form, types a command or opens a page, read strictly.

The shapes: https://docs.slack.dev/reference/interaction-payloads/ and
https://docs.slack.dev/interactivity/implementing-slash-commands#app_command_handling. A payload is signed, and still
nothing in it is trusted: each part that is used has its type and length, and all else is left out.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import Field, ValidationError

from notifiers.slack.inbound.payload_parts import (
    LARGEST_ID,
    SHORT_RUN,
    Author,
    Button,
    Container,
    Form,
    Malformed,
    Metadata,
    Opening,
    OptionalId,
    Part,
    Secret,
    Sender,
    SlackId,
    Team,
    User,
    View,
)

LONGEST_TEXT = 40_000
# An approval id, a level, which has three digits at most, and the short form of a run.
_VALUE = re.compile(rf"([1-9][0-9]{{0,9}}):([1-9][0-9]{{0,2}})(?::({SHORT_RUN}))?")


class InteractionPayload(Part):
    """What all interactions have in common."""

    type: Annotated[str, Field(max_length=64)]
    user: User
    team: Team
    enterprise: Team | None = None
    is_enterprise_install: bool = False
    api_app_id: SlackId
    trigger_id: Secret = ""
    response_url: Secret = ""

    @property
    def sender(self) -> Sender:
        """Who sent it, from where."""
        return Sender(
            user=self.user.id,
            team=self.team.id,
            user_team=self.user.team_id,
            enterprise=self.enterprise.id if self.enterprise else "",
            app=self.api_app_id,
            is_org_install=self.is_enterprise_install,
        )


class Pressed(InteractionPayload):
    """`block_actions`: exactly one button."""

    actions: Annotated[list[Button], Field(min_length=1, max_length=1)]
    container: Container = Container()
    message: Author | None = None
    view: View | None = None

    @property
    def button(self) -> Button:
        """The button."""
        return self.actions[0]

    @property
    def source_id(self) -> str:
        """The same for each delivery of this click, and for no other."""
        where = f"{self.container.channel_id}.{self.container.message_ts}" if self.view is None else self.view.id
        return f"action:{where}.{self.user.id}.{self.button.action_ts}"

    @property
    def author(self) -> Author:
        """The author of the message or page that the button is on."""
        return self.message or self.view or Author()


class Submitted(InteractionPayload):
    """`view_submission`: a form that was sent."""

    view: Form

    @property
    def source_id(self) -> str:
        """The same for each delivery of this form, and for no other."""
        return f"view:{self.view.id}"

    @property
    def author(self) -> Author:
        """The author of the form."""
        return self.view

    @property
    def metadata(self) -> Metadata:
        """Which answer it is. Raises Malformed."""
        try:
            # As JSON, so that the verdict may be written as text.
            return Metadata.model_validate_json(self.view.private_metadata)
        except ValidationError:
            raise Malformed("the form names no request") from None

    def field(self, name: str) -> str:
        """The text of the field with this action id, in any block; "" for none, or another type."""
        values = self.view.state.get("values") if isinstance(self.view.state, dict) else None
        blocks = values.values() if isinstance(values, dict) else ()
        for block in blocks:
            if isinstance(block, dict) and isinstance(element := block.get(name), dict):
                chosen = element.get("selected_option")
                found = chosen.get("value") if isinstance(chosen, dict) else element.get("value")
                return found[:LONGEST_TEXT] if isinstance(found, str) else ""
        return ""


class Shortcut(InteractionPayload):
    """`shortcut`: one of ours was chosen from the menu."""

    callback_id: Annotated[str, Field(max_length=255)]


class Command(Part):
    """A slash command; it comes as a form, so all of it is text."""

    command: Annotated[str, Field(max_length=64)]
    text: Annotated[str, Field(max_length=LONGEST_TEXT)] = ""
    user_id: SlackId
    team_id: SlackId
    enterprise_id: OptionalId = ""
    is_enterprise_install: str = "false"
    api_app_id: SlackId
    channel_id: OptionalId = ""
    trigger_id: Annotated[Secret, Field(min_length=1)]
    response_url: Secret = ""

    @property
    def sender(self) -> Sender:
        """Who typed it, and where."""
        return Sender(
            user=self.user_id,
            team=self.team_id,
            user_team=self.team_id,
            enterprise=self.enterprise_id,
            app=self.api_app_id,
            is_org_install=self.is_enterprise_install != "false",
        )


class Opened(Part):
    """An event: https://docs.slack.dev/reference/events/app_home_opened."""

    type: Annotated[str, Field(max_length=64)]
    team_id: SlackId
    api_app_id: SlackId
    enterprise_id: OptionalId | None = None
    event: Opening

    @property
    def sender(self) -> Sender:
        """Who opened it."""
        return Sender(
            user=self.event.user,
            team=self.team_id,
            user_team=self.team_id,
            enterprise=self.enterprise_id or "",
            app=self.api_app_id,
            is_org_install=False,
        )


Delivery = Pressed | Submitted | Shortcut | Command | Opened
ReadT = TypeVar("ReadT", bound=Part)


def read(kind: type[ReadT], body: Mapping[str, Any]) -> ReadT:
    """Read a payload as this kind. Raises Malformed, which names the wrong part without its value."""
    try:
        return kind.model_validate(dict(body))
    except ValidationError as error:
        places = (".".join(map(str, one["loc"]))[:60] for one in error.errors(include_input=False, include_url=False))
        raise Malformed(f"{kind.__name__}: {', '.join(list(places)[:5])}") from None


class Named(NamedTuple):
    """What a button names: a request, by its approval id and the short form of its run, and a level."""

    id: int
    level: int
    run: str


def named(value: str) -> Named:
    """What a button's value names: `1042:1:0123456789ab`, or `1042:1` of a request without a run. Raises Malformed."""
    found = _VALUE.fullmatch(value)
    if found is None or int(found[1]) > LARGEST_ID:
        raise Malformed("the button names no request")
    return Named(int(found[1]), int(found[2]), found[3] or "")


def approval_id_of(delivery: Part | None) -> int | None:
    """Which request a click or form is about, if it says so."""
    try:
        if isinstance(delivery, Pressed):
            return named(delivery.button.value).id
        return delivery.metadata.id if isinstance(delivery, Submitted) else None
    except Malformed:
        return None
