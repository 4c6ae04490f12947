"""A portal that answers, except about some requests."""

from __future__ import annotations

from countersign.gates import protocol
from countersign.models import Status
from tests.countersign.gates.gate_installation import GateInstallation, GateProcess, echoed, opened, until_told
from tests.countersign.gates.networks import SECONDS, wait_until
from tests.countersign.gates.portal_behind import PortalBehind, portal_behind
from tests.countersign.installation import OPEN


def pass_an_outage(portal: PortalBehind, gate: GateProcess) -> None:
    """Have the portal fail until the gate has noticed."""
    before = gate.said.read_text().count("gives no good answer")
    portal.is_away = True
    wait_until(lambda: gate.said.read_text().count("gives no good answer") > before)
    portal.is_away = False


def test_a_request_that_cannot_be_read_after_an_outage_ends_its_own_session_alone(
    gate_installation: GateInstallation,
) -> None:
    gates, unreadable, readable, other = gate_installation, *(gate_installation.device() for _ in range(3))
    with portal_behind(gates.installation.url) as portal, gates.service(portal.url, grace="20s") as gate:
        ends, number = opened(gates, gate, unreadable)
        stays, _ = opened(gates, gate, readable)
        portal.failing = {f"GET /api/v1/requests/{number}"}
        pass_an_outage(portal, gate)
        client, another = opened(gates, gate, other)
        until_told(ends, "The portal has not answered for 20 seconds")
        assert ends.wait(SECONDS) == protocol.NO
        for one in (stays, client):
            assert echoed(one, b"still here") == b"still here"
        gates.revoke(another)
        assert client.wait(SECONDS) == protocol.NO


def test_a_request_that_the_portal_no_longer_shows_is_asked_for_anew(gate_installation: GateInstallation) -> None:
    gates, device = gate_installation, gate_installation.device()
    with gates.service() as gate, gates.api() as api:

        def told(message: str) -> None:
            until_told(gate.ssh("alice", device, "--no-wait", port=gates.echo.port), message)

        told("It stays open")
        before = api.policy().text
        of_another_group = before.replace(f"{device}, ", "").replace(f"[{OPEN}]", f"[{OPEN}, {device}]")
        api.apply_policy(of_another_group)
        try:
            told("The portal no longer shows this gate #")
            told("is not a device of gateway gate-1")
        finally:
            api.apply_policy(before)


def test_a_list_that_cannot_be_read_keeps_nobody_out(gate_installation: GateInstallation) -> None:
    gates, left, other = gate_installation, gate_installation.device(), gate_installation.device()
    with portal_behind(gates.installation.url) as portal, gates.service(portal.url, retry_within="1s") as gate:
        client = gate.ssh("alice", left, port=gates.echo.port)
        view = gates.until_waiting("alice", left)
        until_told(client, f"#{view.approval_id} waits")
        portal.failing = {"GET /api/v1/requests"}
        gate.kill()
        with gates.started_again(gate) as again:
            again.until_said("could not be looked for")
            again.until_said("The portal answers.")
            # The request that was left open is cancelled as soon as it can be found.
            portal.failing = set()
            gates.until_status(view.approval_id, Status.CANCELLED)
            opened(gates, again, other)


def test_a_question_that_nobody_answers_keeps_no_other_request_open(gate_installation: GateInstallation) -> None:
    gates, left, other = gate_installation, gate_installation.device(), gate_installation.device()
    with portal_behind(gates.installation.url) as portal, gates.service(portal.url, retry_within="1s") as gate:
        client = gate.ssh("alice", left, port=gates.echo.port)
        view = gates.until_waiting("alice", left)
        until_told(client, f"#{view.approval_id} waits")
        gate.kill()
        portal.failing = {"POST /api/v1/requests"}
        with gates.started_again(gate) as again:
            until_told(again.ssh("alice", other, port=gates.echo.port), "it is asked again until it does")
            gates.until_status(view.approval_id, Status.CANCELLED)
