"""Checks a gateway: connects as somebody would, and looks at the portal to see what happens (docs/gateways.md).

It acts as an approver of the person who connects: it approves, revokes and rejects that person's requests.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeVar

from countersign.errors import BadQuestion, CountersignError, NotAllowed
from countersign.gates.gateway_connections import Connection, GatewayAddress
from countersign.grant_reuse import is_yes
from countersign.http import Api
from countersign.models import GATEWAY, Status, Verdict, without_controls
from countersign.question import read_question
from countersign.views import Finding, RequestView

POLL_SECONDS = 0.1
# How long to watch whether anything comes through before the yes, or another request is opened.
WATCH_SECONDS = 3.0
# How soon after its grant a session has to end.
MOST_SECONDS = 2.0
# How many connections are made, as by a client that tries again: all must be one request.
TIMES = 3

State = Literal["ok", "warning", "problem"]
REASON = "The gateway is being checked."
T = TypeVar("T")


@dataclass(frozen=True)
class Wants:
    """Who connects to what; the gateway must be set up to ask for exactly this."""

    person: str
    device: str
    protocol: str


class Check:
    """One check of a gateway.

    `patience`: how many seconds to wait for what a gateway does at once; `gone_within`: how many seconds a request may
    stay open after its person has gone, as they may come back.
    """

    def __init__(
        self, api: Api, address: GatewayAddress, wants: Wants, patience: float, gone_within: float, person: Api | None
    ) -> None:
        """`person`: the portal with the person's token, for gateways whose people ask at the portal themselves."""
        self._person = person
        self._api, self._address, self._wants = api, address, wants
        self._patience, self._gone_within = patience, gone_within
        self._found: list[Finding] = []
        # The approval id of this person's newest request before the check.
        self._newest = 0

    def run(self) -> list[Finding]:
        """What was found, in the order of the checks. Raises BadQuestion if nothing can be checked."""
        self._must_be_answerable()
        self._must_be_free()
        try:
            self._check()
        finally:
            self._leave_nothing()
        return self._found

    def _check(self) -> None:
        with self._connections(TIMES) as connections:
            if self._person:
                self._nothing_before(connections, "nothing comes through before its person has asked")
            view = self._asked()
            if view is not None:
                self._check_question(view)
                self._one_request(view)
            self._nothing_before(connections, "nothing comes through before the yes")
            if view is not None:
                self._yes(view, connections)
        if view is not None:
            self._no()
            self._gone()

    # --- the checks --------------------------------------------------------------------------------------------------

    def _asked(self) -> RequestView | None:
        view = self._request()
        remedy = "The portal was not asked about this person, device and protocol: ask when somebody connects."
        if not self._person:
            self._say("somebody connects, and the gateway asks", view is not None, remedy)
        return view

    def _check_question(self, view: RequestView) -> None:
        if self._person:
            return
        self._say(
            "it asks with a gateway's token",
            view.asked_by.startswith(GATEWAY),
            f"{view.asked_by_name or view.asked_by} asked: make a token with `token create --gateway`.",
        )
        address = view.question.source_address
        remedy = "Send the address of whoever connects as `source_address`: the grant holds for that address."
        self._say("it says where the connection comes from", bool(address), remedy, otherwise="warning")

    def _one_request(self, first: RequestView) -> None:
        time.sleep(WATCH_SECONDS)  # no event says that no other request comes
        asked = self._api.requests(requester=self._wants.person)
        since = [one for one in asked if one.approval_id > self._newest and one.asked_by == first.asked_by]
        which = ", ".join(f"#{one.approval_id} for {one.subject.target} by {one.subject.variant}" for one in since)
        remedy = f"{len(since)} requests were opened ({which}): ask with one device and protocol, for all connections."
        self._say(f"{TIMES} connections are one request", len(since) == 1, remedy)

    def _nothing_before(self, connections: Sequence[Connection], name: str) -> None:
        through = [connection for connection in connections if connection.poll()[0]]
        beginning = f" It began with {through[0].beginning!r}." if through else ""
        remedy = f"Pass nothing on until the grant is Active and its end lies ahead.{beginning}"
        self._say(name, not through, remedy)

    def _yes(self, view: RequestView, connections: Sequence[Connection]) -> None:
        self._api.decide(view.approval_id, Verdict.APPROVE)
        began = time.monotonic()
        # A gate may close the connections that wait, and let people in when they connect again.
        closed = all(connection.poll()[1] for connection in connections) and self._address.waits
        with self._connections(1 if closed else 0) as again:
            through = self._until(lambda: [one for one in (*connections, *again) if one.poll()[0]])
            remedy = "Wait for the request with GET /requests/{id}/wait, and connect once its grant is Active."
            self._say("after the yes somebody gets through", bool(through), remedy, time.monotonic() - began)
            self._cut(view, through or [])

    def _cut(self, view: RequestView, connections: Sequence[Connection]) -> None:
        self._api.revoke(view.approval_id, REASON)
        if not connections:
            return
        began = time.monotonic()
        over = self._until(lambda: all(connection.poll()[1] for connection in connections))
        seconds = time.monotonic() - began
        remedy = "Follow GET /requests/{id}/wait or GET /events, and close what is open when its grant is over."
        is_well = bool(over) and seconds <= MOST_SECONDS
        self._say(f"a revocation cuts the connection within {MOST_SECONDS:.0f} s", is_well, remedy, seconds)

    def _no(self) -> None:
        with self._connections(1) as connections:
            view = self._request()
            if view is None:
                self._say(
                    "it asks anew after the revocation", False, "Forget the grant once it is over, and ask again."
                )
                return
            self._api.decide(view.approval_id, Verdict.REJECT, REASON)
            connection, began = connections[0], time.monotonic()
            closed = self._until(lambda: connection.poll()[1])
            # Over protocols other than HTTP, what comes through now may say why.
            is_well = bool(closed) and (self._address.waits or not connection.poll()[0])
            remedy = "Close the connection when the request is Rejected; say why, where the protocol can."
            self._say("a rejection closes the connection", is_well, remedy, time.monotonic() - began)
            if beginning := without_controls(connection.beginning):
                self._found.append(Finding(part="what it said then", state="ok", about="", message=beginning))

    def _gone(self) -> None:
        name = "a person who has gone leaves no request behind"
        if not self._address.waits:
            message = "Not checked: by HTTP nobody holds a connection."
            self._found.append(Finding(part=name, state="ok", about="", message=message))
            return
        with self._connections(1):
            view = self._request()
        if view is None:
            self._say(name, False, "It did not ask anew after a rejection: ask for each new connection.")
            return
        number, began = view.approval_id, time.monotonic()
        settled = (Status.CANCELLED, Status.EXPIRED)
        over = self._until(lambda: self._api.request(number).status in settled, self._gone_within)
        if not over:
            self._leave_nothing()
        remedy = "Cancel the request with POST /requests/{id}/cancel when whoever waited has gone."
        self._say(name, bool(over), remedy, time.monotonic() - began)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _requests(self) -> list[RequestView]:
        wants = self._wants
        found = self._api.requests(requester=wants.person)
        return [one for one in found if (one.subject.target, one.subject.variant) == (wants.device, wants.protocol)]

    def _waiting(self) -> RequestView | None:
        return next((one for one in self._requests() if one.status is Status.WAITING and one.level), None)

    def _request(self) -> RequestView | None:
        """The request that is to be opened now, whoever asks; None if it isn't opened."""
        if self._person:
            wants = self._wants
            question = {"requester": wants.person, "device": wants.device, "protocol": wants.protocol}
            self._person.ask(read_question(question | {"source_address": self._address.source_address}))
        return self._until(self._waiting)

    def _must_be_answerable(self) -> None:
        """Raise BadQuestion unless the token's person can decide such a request without anybody else."""
        me, wants = self._api.me(), self._wants
        if me.kind != "person":
            raise BadQuestion(f"The token is the gateway {me.name}'s: give that of an approver, who answers here.")
        try:
            found = self._api.who_approves(wants.device, wants.protocol, wants.person)
        except NotAllowed:
            return  # the check itself will show it
        levels = found.levels if found.outcome == "waits" and not found.confirm else []
        if len(levels) != 1 or levels[0].needed != 1 or me.name not in {one.person for one in levels[0].asked}:
            now = found.message or found.because or "another would have to"
            raise BadQuestion(
                f"{me.name} alone has to decide whether {wants.person} may connect to {wants.device} by "
                f"{wants.protocol}, at one level and without signing in again. That is not so ({now}): choose others, "
                "or change the policy."
            )

    def _leave_nothing(self) -> None:
        """Reject requests that still wait and revoke grants that last, however the check went."""
        for one in self._requests():
            with suppress(CountersignError):
                if one.status is Status.WAITING:
                    self._api.decide(one.approval_id, Verdict.REJECT, REASON)
                elif one.grant is not None and is_yes(one.grant, datetime.now(UTC)):
                    self._api.revoke(one.approval_id, REASON)

    def _must_be_free(self) -> None:
        newest = self._api.requests(requester=self._wants.person, limit=1)
        self._newest = newest[0].approval_id if newest else 0
        for one in self._requests():
            if one.status is Status.WAITING or (one.grant is not None and is_yes(one.grant, datetime.now(UTC))):
                what = "waits" if one.status is Status.WAITING else "has a grant that lasts"
                raise BadQuestion(f"#{one.approval_id} {what}: end it first, or check with another device.")

    @contextmanager
    def _connections(self, times: int) -> Iterator[list[Connection]]:
        connections: list[Connection] = []
        try:
            for _ in range(times):
                connections.append(self._address.connect())
                connections[-1].poll()
            yield connections
        finally:
            for connection in connections:
                connection.close()

    def _until(self, find: Callable[[], T], seconds: float | None = None) -> T | None:
        """What `find` returns, once it is true; None if that takes longer than `seconds`, by default the patience."""
        over = time.monotonic() + (self._patience if seconds is None else seconds)
        while not (found := find()):
            if time.monotonic() > over:
                return None
            time.sleep(POLL_SECONDS)
        return found

    def _say(
        self, name: str, is_well: bool, remedy: str, seconds: float | None = None, otherwise: State = "problem"
    ) -> None:
        about = "" if seconds is None else f"{seconds:.1f} s"
        state: State = "ok" if is_well else otherwise
        self._found.append(Finding(part=name, state=state, about=about, message="" if is_well else remedy))
