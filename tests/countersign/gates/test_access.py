"""A gate as a login sees it: it waits, lets bytes through only after a yes, and cuts when the yes is over."""

from __future__ import annotations

import signal
import socket
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from countersign.errors import TooMany
from countersign.gates import protocol
from countersign.grant_reuse import is_yes
from countersign.http import Api
from countersign.models import Status
from countersign.question import read_question
from tests.countersign.gates.gate_installation import (
    CROWD,
    LONG,
    SHORT,
    SOURCE,
    GateInstallation,
    GateProcess,
    answers,
    echoed,
    is_up,
    opened,
    read,
    until_told,
)
from tests.countersign.gates.networks import SECONDS, wait_until
from tests.countersign.installation import another_portal
from tests.whole import IS_WHOLE

PEOPLE = CROWD if IS_WHOLE else CROWD[:50]


def question_of(device: str, **others: object) -> dict[str, object]:
    return {"requester": "alice", "device": device, "protocol": "ssh", "source_address": SOURCE, **others}


def claim(gates: GateInstallation, person: str, device: str, **others: object) -> dict[str, object]:
    asked = {"gate": "ssh", "device": device, "port": gates.echo.port, "source_address": SOURCE, "person": person}
    return asked | others


def test_a_yes_opens_the_connection_and_its_revocation_closes_it(gate_installation: GateInstallation) -> None:
    gates, device = gate_installation, gate_installation.device()
    connected = gates.echo.connected
    with gates.service() as gate:
        client = gate.ssh("alice", device, port=gates.echo.port)
        assert client.stdin
        client.stdin.write(b"too early ")
        view = gates.until_waiting("alice", device)
        until_told(client, f"#{view.approval_id} waits for Grace Hopper")
        assert view.asked_by == "gateway:gate-1"
        assert view.question.source_address == SOURCE
        assert gates.echo.connected == connected
        gates.approve(view.approval_id)
        assert read(client.stdout, len(b"too early ")) == b"too early "
        until_told(client, "lets you in until")
        began = datetime.now(UTC)
        gates.revoke(view.approval_id, "that will do")
        until_told(client, "that will do")
        assert client.wait(SECONDS) == protocol.NO
        print("from the revocation to the end of the client:", datetime.now(UTC) - began)
        wait_until(lambda: not gates.echo.open)


def test_a_rejection_is_told_and_nothing_opens(gate_installation: GateInstallation) -> None:
    gates, device = gate_installation, gate_installation.device()
    connected = gates.echo.connected
    with gates.service() as gate:
        client = gate.ssh("alice", device, port=gates.echo.port)
        gates.reject(gates.until_waiting("alice", device).approval_id, "not today")
        until_told(client, "not today")
        assert client.wait(SECONDS) == protocol.NO
        assert read(client.stdout, 1) == b""
    assert gates.echo.connected == connected


def test_the_end_of_the_grant_is_the_end_of_the_session(gate_installation: GateInstallation) -> None:
    """Even if there is no portal to tell: the gate goes by its own clock."""
    gates, device = gate_installation, SHORT
    with another_portal(gates.installation) as (url, portal), gates.service(url) as gate:
        client, number = opened(gates, gate, device)
        portal.kill()
        until_told(client, "the grant has ended")
        assert client.wait(SECONDS) == protocol.NO
        ended_at = datetime.now(UTC)
        with gates.api() as api:
            grant = api.request(number).grant
    assert grant
    print("from the end of the grant to the end of the client:", ended_at - grant.ends_at)
    assert ended_at >= grant.ends_at


