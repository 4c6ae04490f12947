"""The findings about the socket."""

from datetime import UTC, datetime
from functools import partial

from countersign.views import Finding
from notifiers.slack.inbound.connection import LOST, NO_HELLO, State

PART = "Slack"
ABOUT = "connection"
RENEWED = "Slack renews the connection"
# By the reasons of https://docs.slack.dev/apis/events-api/using-socket-mode#disconnect, and our own.
WHY_ENDED = {
    LOST: "the connection was lost",
    NO_HELLO: "Slack opened the connection and said nothing",
    "warning": RENEWED,
    "refresh_requested": RENEWED,
    "too_many_websockets": "Slack counts too many connections of the app: end other programs that use its app token",
    "link_disabled": "Socket Mode is off: turn it on in the app's settings at api.slack.com/apps, under Socket Mode",
}

ok = partial(Finding, part=PART, about=ABOUT, state="ok")
warning = partial(Finding, part=PART, about=ABOUT, state="warning")
problem = partial(Finding, part=PART, about=ABOUT, state="problem")


def findings(state: State) -> list[Finding]:
    """The connection's state: how many Slack counts, when something came last, and why there is none."""
    if not state.connected:
        why = state.why or "it is being opened"
        message = f"there is none, so clicks do not arrive ({why}); the portal keeps trying{_heard(state)}"
        return [problem(message=message)]
    if state.connections > 1:
        return [warning(message=f"{others(state.connections)}{_heard(state)}")]
    return [ok(message=f"is the app's only one{_heard(state)}")]


def others(count: int) -> str:
    """What it means that Slack counts this many connections."""
    return (
        f"Slack counts {count} connections of the app, one of them this portal's, and sends each click to any of "
        "them. Another portal of yours handles the clicks that it gets; a click that goes to a dead connection, or to "
        "another program with the same app token, is lost, and Slack says so to whoever clicked. Slack gives up a dead "
        "connection within hours, and this portal counts again until then"
    )


def _heard(state: State) -> str:
    if state.heard_at is None:
        return ""
    now = datetime.now(UTC)
    heard = f"; last heard {_ago(state.heard_at, now)}"
    return f"{heard}, last click or command {_ago(state.delivered_at, now)}" if state.delivered_at else heard


def _ago(at: datetime, now: datetime) -> str:
    seconds = max(0, int((now - at).total_seconds()))
    return f"{seconds} s ago" if seconds < 120 else f"{seconds // 60} min ago"
