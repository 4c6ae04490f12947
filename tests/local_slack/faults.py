"""What can go wrong at Slack, or on the way to it, when a test says so."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.slack.workspace import Json

UNTIL_CLOSED = 3600.0


@dataclass(frozen=True)
class Fault:
    """One way to fail a call. With `after`, the call goes through first, and only the caller doesn't learn of it."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Json = field(default_factory=dict)
    hang: float = 0.0
    cut: bool = False
    after: bool = False

    def afterwards(self) -> Fault:
        """The same fault, after the call has gone through."""
        return replace(self, after=True)


def rate_limited(seconds: int) -> Fault:
    """Too many calls (https://docs.slack.dev/apis/web-api/rate-limits)."""
    return Fault(429, {"Retry-After": str(seconds)}, {"ok": False, "error": "ratelimited"})


def server_error(status: int = 503) -> Fault:
    """Slack is down, and answers with a page that isn't JSON."""
    return Fault(status)


def hangs(seconds: float = UNTIL_CLOSED) -> Fault:
    """No answer for this many seconds; then the connection is cut."""
    return Fault(hang=seconds, cut=True)


def cut() -> Fault:
    """The connection is reset."""
    return Fault(cut=True)


def fails(error: str, **more: Any) -> Fault:
    """Slack says no: `fails("missing_scope", needed="chat:write", provided="users:read")`."""
    return Fault(body={"ok": False, "error": error, **more})


@dataclass
class Faults:
    """The faults that wait for their calls, first come first served."""

    waiting: list[tuple[str, Fault, Json]] = field(default_factory=list)

    def add(self, method: str, fault: Fault, times: int = 1, **where: str) -> None:
        """Fail the next calls of the method, or only those with these arguments (`channel="C1"`)."""
        self.waiting += [(method, fault, dict(where))] * times

    def take(self, method: str, args: Json) -> Fault | None:
        """The fault that is due for this call, if any; the call uses it up."""
        for at, (wanted, fault, where) in enumerate(self.waiting):
            if wanted == method and all(args.get(key) == value for key, value in where.items()):
                del self.waiting[at]
                return fault
        return None

    def clear(self) -> None:
        """Drop the faults that still wait."""
        self.waiting.clear()