@pytest.mark.parametrize(
    ("address", "which", "remedy"),
    [
        ("192.0.2.99", "is for another source address", "give #{} back and ask again"),
        ("", "was asked for without a source address", "give #{} back and ask again"),
    ],
)
def test_who_joins_a_request_for_another_address_is_told_at_once_that_it_lets_nobody_in_from_here(
    gate_installation: GateInstallation, shared_gate: GateProcess, address: str, which: str, remedy: str
) -> None:
    gates, device = gate_installation, gate_installation.device()
    with gates.api("alice") as api:
        number = api.ask(read_question(question_of(device, source_address=address))).approval_id
    client = shared_gate.ssh("alice", device, port=gates.echo.port)
    told = until_told(client, f"#{number} {which}, so it will not let you in from here: cancel #{number}")
    assert f"#{number} waits for Grace Hopper" in told
    # With --no-wait nobody is told to come back for it.
    client_of_a_script = shared_gate.ssh("alice", device, "--no-wait", port=gates.echo.port)
    assert "It stays open" not in until_told(client_of_a_script, f"cancel #{number}, and ask again")
    gates.approve(number)
    until_told(client, remedy.format(number))
    assert client.wait(SECONDS) == protocol.NO


def test_a_session_that_another_grant_covers_lives_on(gate_installation: GateInstallation) -> None:
    gates, device = gate_installation, gate_installation.device()
    with gates.service() as gate:
        client, number = opened(gates, gate, device)
        with gates.api() as api:
            renewed = api.ask(read_question(question_of(device, renew=True))).approval_id
            assert renewed != number
            gates.approve(renewed)
            wait_until(lambda: api.request(renewed).grant)
        gates.revoke(number)
        until_told(client, f"#{renewed} lets the session go on")
        assert echoed(client, b"again") == b"again"
        gates.revoke(renewed)
        assert client.wait(SECONDS) == protocol.NO


def test_a_session_is_warned_before_its_end_and_goes_on_as_soon_as_more_time_is_approved(
    gate_installation: GateInstallation,
) -> None:
    gates = gate_installation
    with gates.service() as gate, gates.api() as api:
        client, number = opened(gates, gate, LONG)
        told = until_told(client, f"`countersign request {LONG} ssh --renew --source-address {SOURCE}`")
        assert "The session ends in 5 minutes" in told
        assert echoed(client, b"still here") == b"still here"
        renewed = api.ask(read_question(question_of(LONG, renew=True))).approval_id
        gates.approve(renewed)
        until_told(client, f"#{renewed} lets the session go on")
        first = api.request(number).grant
        assert first
        assert is_yes(first, datetime.now(UTC))


def test_who_is_disabled_is_cut(gate_installation: GateInstallation) -> None:
    gates, device, person = gate_installation, gate_installation.device(), CROWD[0]
    with gates.service() as gate, gates.api() as api:
        client = gate.connect()
        client.send(claim(gates, person, device))
        assert "yes" in answers(client, {"yes", "no"})[-1]
        before, text = f"  {person}: {{name: {person.title()}, ", api.policy().text
        assert before in text
        began = datetime.now(UTC)
        api.apply_policy(text.replace(before, f"{before}disabled: true, "))
        assert "end" in answers(client, {"end"})[-1]
        print("from the disabling to the end of the session:", datetime.now(UTC) - began)
        with socket.socket(fileno=client.passed.pop()) as target:
            target.settimeout(SECONDS)
            # The service cuts a client that does not end by itself.
            assert target.recv(1) == b""
        client.close()
        api.apply_policy(text)


def test_200_clients_of_one_person_share_one_request(gate_installation: GateInstallation) -> None:
    gates, device = gate_installation, gate_installation.device()
    with gates.service() as gate:
        clients = [gate.connect() for _ in range(200)]
        for client in clients:
            client.send(claim(gates, "alice", device))
        view = gates.until_waiting("alice", device)
        # All have to wait by then: a client that comes after the approval asks anew.
        for client in clients:
            answers(client, {"say"})
        gates.approve(view.approval_id)
        said = [answers(client, {"yes", "no"}) for client in clients]
        assert [one[-1]["yes"]["approval_id"] for one in said] == [view.approval_id] * 200
        for client in clients:
            client.close()
        with gates.api() as api:
            assert [row.kind for row in api.timeline(view.approval_id)].count("asked_again") == 0
    assert len(gates.requests("alice", device)) == 1


