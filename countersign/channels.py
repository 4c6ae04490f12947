"""The contract of a channel: how it sends and how it listens."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from countersign.notifications import Notification, RequestNotification
from countersign.views import Finding


class Sender(Protocol):
    """The way out of a channel."""

    async def send(self, notification: Notification) -> str:
        """Send it, in its own time limits; returns the channel's reference (a Message-ID).

        Raises Unreachable, Unconfirmed where it may have been sent, or Unavailable. It may be sent again after these.
        """

    async def close(self) -> None:
        """Close its connections."""


class LiveSender(Sender, Protocol):
    """The way out of a channel whose messages can be changed: each goes on showing its request as it is now."""

    async def change(self, reference: str, notification: RequestNotification) -> bool:
        """Bring a message up to date; False where it is gone for good. Raises Unavailable."""


class Reader(Protocol):
    """The way in of a channel: it passes what it receives to the engine."""

    async def run(self, beat: Callable[[], None]) -> None:
        """Listen until cancelled, whatever fails, and finish what was received; calls `beat` every second or so."""


class Listener(Reader, Protocol):
    """The way in of a channel that can be called."""

    async def handle(self, request: Any) -> Any:
        """Answer a call to `/<channel>/events`, a request of Starlette's; it proves by itself who sent it."""

    def findings(self) -> Sequence[Finding]:
        """Its health now, as far as that is known without a call."""


class SignInLinks(Protocol):
    """The links to sign in by that a channel sends: each is an id, and a secret that only its message shows."""

    def secret(self, link_id: str) -> str:
        """The secret of the link with this id."""

    def is_secret(self, link_id: str, given: str) -> bool:
        """Whether a given one is right."""
