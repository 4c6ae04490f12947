"""The contract of a channel: how it sends and how it listens."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from countersign.notifications import Notification, RequestNotification
from countersign.views import Finding


class Sender(Protocol):
    """Sends the notifications of a channel."""

    async def send(self, notification: Notification) -> str:
        """Send it, within the channel's own time limits; returns the channel's reference (such as a Message-ID).

        Raises Unreachable, Unconfirmed (it may have been sent) or Unavailable. After the last two it may be sent again.
        """

    async def close(self) -> None:
        """Close its connections."""


class LiveSender(Sender, Protocol):
    """The sender of a channel that can change its messages, so that each keeps showing its request as it is now."""

    async def change(self, reference: str, notification: RequestNotification) -> bool:
        """Bring a message up to date; False if it is gone for good. Raises Unavailable."""


class Reader(Protocol):
    """Receives from a channel, and passes what it receives to the engine."""

    async def run(self, beat: Callable[[], None]) -> None:
        """Listen until cancelled, whatever fails, and finish what was received; calls `beat` every second or so."""


class Listener(Reader, Protocol):
    """The reader of a channel that calls us over HTTP."""

    async def handle(self, request: Any) -> Any:
        """Answer a call to `/<channel>/events`, a Starlette request that proves by itself who sent it."""

    def findings(self) -> Sequence[Finding]:
        """Its health now, as far as that is known without a call."""


class SignInLinks(Protocol):
    """The sign-in links that a channel sends: each has an id, and a secret that only its message shows."""

    def secret(self, link_id: str) -> str:
        """The secret of the link with this id."""

    def is_secret(self, link_id: str, given: str) -> bool:
        """Whether this is the secret of the link with this id."""
