"""The parts that Slack's payloads are made of, as strict as we need them.

https://docs.slack.dev/reference/interaction-payloads/block_actions-payload and its neighbours.
"""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from countersign.models import Verdict

LONGEST_URL = 2000
LONGEST_METADATA = 3000

SlackId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
OptionalId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,64}$")]
Stamp = Annotated[str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,9})?$")]
Secret = Annotated[str, Field(max_length=LONGEST_URL, repr=False)]

# An approval id fits the database's integers.
LARGEST_ID = 2**31 - 1
# The short form of a workflow's run, which tells apart buttons and forms of an earlier request with the same number.
SHORT_RUN = "[0-9a-f]{12}"


class Malformed(Exception):
    """It has none of the shapes that Slack sends; the text says where it differs, and never repeats what is there."""


class Part(BaseModel):
    """A part of a payload: strict types, and whatever we do not use is left out."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, hide_input_in_errors=True)


class Team(Part):
    """A workspace, or an organisation."""

    id: SlackId


class User(Part):
    """Who acted; `team_id` is the workspace that they belong to."""

    id: SlackId
    team_id: OptionalId = ""


class Author(Part):
    """The author of a message, a form or a page."""

    bot_id: OptionalId = ""
    app_id: OptionalId = ""


class Button(Part):
    """A button that was pressed."""

    action_id: Annotated[str, Field(max_length=255)]
    value: Annotated[str, Field(max_length=2000)] = ""
    action_ts: Stamp


class Container(Part):
    """Where a button stands: a message, or a view (App Home)."""

    message_ts: Annotated[str, Field(max_length=24)] = ""
    channel_id: OptionalId = ""


class View(Author):
    """A form, or App Home, as it was when it was sent."""

    id: SlackId
    type: Annotated[str, Field(max_length=64)] = ""
    callback_id: Annotated[str, Field(max_length=255)] = ""
    private_metadata: Annotated[str, Field(max_length=LONGEST_METADATA)] = ""
    state: Any = None


class Form(View):
    """A form of ours: each has a name."""

    callback_id: Annotated[str, Field(min_length=1, max_length=255)]


class Metadata(Part):
    """What we wrote into our own form: which answer it is."""

    id: Annotated[int, Field(ge=1, le=LARGEST_ID)]
    level: Annotated[int, Field(ge=1, le=999)]
    verdict: Verdict
    run: Annotated[str, Field(pattern=rf"^(?:{SHORT_RUN})?$")] = ""


class Opening(Part):
    """The part of `app_home_opened` that we use."""

    type: Annotated[str, Field(max_length=64)]
    user: SlackId
    tab: Annotated[str, Field(max_length=64)] = ""


def short_run(run: str) -> str:
    """The short form of a run, as buttons and forms have it; empty for a request that opened before it was kept."""
    return hashlib.sha256(run.encode()).hexdigest()[:12] if run else ""


@dataclass(frozen=True)
class Sender:
    """The sender that a payload names: `team` is where it was done, `user_team` where the person belongs."""

    user: str
    team: str
    user_team: str
    enterprise: str
    app: str
    is_org_install: bool