def test_many_people_at_once_each_get_a_connection_of_their_own(gate_installation: GateInstallation) -> None:
    gates, device = gate_installation, gate_installation.device()
    began = datetime.now(UTC)
    with gates.service() as gate:
        clients = {person: gate.connect() for person in PEOPLE}
        for person, client in clients.items():
            client.send(claim(gates, person, device))
        said = {person: answers(client, {"yes", "no"})[-1] for person, client in clients.items()}
        print(len(PEOPLE), "people at once were let in within", datetime.now(UTC) - began)
        with gates.api() as api:
            theirs = {view.question.requester: view.approval_id for view in api.requests(device=device, limit=1000)}
        assert {person: one["yes"]["approval_id"] for person, one in said.items()} == theirs
        wait_until(lambda: len(gates.echo.open) == len(PEOPLE))
        for client in clients.values():
            client.close()
    wait_until(lambda: not gates.echo.open)


def test_a_client_that_comes_back_joins_and_one_that_does_not_leaves_no_request(
    gate_installation: GateInstallation,
) -> None:
    gates, device, other = gate_installation, gate_installation.device(), gate_installation.device()
    with gates.service(retry_within="4s") as gate:
        for _ in range(3):
            client = gate.ssh("alice", device, port=gates.echo.port)
            view = gates.until_waiting("alice", device)
            until_told(client, f"#{view.approval_id} waits")
            client.kill()
            client.wait(SECONDS)
        gates.until_status(view.approval_id, Status.CANCELLED)
        assert len(gates.requests("alice", device)) == 1
        # An interrupt withdraws the request at once, without waiting for them to come back.
        client = gate.ssh("alice", other, port=gates.echo.port)
        until_told(client, f"#{gates.until_waiting('alice', other).approval_id} waits")
        client.send_signal(signal.SIGINT)
        assert client.wait(SECONDS) == protocol.INTERRUPTED
        gates.until_status(gates.requests("alice", other)[0].approval_id, Status.CANCELLED)


def test_who_withdraws_what_they_did_not_wait_for_before_leaves_no_request(
    gate_installation: GateInstallation, shared_gate: GateProcess
) -> None:
    gates, device = gate_installation, gate_installation.device()
    assert shared_gate.ssh("alice", device, "--no-wait", port=gates.echo.port).wait(SECONDS) == protocol.NO
    client = shared_gate.ssh("alice", device, port=gates.echo.port)
    number = gates.until_waiting("alice", device).approval_id
    until_told(client, f"#{number} waits")
    client.send_signal(signal.SIGINT)
    until_told(client, "Withdrawn.")
    gates.until_status(number, Status.CANCELLED)


def test_who_does_not_wait_is_told_what_is_open_and_it_stays_open(gate_installation: GateInstallation) -> None:
    gates, device = gate_installation, gate_installation.device()
    with gates.service(retry_within="1s") as gate:
        began = datetime.now(UTC)
        client = gate.start("alice", {"COUNTERSIGN_WAIT": "no", "SSH_ORIGINAL_COMMAND": f"{device} {gates.echo.port}"})
        assert client.wait(SECONDS) == protocol.NO
        print("who does not wait was answered in", datetime.now(UTC) - began)
        view = gates.until_waiting("alice", device)
        until_told(client, f"#{view.approval_id} waits for Grace Hopper")
        # `retry_within` has passed by then, as somebody else's request was cancelled meanwhile.
        other = gate_installation.device()
        gone = gate.ssh("bob", other, port=gates.echo.port)
        left = gates.until_waiting("bob", other)
        until_told(gone, "waits")
        gone.kill()
        gates.until_status(left.approval_id, Status.CANCELLED)
        gates.approve(view.approval_id)
        client = gate.ssh("alice", device, "--no-wait", port=gates.echo.port)
        assert echoed(client, b"hello") == b"hello"


