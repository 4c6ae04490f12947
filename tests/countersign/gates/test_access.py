"""A gate as a login meets it: it waits, lets bytes through after a yes alone, and cuts when the yes is over."""

from __future__ import annotations

from tests.countersign.gates.gate_world import GateInstallation, echoed, until_told


def test_a_yes_opens_the_connection_and_its_revocation_closes_it(gate_installation: GateInstallation) -> None:
    world, device = gate_installation, gate_installation.device()
    with world.service() as gate:
        client = gate.ssh("alice", device, port=world.echo.port)
        assert client.stdin
        client.stdin.write(b"too early ")
        view = world.until_waiting("alice", device)
        until_told(client, f"#{view.approval_id} waits for Grace Hopper")
        assert not world.echo.open
        world.approve(view.approval_id)
        assert echoed(client, b"hello") == b"too early "[:5]
        until_told(client, "lets you in until")
        world.revoke(view.approval_id, "that will do")
        told = until_told(client, "that will do")
        assert "Grace Hopper" in told
        assert client.wait(30) == 1
