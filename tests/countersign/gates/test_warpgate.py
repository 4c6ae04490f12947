"""Sessions that Warpgate holds, on a local server that follows its published API, decided by Countersign."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pydantic import ValidationError

from countersign.gates.warpgate import WarpgateSection, host_of
from countersign.gates.warpgate_api import Warpgate
from countersign.models import Status
from tests.countersign.gates.gate_installation import GateInstallation, GateProcess
from tests.countersign.gates.local_warpgate import TOKEN, TROUBLES, LocalWarpgate, local_warpgate
from tests.countersign.gates.networks import wait_until
from tests.countersign.gates.portal_behind import portal_behind


async def listed(url: str) -> set[str]:
    """The ids of the sessions that this server lists."""
    warpgate = Warpgate(url, TOKEN, None)
    found = {one.id for one in await warpgate.sessions()}
    await warpgate.end()
    return found


@contextmanager
def following(gates: GateInstallation, server: LocalWarpgate, device: str, url: str = "") -> Iterator[GateProcess]:
    """The gate service, which follows this server for the target `production`."""
    token = gates.folder / "warpgate.token"
    token.touch(0o600)
    token.write_text(TOKEN)
    more = f'[warpgate]\nenabled = true\nurl = "{server.url}"\ntoken_file = "{token}"\ntargets.production = "{device}"'
    with gates.service(url, more=more, retry_within="1s") as gate:
        try:
            yield gate
        finally:
            print(gate.said.read_text()[-3000:])


def test_a_held_session_is_approved_by_a_yes_and_closed_by_a_revocation(gate_installation: GateInstallation) -> None:
    gates, device = gate_installation, gate_installation.device()
    with local_warpgate() as server, following(gates, server, device):
        session, again = (server.connect("alice", "production") for _ in range(2))
        elsewhere = server.connect("alice", "another target")
        view = gates.until_waiting("alice", device)
        assert (view.asked_by, view.question.source_address) == ("gateway:gate-1", "192.0.2.7")
        assert {server.state(one) for one in (session, again)} == {"held"}
        gates.approve(view.approval_id)
        wait_until(lambda: [server.state(one) for one in (session, again)] == ["open", "open"])
        gates.revoke(view.approval_id)
        wait_until(lambda: [server.state(one) for one in (session, again)] == ["closed", "closed"])
        assert server.state(elsewhere) == "held"
        assert [one.approval_id for one in gates.requests("alice", device)] == [view.approval_id]


def test_who_connects_while_the_gate_starts_is_asked_about(gate_installation: GateInstallation) -> None:
    gates, device = gate_installation, gate_installation.device()
    with local_warpgate() as server:
        connected: list[str] = []
        server.then = lambda: connected.append(server.connect("alice", "production"))
        with following(gates, server, device):
            gates.until_waiting("alice", device)
            assert [server.state(one) for one in connected] == ["held"]


def test_a_rejection_and_what_countersign_does_not_know_are_rejected_there(gate_installation: GateInstallation) -> None:
    gates, device = gate_installation, gate_installation.device()
    with local_warpgate() as server, following(gates, server, device):
        unknown = [server.connect(name, "production") for name in ("nobody", "Alice")]
        other = server.connect("alice", "production", "MySQL")
        session = server.connect("alice", "production")
        gates.reject(gates.until_waiting("alice", device).approval_id)
        wait_until(lambda: {server.state(one) for one in (session, *unknown, other)} == {"rejected"})


def test_who_may_ask_no_more_for_now_is_rejected_there(gate_installation: GateInstallation) -> None:
    gates, device = gate_installation, gate_installation.device()
    with (
        portal_behind(gates.installation.url) as portal,
        local_warpgate() as server,
        following(gates, server, device, portal.url),
    ):
        portal.limited = {"POST /api/v1/requests"}
        session = server.connect("bob", "production")
        wait_until(lambda: server.state(session) == "rejected")


def test_a_token_that_has_ended_has_nobody_asked_about_each_second(gate_installation: GateInstallation) -> None:
    gates, device = gate_installation, gate_installation.device()
    with (
        portal_behind(gates.installation.url) as portal,
        local_warpgate() as server,
        following(gates, server, device, portal.url) as gate,
    ):
        gate.until_said("The portal answers.")
        portal.token = "cs_ended"
        sessions = [server.connect("alice", "production") for _ in range(2)]
        wait_until(lambda: gate.said.read_text().count("'alice' at Warpgate waits") >= 2)
        looks = server.looks
        wait_until(lambda: server.looks > looks + 3)
        assert portal.asked.count("POST /api/v1/requests") <= 2
        assert {server.state(one) for one in sessions} == {"held"}


def test_who_goes_leaves_no_request_behind_and_who_is_let_in_may_leave(gate_installation: GateInstallation) -> None:
    gates, device = gate_installation, gate_installation.device()
    with local_warpgate() as server, following(gates, server, device):
        session = server.connect("alice", "production")
        first = gates.until_waiting("alice", device)
        server.leave(session)
        gates.until_status(first.approval_id, Status.CANCELLED)
        session = server.connect("alice", "production")
        second = gates.until_waiting("alice", device)
        gates.approve(second.approval_id)
        wait_until(lambda: server.state(session) == "open")
        server.leave(session)
        # The grant still lasts, and lets them in again at once.
        again = server.connect("alice", "production")
        wait_until(lambda: server.state(again) == "open")
        # The gate notices that the first has left, and doesn't take this for the end of the other one.
        wait_until(lambda: server.told_to_close == {session})
        assert server.state(again) == "open"


@pytest.mark.parametrize("status", [404, 503])
def test_what_cannot_be_closed_is_closed_as_soon_as_warpgate_answers_again(
    gate_installation: GateInstallation, status: int
) -> None:
    gates, device = gate_installation, gate_installation.device()
    with local_warpgate() as server, following(gates, server, device):
        session = server.connect("alice", "production")
        view = gates.until_waiting("alice", device)
        gates.approve(view.approval_id)
        wait_until(lambda: server.state(session) == "open")
        server.away, server.troubled = status, 0
        gates.revoke(view.approval_id)
        wait_until(lambda: server.troubled >= 6)
        server.away = 0
        wait_until(lambda: server.state(session) == "closed")


def test_bad_answers_let_nobody_in_and_keep_nobody_in(gate_installation: GateInstallation) -> None:
    gates, device = gate_installation, gate_installation.device()
    with local_warpgate() as server, following(gates, server, device) as gate:
        first = server.connect("alice", "production")
        number = gates.until_waiting("alice", device).approval_id
        gates.approve(number)
        wait_until(lambda: server.state(first) == "open")
        for trouble in TROUBLES:
            server.trouble, server.troubled = trouble, 0
            wait_until(lambda: server.troubled >= 2)
        assert server.state(first) == "open"
        second = server.connect("bob", "production")
        gates.revoke(number)
        wait_until(lambda: server.state(first) == "closed")
        assert (server.state(second), gates.requests("bob", device)) == ("held", [])
        server.trouble = ""
        gates.approve(gates.until_waiting("bob", device).approval_id)
        wait_until(lambda: server.state(second) == "open")
        assert "Warpgate gave no good answer" in gate.said.read_text()


def test_a_session_that_is_another_persons_now_is_asked_about_anew(
    gate_installation: GateInstallation,
) -> None:
    gates, device = gate_installation, gate_installation.device()
    with local_warpgate() as server, following(gates, server, device):
        session = server.connect("alice", "production")
        first = gates.until_waiting("alice", device)
        server.sessions[session]["username"] = "bob"
        second = gates.until_waiting("bob", device)
        gates.until_status(first.approval_id, Status.CANCELLED)
        assert server.state(session) == "held"
        gates.approve(second.approval_id)
        wait_until(lambda: server.state(session) == "open")


def test_a_gate_that_was_killed_closes_what_it_let_in_when_it_is_back_and_one_that_stops_at_once(
    gate_installation: GateInstallation,
) -> None:
    gates, device = gate_installation, gate_installation.device()
    with local_warpgate() as server:
        other = server.connect("alice", "another target", state="open")
        with following(gates, server, device) as gate:
            session = server.connect("alice", "production")
            gates.approve(gates.until_waiting("alice", device).approval_id)
            wait_until(lambda: server.state(session) == "open")
            gate.kill()
        assert server.state(session) == "open"
        with following(gates, server, device) as gate:
            wait_until(lambda: server.state(session) == "closed")
            again = server.connect("alice", "production")
            wait_until(lambda: server.state(again) == "open")
            assert gate.stop() == 0
            assert server.state(again) == "closed"
        assert server.state(other) == "open"


# 600 is more than two pages have in common.
@pytest.mark.parametrize("at_once", [1, 600])
def test_a_list_of_which_some_end_while_it_is_read_lacks_nobody_else(at_once: int) -> None:
    with local_warpgate() as server:
        sessions = [server.connect("alice", "production", state="open") for _ in range(2500)]

        def some_end() -> None:
            for _ in sessions[:at_once]:
                server.leave(sessions.pop())
            server.then = some_end

        server.then = some_end
        found = asyncio.run(listed(server.url))
        assert set(sessions) <= found


@pytest.mark.parametrize("url", ["http://warpgate.example.com", "ftp://127.0.0.1", "warpgate.example.com", ""])
def test_the_token_of_warpgate_goes_nowhere_unencrypted(url: str) -> None:
    with pytest.raises(ValidationError, match="must be an https:// address"):
        WarpgateSection.model_validate({"url": url, "token_file": "/x", "targets": {"production": "db-1"}})


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("192.0.2.7:50000", "192.0.2.7"),
        ("192.0.2.7", "192.0.2.7"),
        ("[2001:db8::7]:50000", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("somewhere", "somewhere"),
        (":50000", "50000"),
        ("", ""),
    ],
)
def test_what_is_no_address_is_not_taken_for_none(address: str, host: str) -> None:
    assert host_of(address) == host
