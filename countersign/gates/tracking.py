"""What a gate knows of one request, and who here waits for it or has a session from it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from countersign.errors import NotAllowed
from countersign.gates.feed import now
from countersign.grant_reuse import covers
from countersign.models import GrantView, Question, Status, canonical_id
from countersign.question import read_question
from countersign.times import MINUTE, moment, span
from countersign.views import RequestView

# How long before its end somebody in a session is told how to extend it.
WARNED_BEFORE = timedelta(minutes=5)

Tell = Callable[[str], None]


class Wanted(NamedTuple):
    """What somebody wants at a gate. Programs don't `wait`: without an active grant they are refused at once.

    `source_address` is where the connection comes from.
    """

    person: str
    device: str
    protocol: str
    source_address: str
    reason: str = ""
    wait: bool = True

    @property
    def question(self) -> Question:
        """The question to ask. BadQuestion names what is wrong; NotAllowed means an account that no person can have."""
        _must_be_id(self.person)
        return read_question(
            {
                "requester": self.person,
                "device": self.device,
                "protocol": self.protocol,
                "source_address": self.source_address,
                "reason": self.reason,
            }
        )


def _must_be_id(account: str) -> None:
    """Raise NotAllowed for `Alice`, who is not the person `alice`, though a question may be typed either way."""
    try:
        is_id = canonical_id(account) == account
    except ValueError:
        is_id = False
    if not is_id:
        why = f"No person can have the id {account[:40]!r}"
        raise NotAllowed(f"{why}: accounts here have to be called as their people are in the policy.")


class SharedQuestion:
    """One question to the portal, for all who ask it here."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.people = 0
        self.says = ""
        # Whether the next caller with the same question joins this one.
        self.is_current = True
        self.is_kept = False
        self.opening: asyncio.Task[Request] | None = None
        self.request: Request | None = None
        self.leaving: asyncio.TimerHandle | None = None


class Request:
    """One request as the portal last showed it."""

    def __init__(self, approval_id: int) -> None:
        self.approval_id = approval_id
        self.view: RequestView | None = None
        self.is_lost = False
        self.sessions: set[GateSession] = set()
        self.askings: set[SharedQuestion] = set()
        # Set when something about the request changes, and then replaced by a new one.
        self.changed = asyncio.Event()
        # When the view was asked for, by the feed's clock, and since when it is known to be out of date.
        self.read_at = 0.0
        self.stale_since: float | None = None
        self.is_read = False

    def take(self, view: RequestView) -> None:
        """Keep what the portal shows, unless it is older than what is known."""
        if self.view is None or view.version >= self.view.version:
            self.view, self.is_lost = view, False
            self.wake()

    def lose(self) -> None:
        """The portal shows it no longer."""
        self.view, self.is_lost = None, True
        self.wake()

    def end_sessions(self, why: str) -> None:
        """End all its sessions."""
        for session in list(self.sessions):
            session.end(why)

    def wake(self) -> None:
        """Have all who wait look again."""
        woken, self.changed = self.changed, asyncio.Event()
        woken.set()

    @property
    def is_used(self) -> bool:
        """Whether somebody here still needs it."""
        return bool(self.sessions) or any(one.people or one.is_current for one in self.askings)

    @property
    def waits(self) -> bool:
        """Whether it is undecided, as far as is known."""
        return not self.is_lost and (self.view is None or self.view.status is Status.WAITING)

    def waiting_for(self, at: datetime) -> tuple[str, str]:
        """Whom it waits for, and how much time is left: for people."""
        assert self.view
        names = ", ".join(one.name or one.person for one in self.view.awaited) or "an answer"
        channels = ", ".join(name for name, use in self.view.channels.items() if use != "off")
        level = f" at level {self.view.level} of {self.view.levels}" if self.view.levels > 1 else ""
        by = f" ({channels})" if channels else ""
        return f"#{self.approval_id} waits for {names}{by}{level}", f"{span(self.view.deadline - at)} left"


class GateSession:
    """A connection that a grant permits; `ended` waits until it has to end."""

    def __init__(self, wanted: Wanted, request: Request, grant: GrantView, tell: Tell) -> None:
        self.wanted, self.source_address, self.tell = wanted, wanted.question.source_address, tell
        self.request = request
        self.ends_at = grant.ends_at
        self.is_warned = self.ends_at - datetime.now(UTC) <= WARNED_BEFORE
        # Whether another grant is looked for just now, and when that began last.
        self.is_looked_up, self.looked_up_at = False, now()
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        request.sessions.add(self)

    @property
    def approval_id(self) -> int:
        """The number of the request whose grant it is."""
        return self.request.approval_id

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or was closed."""
        return self._over.done()

    @property
    def lasts(self) -> bool:
        """Whether it goes on, and its own grant still covers it."""
        return not self.is_over and self.is_covered(datetime.now(UTC))

    def another(self, tell: Tell) -> "GateSession":
        """Another session with the same grant; only for a session that `lasts`."""
        assert self.request.view
        assert self.request.view.grant
        return GateSession(self.wanted, self.request, self.request.view.grant, tell)

    async def ended(self) -> str:
        """Wait until the session has to end; returns why, as a sentence."""
        return await asyncio.shield(self._over)

    def close(self) -> None:
        """End the session, as it is over by itself."""
        self.end("The session was closed.")

    def end(self, why: str) -> None:
        """Have it end, for this reason."""
        self.request.sessions.discard(self)
        if not self._over.done():
            self._over.set_result(why)

    def is_covered(self, at: datetime) -> bool:
        """Whether its own grant lets it stay."""
        grant = self.request.view.grant if self.request.view else None
        return grant is not None and covers(grant, self.source_address, at)

    def why_not_covered(self) -> str:
        """Why its own grant no longer lets it stay."""
        grant = self.request.view.grant if self.request.view else None
        message = grant.message if grant and grant.ended_early else ""
        return f"#{self.approval_id}: {message or 'the grant has ended.'}"

    def go_on_by(self, request: Request, grant: GrantView) -> None:
        """Go on with another grant."""
        self.request.sessions.discard(self)
        request.sessions.add(self)
        self.request, self.ends_at = request, grant.ends_at
        self.is_warned = False
        self.tell(f"#{request.approval_id} lets the session go on until {moment(grant.ends_at)}.")

    def warn(self, at: datetime) -> None:
        """Say that it ends soon, and how to extend it."""
        self.is_warned = True
        minutes = -((at - self.ends_at) // MINUTE)
        left = f"{minutes} minutes" if minutes > 1 else "a minute"
        # The address too: of several grants that last, a renewal without one goes on from the one that ends last.
        address = f" --source-address {self.source_address}" if self.source_address else ""
        command = f"countersign request {self.wanted.device} {self.wanted.protocol} --renew{address}"
        self.tell(f"The session ends in {left}, {moment(self.ends_at)}. To go on after that, ask now: `{command}`.")
