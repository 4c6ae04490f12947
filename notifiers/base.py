"""What every channel is made of: its way out, its way in, and what else worker and portal ask of it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from countersign.channels import Listener, LiveSender, Sender
from countersign.checks import Check
from countersign.notifications import RequestNotification
from countersign.views import Explained
from notifiers.engine import Engine


@dataclass(frozen=True)
class Channel:
    """A channel as the settings have it; `sender` or `live` is None where it isn't set up to send."""

    name: str
    checks: Sequence[Check]
    sender: Callable[[], Sender] | None = None
    live: Callable[[], LiveSender] | None = None
    listener: Callable[[Engine, Any], Listener] | None = None  # of the engine and the ledger of what was handled
    mailbox: str = ""  # which it reads in one worker at a time, and expiries wait for; "": it listens in each portal
    explainer: Callable[[Engine], Callable[[bytes], Awaitable[Explained]]] | None = None
    # What a notification about a request says, as plain text, without what could answer in its reader's place.
    preview: Callable[[RequestNotification], str] | None = None
    # The secret in a link to sign in by that it sends, by the link's id, and whether a given one is right.
    link_secret: Callable[[str], str] | None = None
    is_link_secret: Callable[[str, str], bool] | None = None
    warnings: Sequence[str] = ()  # for the log of whoever starts
