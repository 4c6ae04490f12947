"""What the proxy remembers: the calls, the deliveries, and what local-slack doesn't keep."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from sandbox.slack.workspace import SCOPES, TEAM, Json, Workspace


@dataclass
class Call:
    """One call of the Web API; `answer` is what Slack's side answered, even if the caller never got it.

    `at` is when it came, in seconds by `time.monotonic`.
    """

    method: str
    args: Json
    answer: Json = field(default_factory=dict)
    at: float = field(default_factory=time.monotonic)


@dataclass
class Delivery:
    """One thing that Slack sent to the app: `interactive`, `slash_commands` or `events_api`.

    `answer` is what the app acknowledged it with, after `seconds`; Slack allows 3
    (https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response).
    `status` is the HTTP status in http mode, 200 for an envelope acknowledged in socket mode, 0 for no answer.
    `problems` says why Slack doesn't accept a view in the answer.
    """

    kind: str
    payload: Json
    status: int = 0
    answer: Json = field(default_factory=dict)
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    @property
    def over(self) -> bool:
        """Whether the app has answered, however late, or can't answer any more."""
        return self.seconds > 0

    @property
    def user(self) -> str:
        """The id of the person who caused the delivery."""
        payload = self.payload
        user = payload.get("user") or payload.get("user_id") or payload.get("event", {}).get("user")
        return str(user["id"]) if isinstance(user, dict) else str(user)


@dataclass
class Trigger:
    """A trigger id that was given out: valid once, for 3 seconds."""

    user: str
    given: float
    used: bool = False


@dataclass
class State:
    """All that the proxy remembers; `people` has, by user id, fields of the user object unlike local-slack's.

    `view_problems` says what is wrong with a view that the app answers with.
    """

    workspace: Workspace
    calls: list[Call] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    people: dict[str, Json] = field(default_factory=dict)
    archived: set[str] = field(default_factory=set)
    scopes: set[str] = field(default_factory=lambda: set(SCOPES))
    metadata: dict[tuple[str, str], Json] = field(default_factory=dict)
    triggers: dict[str, Trigger] = field(default_factory=dict)
    trigger_seconds: float = 3.0
    modals: dict[str, list[Json]] = field(default_factory=dict)
    homes: dict[str, Json] = field(default_factory=dict)
    prepared: dict[str, Json] = field(default_factory=dict)
    view_problems: Callable[[object], Iterable[str]] = lambda _: ()

    def __post_init__(self) -> None:
        for user in self.workspace.users:
            self.people[user.id] = dict(user.flags)

    def views(self) -> Iterator[Json]:
        """Every modal that is open anywhere."""
        for stack in self.modals.values():
            yield from stack

    def team_of(self, user: str) -> str:
        """The id of the workspace that the person belongs to."""
        return str(self.people.get(user, {}).get("team_id", TEAM))
