"""The gate before a WireGuard interface: its peers are the devices that are admitted, and nobody else.

One thread asks the portal, and hears of each change within a second. The other one owns the interface and looks at the
clock, so that a portal that hangs, or sends an answer byte by byte, delays nothing.

If it can't know who is admitted, nobody is: without a good answer for `grace`, when it ends, and when it starts and the
portal does not answer. It keeps no file, as nobody knows how long a gate that was killed was away.
"""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple, NoReturn

from countersign import wireguard
from countersign.errors import BadQuestion, CountersignError, Unavailable
from countersign.gates.feed import now
from countersign.http import LATE_SECONDS, Api
from countersign.registration import Admitted, Peers

POLL_SECONDS = 20.0
# The pause between two questions, even if the portal answers at once; a change must take effect within two seconds.
REST_SECONDS = 0.2
RETRY_SECONDS = 1.0
# How long the peers of the gate before this one may stay until the portal has answered.
FIRST_ANSWER_SECONDS = 5.0
COMPARE_SECONDS = 60.0
TICK_SECONDS = 1.0

Say = Callable[[str], None]


class Heard(NamedTuple):
    """What came of one question to the portal, and when: who is admitted, or why that is not known."""

    at: float
    admitted: Peers | None
    problem: BaseException | None = None


class Peer(NamedTuple):
    """An admitted device that can be a peer, and its address as a network."""

    device: Admitted
    network: str


class Gate:
    """The gate of one interface, whose peers are its own: others are removed."""

    def __init__(self, api: Api, interface: str, grace: float, say: Say) -> None:
        """`grace`: how many seconds peers stay without a good answer from the portal; `say` is told what happens."""
        self._api, self._interface, self._grace, self._say = api, interface, grace, say
        # So short that several answers come within the grace, even if nothing changes.
        self._poll_seconds = min(POLL_SECONDS, grace / 3)
        self._heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self._heard_at = 0.0
        self._peers: dict[str, Peer] = {}
        self._set: dict[str, Peer] | None = None
        self._compared_at = 0.0
        self._logged: dict[str, str] = {}

    def run(self) -> NoReturn:
        """Work until an exception ends it; all peers are removed then. BadQuestion: there is no such interface."""
        try:
            wireguard.peers(self._interface)
        except Unavailable as error:
            raise BadQuestion(f"{error} Make the interface first, as with `wg-quick up {self._interface}`.") from None
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            self._wait(FIRST_ANSWER_SECONDS)
            while True:
                self._keep_grace()
                self._set_peers()
                self._wait(TICK_SECONDS)
        finally:
            self._end()

    def end_by(self, error: BaseException) -> None:
        """Have `run` raise this, as soon as it has done and reported its present work; for handlers of signals."""
        self._heard.put(Heard(now(), None, error))

    def _end(self) -> None:
        try:
            wireguard.set_peers(self._interface, {})
        except Unavailable as error:
            self._say(f"The gate ends, and its peers could not be removed. {error}")
        else:
            self._say("The gate ends: no device is admitted any more.")

    def _listen(self) -> None:
        version = ""
        while True:
            began = now()
            try:
                admitted = self._api.admitted(version, self._poll_seconds)
                if now() - began > self._poll_seconds + LATE_SECONDS:
                    raise Unavailable("The portal's answer came too late; it may no longer be true.")
            except CountersignError as error:
                version = ""
                self._heard.put(Heard(now(), None, error))
                time.sleep(RETRY_SECONDS)
            except Exception as error:
                self._heard.put(Heard(now(), None, error))
                return
            else:
                version = admitted.version
                self._heard.put(Heard(now(), admitted))
                time.sleep(REST_SECONDS)

    def _wait(self, seconds: float) -> None:
        """Take the portal's next answer, if it comes within this many seconds."""
        with suppress(queue.Empty):
            heard = self._heard.get(timeout=seconds)
            if heard.admitted is not None:
                self._take(heard.at, heard.admitted)
            elif isinstance(heard.problem, CountersignError):
                self._tell("portal", f"{heard.problem} {self._meanwhile()}")
            elif heard.problem:
                raise heard.problem

    def _take(self, at: float, admitted: Peers) -> None:
        self._heard_at = at
        if self._logged.pop("portal", ""):
            self._say("The portal answers again.")
        self._peers, left_out = usable(admitted.peers)
        self._tell("left out", " ".join(left_out))

    def _tell(self, about: str, message: str) -> None:
        """Say a message, but not again while it stays the same."""
        if message and message != self._logged.get(about):
            self._say(message)
        self._logged[about] = message

    def _meanwhile(self) -> str:
        stay = (
            f"the others stay until {self._grace:.0f} s after its last answer" if self._peers else "there are no others"
        )
        return f"Until the portal answers, no new device is admitted, and {stay}."

    def _keep_grace(self) -> None:
        if self._peers and now() - self._heard_at > self._grace:
            self._peers = {}
            self._say(f"The portal gave no good answer for {self._grace:.0f} s: no device is admitted any more.")

    def _set_peers(self) -> None:
        """See that the interface has the peers that it should: when something changed, and every minute."""
        at = datetime.now(UTC)
        wanted = {key: one for key, one in self._peers.items() if one.device.until is None or one.device.until > at}
        if wanted == self._set and now() - self._compared_at < COMPARE_SECONDS:
            return
        networks = {key: one.network for key, one in wanted.items()}
        try:
            had = wireguard.peers(self._interface)
            if had != networks:
                wireguard.set_peers(self._interface, networks)
        except Unavailable as error:
            self._tell("interface", str(error))
            return
        self._logged.pop("interface", "")
        self._tell_changes(had, networks)
        self._set, self._compared_at = wanted, now()

    def _tell_changes(self, had: dict[str, str], networks: dict[str, str]) -> None:
        for key in had.keys() - networks.keys():
            self._say(f"Removed {_named((self._set or {}).get(key), key)}.")
        for key in (key for key in networks if had.get(key) != networks[key]):
            self._say(f"Admitted {_named(self._peers[key], key)}.")


def usable(devices: Iterable[Admitted]) -> tuple[dict[str, Peer], list[str]]:
    """The devices that can be peers, by key, and why others can't: two with one address or key are left out."""
    placed = [(one, wireguard.only(one.address)) for one in devices]
    networks = Counter(network for _, network in placed)
    keys = Counter(one.key for one, _ in placed)
    found, left_out = {}, []
    for one, network in placed:
        if network is None or not wireguard.is_key(one.key):
            left_out.append(f"Device {one.id} is left out: it has no WireGuard key, or no address.")
        elif networks[network] > 1 or keys[one.key] > 1:
            left_out.append(f"Device {one.id} is left out: another one has its address or its key.")
        else:
            found[one.key] = Peer(one, network)
    return found, left_out


def _named(peer: Peer | None, key: str) -> str:
    """A peer, for people; if the portal never reported it, only its key is known."""
    return f"device {peer.device.id} of {peer.device.person or 'a machine'}, {peer.network}" if peer else f"peer {key}"
