"""The worker is killed (SIGKILL) while people wait at a gate, or are in: what ended is over, and nothing is left."""

from __future__ import annotations

from countersign.gates import protocol
from countersign.models import GrantStatus, Status
from tests.countersign.gates.gate_installation import GateInstallation, echoed, until_told
from tests.countersign.gates.networks import SECONDS, wait_until
from tests.countersign.installation import worker_killed


def test_without_a_worker_a_revocation_cuts_and_who_has_gone_leaves_no_request(
    gate_installation: GateInstallation,
) -> None:
    gates, inside, left, waiting = gate_installation, *(gate_installation.device() for _ in range(3))
    with gates.service(retry_within="1s") as gate:
        client = gate.ssh("alice", inside, port=gates.echo.port)
        held = gates.until_waiting("alice", inside)
        gates.approve(held.approval_id)
        assert echoed(client, b"hello") == b"hello"
        clients = [gate.ssh("alice", one, port=gates.echo.port) for one in (left, waiting)]
        gone, kept = (gates.until_waiting("alice", one) for one in (left, waiting))
        for one, view in zip(clients, (gone, kept), strict=True):
            until_told(one, f"#{view.approval_id} waits")
        with worker_killed(gates.installation):
            clients[0].kill()
            gates.revoke(held.approval_id, "enough")
            assert client.wait(SECONDS) == protocol.NO
            gates.until_status(gone.approval_id, Status.CANCELLED)
            assert clients[1].poll() is None
        gates.approve(kept.approval_id)
        assert echoed(clients[1], b"hello again") == b"hello again"
        with gates.api() as api:
            wait_until(lambda: api.request(gone.approval_id).status is Status.CANCELLED)
            grant = api.request(held.approval_id).grant
            assert grant is not None
            assert grant.status is GrantStatus.REVOKED
        assert [one.approval_id for one in gates.requests("alice", left)] == [gone.approval_id]
