"""The contract every channel keeps: notifications out, answers in."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from countersign.checks import Check
from countersign.notifications import Notification, RequestNotification
from countersign.views import Explained, Finding
from notifiers.engine import Engine


class Notifier(Protocol):
    """The way out of one channel."""

    async def send(self, notification: Notification) -> str:
        """Send it, in its own time limits; returns the channel's reference (a Message-ID).

        Raises Unreachable, Unconfirmed where it may have been sent, or Unavailable. It may be sent again after these.
        """

    async def close(self) -> None:
        """Close its connections."""


class LiveNotifier(Notifier, Protocol):
    """The way out of a channel whose messages can be changed: each goes on showing its request as it is now."""

    async def change(self, reference: str, notification: RequestNotification) -> bool:
        """Bring a message up to date; False where it is gone for good. Raises Unavailable."""


class Listener(Protocol):
    """The way in of one channel: it passes what it receives to the engine."""

    async def run(self, beat: Callable[[], None]) -> None:
        """Listen until cancelled, whatever fails; calls `beat` every second or so while it works."""

    async def handle(self, request: Any) -> Any:
        """Answer a call to `/<channel>/events`, a request of Starlette's; it proves by itself who sent it."""

    def findings(self) -> Sequence[Finding]:
        """Its health now, as far as that is known without a call."""


@dataclass(frozen=True)
class Channel:
    """A channel as the settings have it; `sender` or `live` is None where it isn't set up to send."""

    name: str
    checks: Sequence[Check]
    sender: Callable[[], Notifier] | None = None
    live: Callable[[], LiveNotifier] | None = None
    listener: Callable[[Engine, Any], Listener] | None = None  # of the engine and the ledger of what was handled
    mailbox: str = ""  # which it reads in one worker at a time, and expiries wait for; "": it listens in each portal
    explainer: Callable[[Engine], Callable[[bytes], Awaitable[Explained]]] | None = None
    # What a notification about a request says, as plain text, without what could answer in its reader's place.
    preview: Callable[[RequestNotification], str] | None = None
    # The secret in a link to sign in by that it sends, by the link's id, and whether a given one is right.
    link_secret: Callable[[str], str] | None = None
    is_link_secret: Callable[[str, str], bool] | None = None
    warnings: Sequence[str] = ()  # for the log of whoever starts