def test_without_the_portal_sessions_stay_for_the_grace_and_nothing_opens(gate_installation: GateInstallation) -> None:
    gates, device, other = gate_installation, gate_installation.device(), gate_installation.device()
    with another_portal(gates.installation) as (url, portal), gates.service(url, grace="2s") as gate:
        client, _ = opened(gates, gate, device)
        waiting = gate.ssh("alice", other, port=gates.echo.port)
        view = gates.until_waiting("alice", other)
        until_told(waiting, f"#{view.approval_id} waits")
        began = datetime.now(UTC)
        portal.kill()
        until_told(client, "The portal has not answered for 2 seconds")
        assert client.wait(SECONDS) == protocol.NO
        print("from the portal's end to the end of the client:", datetime.now(UTC) - began)
        until_told(waiting, "The portal does not answer now")
        # An approval meanwhile opens nothing, and neither does the earlier grant.
        gates.approve(view.approval_id)
        again = gate.ssh("alice", device, "--no-wait", port=gates.echo.port)
        assert again.wait(SECONDS) == protocol.UNAVAILABLE
        assert waiting.poll() is None
        assert not is_up(url)


def test_a_token_with_too_many_calls_is_no_outage(gate_installation: GateInstallation) -> None:
    gates, device = gate_installation, gate_installation.device()
    few = replace(gates.installation, settings=gates.installation.settings | {"COUNTERSIGN_CALLS_A_MINUTE": "120"})
    with another_portal(few) as (url, _), gates.service(url, grace="6s") as gate, Api(url, gates.token) as api:
        client, number = opened(gates, gate, device)

        def is_refused() -> bool:
            for _ in range(20):
                with suppress(TooMany):
                    api.me()
            return "This token has made 120 calls within a minute" in gate.said.read_text()

        wait_until(is_refused)
        assert echoed(client, b"still here") == b"still here"
        gates.revoke(number, "enough")
        until_told(client, "enough")
        assert gate.said.read_text().count("The portal answers.") == 1


def test_a_gate_that_was_killed_closes_all_and_leaves_no_request(gate_installation: GateInstallation) -> None:
    gates, device, left, joined = gate_installation, *(gate_installation.device() for _ in range(3))
    with gates.service(retry_within="3s") as gate:
        client, _ = opened(gates, gate, device)
        clients = [gate.ssh("alice", one, port=gates.echo.port) for one in (left, joined)]
        views = [gates.until_waiting("alice", one) for one in (left, joined)]
        for one, view in zip(clients, views, strict=True):
            until_told(one, f"#{view.approval_id} waits")
        gate.kill()
        assert {one.wait(SECONDS) for one in (client, *clients)} == {protocol.UNAVAILABLE}
        wait_until(lambda: not gates.echo.open)
        with gates.started_again(gate) as restarted:
            again = restarted.ssh("alice", joined, port=gates.echo.port)
            until_told(again, f"#{views[1].approval_id} waits")
            gates.until_status(views[0].approval_id, Status.CANCELLED)
            with gates.api() as api:
                assert api.request(views[1].approval_id).status is Status.WAITING


def test_a_gate_that_is_stopped_says_so_to_everybody(gate_installation: GateInstallation) -> None:
    gates, device, other = gate_installation, gate_installation.device(), gate_installation.device()
    with gates.service() as gate:
        client, _ = opened(gates, gate, device)
        waiting = gate.ssh("alice", other, port=gates.echo.port)
        until_told(waiting, f"#{gates.until_waiting('alice', other).approval_id} waits")
        assert gate.stop() == 0
        for one, code in ((client, protocol.NO), (waiting, protocol.UNAVAILABLE)):
            until_told(one, "The gate is being stopped.")
            assert one.wait(SECONDS) == code
        assert gate.ssh("alice", device, port=gates.echo.port).wait(SECONDS) == protocol.UNAVAILABLE


def test_bytes_go_both_ways_and_each_way_ends_by_itself(gate_installation: GateInstallation) -> None:
    gates, device = gate_installation, gate_installation.device()
    size = 64 * 1024 * 1024
    with gates.service() as gate:
        client, _ = opened(gates, gate, device)
        assert client.stdin
        sender = gates.sending(client.stdin, size)
        began = datetime.now(UTC)
        assert len(read(client.stdout, size)) == size
        print(f"{size // 2**20} MB were echoed in", datetime.now(UTC) - began)
        sender.join()
        client.stdin.close()
        assert read(client.stdout, 1) == b""
        assert client.wait(SECONDS) == 0
    wait_until(lambda: not gates.echo.open)


