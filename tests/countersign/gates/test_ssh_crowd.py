"""Many people at once through one bastion: sshd turns nobody away, each has a request, and each gets through."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from countersign.models import Status, Verdict
from tests.countersign.gates.gate_world import CROWD
from tests.countersign.gates.networks import wait_until
from tests.countersign.gates.sshd import SshWorld

# All 200 take minutes on a small machine.
PEOPLE = CROWD[: int(os.environ.get("COUNTERSIGN_TEST_CROWD", "30"))]
WITHIN_SECONDS = 400.0
APPROVERS = 4


@pytest.mark.timeout(1200)
def test_many_people_come_at_once_and_each_gets_through(
    ssh_world: SshWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    device = ssh_world.device()
    ssh_world.new_key("crowd")
    for person in PEOPLE:
        public = ssh_world.key("crowd").with_suffix(".key.pub").read_text()
        (ssh_world.bastion.files / f"etc/countersign/keys/{person}").write_text(public)
    began = time.monotonic()
    through = ["-T", "bastion", device, str(ssh_world.target_port)]
    clients = [ssh_world.begin(person, "ssh", *through, key="crowd") for person in PEOPLE]

    def waiting() -> list[int]:
        with ssh_world.gates.api() as api:
            found = api.requests(status=Status.WAITING, device=device, limit=1000)
        return [one.approval_id for one in found if one.level]

    wait_until(lambda: len(waiting()) == len(PEOPLE), WITHIN_SECONDS)
    asked = time.monotonic()
    with ssh_world.gates.api("grace") as api, ThreadPoolExecutor(APPROVERS) as pool:
        list(pool.map(lambda number: api.decide(number, Verdict.APPROVE), waiting()))
    for client in clients:
        assert client.stdout
        assert client.stdout.readline().startswith("SSH-2.0")
    connected = time.monotonic()
    with capsys.disabled():
        print(
            f"\n{len(PEOPLE)} people: {asked - began:.1f} s until all had asked, {connected - asked:.1f} s more until "
            "all were approved and connected."
        )
