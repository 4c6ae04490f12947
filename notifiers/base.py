"""What every channel consists of: how it sends, how it listens, and what else worker and portal need of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from countersign.channels import Listener, LiveSender, Reader, Sender, SignInLinks
from countersign.checks import Check
from countersign.notifications import RequestNotification
from countersign.views import Explained
from notifiers.engine import Engine, Ledger

Explainer = Callable[[Engine], Callable[[bytes], Awaitable[Explained]]]


@dataclass(frozen=True)
class Inbox:
    """What a channel reads in one worker at a time. Expiries wait until it was read; admins are told if it can't be."""

    name: str  # in the ledger, where `reader` notes how far it was read
    job: str  # Temporal's name for the work of reading it
    reader: Callable[[Engine, Ledger], Reader]


@dataclass(frozen=True)
class Channel:
    """A channel as the settings configure it; a part that isn't set up is None or empty."""

    name: str
    checks: Sequence[Check]
    sender: Callable[[], Sender] | None = None
    live: Callable[[], LiveSender] | None = None
    listener: Callable[[Engine], Listener] | None = None  # in each portal
    inbox: Inbox | None = None
    # What explains how incoming data is read, by its media type.
    explainers: Mapping[str, Explainer] = field(default_factory=dict)
    # The plain text of a notification about a request, without the tokens that would let its reader answer it.
    preview: Callable[[RequestNotification], str] | None = None
    sign_in_links: SignInLinks | None = None
    warnings: Sequence[str] = ()  # logged when the worker starts
