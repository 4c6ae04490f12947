"""Worker, portal, database, Temporal and the gate services are killed (SIGKILL), with people at each step at each gate.

No byte passes before a yes, and none after the end of the grant, or of the grace if the portal gives no answer. When
all is up again, a yes that was given meanwhile counts, each question has one request, and nothing is left over.
`killed_cases.py` has the table of the steps; all steps of a part are played at once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from countersign.errors import CountersignError
from countersign.models import GrantStatus, Status
from sandbox.postgres import NoPostgres
from sandbox.ssh_hosts import Host, NoSsh
from tests.countersign.gates.killable import PARTS, Killable, killable_installation
from tests.countersign.gates.killed_cases import GATES, NOT_BETWEEN, PAM_PEOPLE, Case, comes_about, stays_open, steps_at
from tests.countersign.gates.networks import wait_until
from tests.countersign.gates.pam_host import check_pam

SERVICE = "gate service"
# A killed portal is to a gate like a killed database. Temporal and the worker, which decide, are killed only in CI.
LIKE_ANOTHER = ["portal", "temporal", "worker"]
# What logins and connections start, as a pattern for `pgrep --full`.
LEFT_BY_CLIENTS = "countersign-gate|sshd: [a-z-]+"


@pytest.fixture(scope="module")
def killable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killable]:
    if "TEMPORAL_ADDRESS" in os.environ:
        pytest.skip("somebody else's Temporal is not killed")
    try:
        check_pam()
        with killable_installation(tmp_path_factory.mktemp("kills"), PAM_PEOPLE) as made:
            yield made
    except (NoPostgres, NoSsh) as error:
        pytest.skip(str(error))


class Round:
    """One part is killed while somebody is at each step at each gate."""

    def __init__(self, all_: Killable, part: str) -> None:
        self._all, self.part, self._began = all_, part, time.monotonic()
        self.cases = [Case(all_, part, gate, step) for gate in GATES for step in steps_at(part, gate)]

    def at(self, *steps: str) -> list[Case]:
        """The cases at one of these steps."""
        return [case for case in self.cases if case.step in steps]

    def each(self, cases: list[Case], does: Callable[[Case], None]) -> None:
        """Do this with all of them at once."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(does, cases))

    def note(self, what: str) -> None:
        print(f"{time.monotonic() - self._began:5.1f} s: {what}")

    # --- before, meanwhile, afterwards -------------------------------------------------------------------------------

    def begin(self) -> None:
        """Have people wait, and have others in."""
        present = [case for case in self.cases if case.step not in {"asks", "asked"}]
        for case in present:
            case.ask()
        for case in present:
            case.until_waiting()
        self.note("all wait")
        # Those whose grants are short come last.
        for case in self.at("open", "revoked") + self.at("ends"):
            case.approve()
            if case.gate == "rdp":
                case.prepare()
                case.connect()
        for case in self.at("open", "revoked", "ends"):
            case.until_in()
        self.note("sessions are open")

    def kill(self) -> None:
        """Ask, give a yes, and kill the part before the gates hear of either."""
        with self._all.relay.held(), self._all.host.portal_relay.held():
            for case in self.at("asked"):
                case.ask()
            for case in self.at("asked"):
                case.until_waiting()
            for case in self.at("approved"):
                case.approve()
                case.prepare()
            self._all.kill(self.part)
        self.note(f"the {self.part} is killed")

    def meanwhile(self) -> None:
        """What people do while the part is away, and what has to follow from it."""
        for case in self.at("asks"):
            case.connect()
        for case in self.at("approved"):
            if case.gate == "rdp":
                case.connect()
        for case in self.at("leaves"):
            case.client.end()
        for case in self.at("waits"):
            self._all.answer_by_mail(case.number, "Approved")
        if self.part in NOT_BETWEEN:
            for case in self.at("approved"):
                case.until_in()
        self.each(self.at("revoked"), Case.revoke)
        for case in self.at("open"):
            if stays_open(self.part, case.gate):
                assert case.client.is_carried(), f"{case}: cut"
            else:
                case.until_over()
        self.note("sessions are cut, or carry bytes")
        if self.part in NOT_BETWEEN:
            for case in self.at("revoked", "ends"):
                case.until_over()
        if self.part == SERVICE:
            for case in self.at("waits", "approved", "asks", "asked", "leaves"):
                if case.clients:
                    case.until_over()
            for case in self.at("waits"):
                self._all.gates.until_status(case.number, Status.APPROVED)
        for case in self.at("asks", "asked", "waits", "leaves", *([] if self.part in NOT_BETWEEN else ["approved"])):
            case.nothing_passed()
        self.note("all is as it must be meanwhile")

    def afterwards(self) -> None:
        """Start it again: those with a yes are let in, and those who asked meanwhile are let in after a yes."""
        self._all.start(self.part)
        self.note("it is up again")
        for case in self.at("waits"):
            self._all.gates.until_status(case.number, Status.APPROVED)
        self.note("the yes by mail counts")
        for case in self.at("asks"):
            if case.client.is_over():
                case.connect()
        for case in self.at("approved", "waits"):
            case.enter()
        self.note("who was approved meanwhile is in")
        for case in self.at("asks", "asked"):
            if not case.is_given_up:
                case.until_waiting()
                case.approve()
                case.until_in()
        for case in self.at("open"):
            case.enter()
            assert case.client.is_carried(), f"{case}: cut"
        self.note("all are in who may be")

    # --- what must be so when all is over ----------------------------------------------------------------------------

    def check(self) -> None:
        """End all sessions, by revocation or by their clients; nothing is left, and each has one request.

        What a login has left in the background stays until its grant ends.
        """
        for case in self.at("revoked", "ends"):
            case.until_over()
        inside = [case for case in self.at("open", "waits", "approved", "asks", "asked") if not case.is_given_up]
        revoked = [case for case in inside if case.gate == "pam" or case.step == "open"]
        self.each(revoked, Case.revoke)
        self.each(revoked, Case.until_over)
        for case in self.cases:
            case.end()
        self.each(self.cases, self.check_requests)
        self.each(self.cases, Case.until_nothing_is_left)
        for host in (self._all.bastion.bastion, self._all.host):
            no_client_is_left(host)
        wait_until(lambda: self._all.host.run("cat", "/run/countersign/sessions") == "[]")
        self.note("nothing is left")

    def check_requests(self, case: Case) -> None:
        """There is one request, it no longer waits, and it has the outcome that it must have."""
        case.until(case.is_settled, "settled")
        assert len(case.requests) == 1, f"{case}: {case.requests}"
        [request] = case.requests
        assert request.approval_id == case.number or case.step == "asks", case
        if case.is_given_up:
            assert request.status is Status.CANCELLED, case
            return
        assert request.status is Status.APPROVED, case
        assert request.grant
        if case.step == "revoked":
            assert request.grant.status is GrantStatus.REVOKED, case

    def end(self) -> None:
        """End what a failure may have left."""
        for case in self.cases:
            case.end()
        with self._all.gates.api() as api:
            for request in [one for case in self.cases for one in case.requests]:
                self._all.before.add(request.approval_id)
                with suppress(CountersignError):
                    if request.status is Status.WAITING:
                        api.cancel(request.approval_id)
                    elif request.grant and request.grant.status is GrantStatus.ACTIVE:
                        api.revoke(request.approval_id)


def no_client_is_left(host: Host) -> None:
    """Nothing that a login or a connection has started is still running."""
    left = ["pgrep", "--full", "--list-full", LEFT_BY_CLIENTS]
    assert comes_about(lambda: not host.run(*left, check=False)), host.run(*left, check=False)


@pytest.mark.no_cover
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "part", [pytest.param(part, marks=[pytest.mark.whole] if part in LIKE_ANOTHER else []) for part in PARTS]
)
def test_when_a_part_is_killed_nobody_is_let_in_without_a_yes_and_nothing_is_left(
    killable: Killable, part: str
) -> None:
    played = Round(killable, part)
    try:
        played.begin()
        played.kill()
        played.meanwhile()
        played.afterwards()
        played.check()
    finally:
        played.end()