@pytest.mark.parametrize(
    ("account", "asked", "message"),
    [
        ("stranger", "{device} {port}", "stranger"),
        ("alice", "elsewhere 22", "elsewhere is not reached through this gate"),
        ("alice", "{device} 23", "is not reached at port 23 through this gate, but at"),
        ("alice", "{device}", "ProxyCommand ssh BASTION"),
        ("alice", "", "ProxyCommand ssh BASTION"),
        ("alice", "/usr/lib/openssh/sftp-server", "ProxyCommand ssh BASTION"),
        ("alice", "{device} {port}; id", "ProxyCommand ssh BASTION"),
        ("alice", "{device} {port} --socket /tmp/other", "ProxyCommand ssh BASTION"),
        ("alice", "{device} 99999", "ProxyCommand ssh BASTION"),
    ],
)
def test_what_leads_nowhere_is_refused(
    gate_installation: GateInstallation, shared_gate: GateProcess, account: str, asked: str, message: str
) -> None:
    gates = gate_installation
    device = "db-1" if "{" not in asked else gates.last_device
    typed = asked.format(device=device, port=gates.echo.port)
    client = shared_gate.start(account, {"SSH_ORIGINAL_COMMAND": typed})
    until_told(client, message)
    assert client.wait(SECONDS) in {protocol.NO, protocol.BAD_INPUT}


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"[]\n",
        b"no JSON\n",
        b"\xff\xfe\n",
        b"[" * 60_000 + b"\n",
        b"x" * 70_000 + b"\n",
        b'{"gate": "wireguard"}\n',
        b'{"gate": ["ssh"]}\n',
        b'{"gate": "ssh", "device": "../../x", "port": 22}\n',
        b'{"gate": "ssh", "device": "db", "port": true}\n',
        b'{"gate": "ssh", "device": "db", "port": 22, "more": 1}\n',
        b'{"gate": "ssh", "device": "db", "port": 22, "source_address": "%s"}\n',
    ],
)
def test_a_line_that_is_no_question_is_answered_and_changes_nothing(shared_gate: GateProcess, line: bytes) -> None:
    client = shared_gate.connect()
    client.socket.sendall(line)
    [said] = answers(client, {"no"})
    assert said["code"] == protocol.BAD_INPUT
    client.close()


def test_a_question_is_heard_before_anything_is_looked_up_for_it(shared_gate: GateProcess) -> None:
    for question in ({"gate": "pam"}, question_of("elsewhere", person="alice")):
        client = shared_gate.connect()
        client.ask(question)
        assert next(client.receive()) == {"heard": True}
        client.close()


def test_a_service_that_hangs_is_told_of(gate_installation: GateInstallation) -> None:
    gates = gate_installation
    with gates.service() as gate:
        gate.process.send_signal(signal.SIGSTOP)
        try:
            client = gate.ssh("alice", gates.last_device, port=gates.echo.port)
            until_told(client, "The gate service does not answer")
            assert client.wait(SECONDS) == protocol.UNAVAILABLE
        finally:
            gate.process.send_signal(signal.SIGCONT)


def test_no_account_asks_for_another(gate_installation: GateInstallation, shared_gate: GateProcess) -> None:
    claimed = claim(gate_installation, "bob", gate_installation.last_device)
    said = shared_gate.said_to("alice", claimed)
    assert said == [{"no": "Only root may ask for another account.", "code": protocol.NOT_ALLOWED}]
    assert gate_installation.requests("bob", gate_installation.last_device) == []


def test_the_token_is_refused_where_others_can_read_it(gate_installation: GateInstallation) -> None:
    token = gate_installation.folder / "gate.token"
    token.chmod(0o644)
    try:
        with pytest.raises(AssertionError, match="others can read"), gate_installation.service():
            pass
    finally:
        token.chmod(0o600)
