"""Many people at once through one bastion: sshd turns nobody away, each has a request, and each gets through."""

from __future__ import annotations

import os
import time

import pytest

from tests.countersign.gates.gate_installation import CROWD
from tests.countersign.gates.sshd import SshHosts

# All 200 take minutes on a small machine. Nobody has to approve what they ask for.
PEOPLE = CROWD[: int(os.environ.get("COUNTERSIGN_TEST_CROWD", "30"))]


@pytest.mark.timeout(1200)
def test_many_people_come_at_once_and_each_gets_through(
    ssh_hosts: SshHosts, capsys: pytest.CaptureFixture[str]
) -> None:
    device = ssh_hosts.device()
    ssh_hosts.new_key("crowd")
    for person in PEOPLE:
        public = ssh_hosts.key("crowd").with_suffix(".key.pub").read_text()
        (ssh_hosts.bastion.files / f"etc/countersign/keys/{person}").write_text(public)
    began = time.monotonic()
    through = ["-T", "bastion", device, str(ssh_hosts.target_port)]
    clients = [ssh_hosts.begin(person, "ssh", *through, key="crowd") for person in PEOPLE]

    for client in clients:
        assert client.stdout
        assert client.stderr
        # What it was told instead ends with the connection.
        assert client.stdout.readline().startswith("SSH-2.0"), client.stderr.read()
    with capsys.disabled():
        print(f"\n{len(PEOPLE)} people: {time.monotonic() - began:.1f} s until all were connected.")
    with ssh_hosts.gates.api() as api:
        asked = api.requests(device=device, limit=1000)
    assert sorted(one.question.requester for one in asked) == sorted(PEOPLE)
