"""The manifests that people paste into Slack, and the scopes and pictures in the docs, match the code."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML

from notifiers.slack.client.scopes import APP_SCOPES, ROOM_SCOPES, SCOPES
from notifiers.slack.inbound import bolt_handlers
from notifiers.slack.inbound.connect_text import USAGE
from tests.pictures.slack import PICTURES, pictures

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "slack.md").read_text()
MANIFESTS = {mode: ROOT / "deploy" / "slack" / f"manifest.{mode}.yaml" for mode in ("socket", "http")}
PLACEHOLDER = "https://countersign.example.com/slack/events"


# --- Slack's schema of manifests, as far as we use it: https://docs.slack.dev/reference/app-manifest and
# https://github.com/slackapi/manifest-schema/blob/main/schemas/manifest.schema.1.0.0.json


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def of(longest: int, pattern: str | None = None, *, least: int = 1) -> Any:
    return Field(min_length=least, max_length=longest, pattern=pattern)


Address = Annotated[str, of(3000, r"^https?://")]
Names = list[Annotated[str, of(50)]]


class DisplayInformation(Part):
    name: str = of(35)
    description: str = of(140)
    background_color: str = of(7, r"^#[0-9a-fA-F]{3}([0-9a-fA-F]{3})?$", least=4)


class AppHome(Part):
    home_tab_enabled: bool
    messages_tab_enabled: bool
    messages_tab_read_only_enabled: bool


class BotUser(Part):
    display_name: str = of(80)
    always_online: bool


class Shortcut(Part):
    name: str = of(24)
    type: Literal["message", "global"]
    callback_id: str = of(255)
    description: str = of(150)


class SlashCommand(Part):
    command: str = of(32, r"^/", least=2)
    url: Address | None = None
    description: str = of(2000)
    usage_hint: str = of(1000)
    should_escape: bool


class Features(Part):
    app_home: AppHome
    bot_user: BotUser
    shortcuts: Annotated[list[Shortcut], Field(min_length=1, max_length=10)]
    slash_commands: Annotated[list[SlashCommand], Field(min_length=1, max_length=50)]


class Scopes(Part):
    bot: Names


class OAuthConfig(Part):
    scopes: Scopes


class EventSubscriptions(Part):
    request_url: Address | None = None
    bot_events: Names


class Interactivity(Part):
    is_enabled: bool
    request_url: Address | None = None


class Switches(Part):
    event_subscriptions: EventSubscriptions
    interactivity: Interactivity
    org_deploy_enabled: bool
    socket_mode_enabled: bool
    token_rotation_enabled: bool


class Manifest(Part):
    display_information: DisplayInformation
    features: Features
    oauth_config: OAuthConfig
    settings: Switches


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def manifest(mode: str) -> Manifest:
    return Manifest.model_validate(read(MANIFESTS[mode].read_text()))


def listened_to(kind: str) -> list[str]:
    """The names in calls such as `app.shortcut("connect")`."""
    assert bolt_handlers.__file__
    return re.findall(rf'app\.{kind}\("(\w+)"\)', Path(bolt_handlers.__file__).read_text())


@pytest.mark.parametrize("mode", MANIFESTS)
def test_the_manifest_names_what_the_code_listens_to(mode: str) -> None:
    said = manifest(mode)
    [command] = said.features.slash_commands
    assert command.command == bolt_handlers.COMMAND
    assert f"{command.command} {command.usage_hint}" == USAGE
    assert [one.callback_id for one in said.features.shortcuts] == listened_to("shortcut")
    assert said.settings.event_subscriptions.bot_events == listened_to("event")
    assert said.settings.interactivity.is_enabled
    assert said.features.app_home.home_tab_enabled
    assert said.features.app_home.messages_tab_enabled


@pytest.mark.parametrize("mode", MANIFESTS)
def test_the_manifest_asks_for_the_least_scopes(mode: str) -> None:
    assert manifest(mode).oauth_config.scopes.bot == list(SCOPES)
    # With the two lines for rooms, which people uncomment by hand.
    with_rooms = re.sub(r"^( +)# - ", r"\1- ", MANIFESTS[mode].read_text(), flags=re.MULTILINE)
    said = Manifest.model_validate(read(with_rooms))
    assert said.oauth_config.scopes.bot == [*SCOPES, *ROOM_SCOPES]


def test_only_http_needs_addresses_and_all_are_ours() -> None:
    socket, http = manifest("socket"), manifest("http")
    assert socket.settings.socket_mode_enabled
    assert not http.settings.socket_mode_enabled
    assert "://" not in re.sub("#.*", "", MANIFESTS["socket"].read_text())
    addresses = [
        http.features.slash_commands[0].url,
        http.settings.event_subscriptions.request_url,
        http.settings.interactivity.request_url,
    ]
    assert addresses == [PLACEHOLDER] * 3


def test_token_rotation_is_off_as_the_settings_hold_one_token() -> None:
    assert not manifest("socket").settings.token_rotation_enabled
    assert not manifest("http").settings.token_rotation_enabled


def test_the_page_gives_each_scope_with_its_reason() -> None:
    written = dict(re.findall(r"^\| `([a-z.]+:?[a-z.]*)` \| (.+) \|$", PAGE, re.MULTILINE))
    assert written == SCOPES | ROOM_SCOPES | APP_SCOPES


def test_the_pictures_show_what_the_code_sends() -> None:
    drawn = {f"{name}.svg": svg for name, svg in pictures().items()}
    kept = {file.name: file.read_text() for file in PICTURES.glob("*.svg")}
    assert kept == drawn, "run `python -m tests.pictures.slack`, and look at them"


def test_every_picture_is_on_the_page_and_can_be_drawn() -> None:
    shown = set(re.findall(r"!\[[^]]+\]\(pictures/([a-z]+)\.svg\)", PAGE))
    assert shown == set(pictures())
    for svg in pictures().values():
        assert ET.fromstring(svg).tag.endswith("svg")
