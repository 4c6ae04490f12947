"""PAM as a gate: what dies, and who tries to get around it."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from countersign.gates import protocol
from tests.countersign.gates.networks import SECONDS, wait_until
from tests.countersign.gates.pam_host import PASSWORD, Dialogue, GatedHost, granted, ran

SESSIONS = "/run/countersign/sessions"
AWAY = "The gate service of this host does not answer, so nobody is let in"


def sessions(host: GatedHost) -> list[dict[str, object]]:
    return list(json.loads(host.run("cat", SESSIONS, check=False) or "[]"))


def test_a_killed_service_is_followed_by_one_that_knows_the_sessions(host: GatedHost) -> None:
    first, second = granted(host, "alice"), granted(host, "bob")
    with (
        Dialogue(host.ssh("alice", "sleep 1011 & echo in; cat")) as ends,
        Dialogue(host.ssh("bob", "sleep 1012 & echo in; cat")) as stays,
    ):
        ends.until("in")
        stays.until("in")
        wait_until(lambda: len(host.processes("sleep 101[12]")) == 2)
        host.end_gate("KILL")
        host.portal.revoke(first)
        for person in ("alice", "bob"):
            out, said = ran(host.ssh(person, "id -un"), 255)
            assert (out, AWAY in said) == ("", True)
        assert ran(host.ssh("rescue", "id -un"))[0] == "rescue\n"
        assert ran(host.inside("su", "bob", "-c", "id -un"))[0] == "bob\n"
        # A process that came later by the number of one that a session had is none of its.
        other = host.run("sh", "-c", "sleep 1013 > /dev/null 2>&1 & echo $!").strip()
        kept = sessions(host)
        forged = {**kept[0], "leader": [int(other), 1], "login": 2**32 - 1}
        host.put("run/countersign/sessions", json.dumps([*kept, forged]))
        host.gate = host.start_gate()
        assert ends.wait() == 255
        wait_until(lambda: not host.processes("sleep 1011"))
        assert not stays.is_over
        assert host.processes("sleep 101[23]") == [*host.processes("sleep 1012"), other]
        host.portal.revoke(second)
        assert stays.wait() == 255
        wait_until(lambda: sessions(host) == [])
    host.run("kill", other)
    assert not [one for one in host.requests("alice") + host.requests("bob") if one.status == "Waiting"]


def test_without_the_portal_nobody_is_new_and_sessions_stay_for_the_grace(host: GatedHost) -> None:
    granted(host, "alice")
    with Dialogue(host.ssh("alice", "echo in; cat")) as session:
        session.until("in")
        host.portal_relay.cut()
        try:
            assert session.wait() == 255
            out, said = ran(host.ssh("alice", "id -un"), 255)
            assert (out, "does not answer now" in said) == ("", True)
        finally:
            host.portal_relay.mend()
    wait_until(lambda: host.log.count("The portal answers.") == 2)


def test_nobody_but_root_asks_as_pam_does(host: GatedHost) -> None:
    question = '{"gate": "pam", "type": "account", "service": "sshd", "user": "rescue", "pid": 2}'
    code = (
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/countersign/gate.sock'); "
        f"s.sendall(b'{question}\\n'); print(s.recv(4096).decode())"
    )
    said = host.run("setpriv", "--reuid", "alice", "--clear-groups", "/usr/bin/python3", "-c", code)
    assert json.loads(said) == {"no": "Only root asks as PAM does.", "code": protocol.NOT_ALLOWED}


def test_a_leader_that_its_person_kills_takes_nobody_out_of_the_session(host: GatedHost) -> None:
    number = granted(host, "alice")
    with Dialogue(host.ssh("alice", "-tt", "bash --norc")) as session:
        session.type("su bob\n")
        session.until("Password:")
        session.type(f"{PASSWORD}\n")
        session.until("bob@")
        session.type("setsid sleep 1031 &\n")
        wait_until(lambda: host.processes("sleep 1031"))
        [leader] = host.processes("su bob")
        host.run("setpriv", "--reuid", "alice", "--clear-groups", "kill", "-KILL", leader)
    wait_until(lambda: not host.processes("bash --norc"))
    assert host.processes("sleep 1031")
    host.portal.revoke(number)
    wait_until(lambda: not host.processes("sleep 1031"))


def test_no_more_than_three_of_one_address_wait(host: GatedHost) -> None:
    dialogues = [Dialogue(host.ssh_by_dialogue("alice", "id -un")) for _ in range(3)]
    try:
        number = host.waiting("alice")
        wait_until(lambda: len(host.processes("sshd: alice \\[pam\\] *")) == 3)

        def is_told_at_once() -> bool:
            done = subprocess.run(
                host.ssh_by_dialogue("alice", "id -un"), capture_output=True, text=True, timeout=SECONDS, check=False
            )
            return f"#{number}" in done.stderr and "connect again" in done.stderr

        wait_until(is_told_at_once)
        assert [one.approval_id for one in host.requests("alice") if one.status == "Waiting"] == [number]
    finally:
        for one in dialogues:
            one.__exit__()


@pytest.mark.skipif(not os.path.exists("/proc/self/sessionid"), reason="the kernel has no audit")
def test_the_end_of_one_session_is_not_the_end_of_another(host: GatedHost) -> None:
    granted(host, "alice")
    with Dialogue(host.ssh("alice", "echo in; cat")) as stays:
        stays.until("in")
        ran(host.ssh("alice", "true"))
        wait_until(lambda: len(sessions(host)) == 1)
        assert not stays.is_over
