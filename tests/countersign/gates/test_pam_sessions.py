"""Sessions that PAM let in are watched, whatever happens to the gate service and its host."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime

from countersign.gates import protocol
from sandbox.ssh_hosts import COUNTERSIGN, SOCKET
from tests.countersign.gates.gate_installation import GateInstallation, answers
from tests.countersign.gates.networks import SECONDS, wait_until
from tests.countersign.gates.pam_host import Dialogue, GatedHost, granted, grants_of, ran
from tests.countersign.installation import another_portal

SESSIONS = "/run/countersign/sessions"


@contextmanager
def session_of_alice(host: GatedHost, command: str = "true") -> Iterator[tuple[int, Dialogue]]:
    """The number of a request, and a session that its grant permits."""
    number = granted(host, "alice")
    with Dialogue(host.ssh("alice", f"{command}; echo is-in; cat")) as session:
        session.until("is-in")
        yield number, session


def asked(host: GatedHost, **others: object) -> protocol.Service:
    """Ask, as root, what PAM asks about a login of alice's; the connection that gets the answers."""
    service = protocol.Service(str(host.files / SOCKET))
    login = {"gate": "pam", "type": "account", "service": "sshd", "user": "alice", "rhost": "127.0.0.1", "pid": 2}
    service.send({**login, **others})
    return service


def test_without_the_portal_a_session_ends_with_its_grant_though_the_service_was_killed(host: GatedHost) -> None:
    with host.configured(host.config(grace="5m")), grants_of(host, "15s"), session_of_alice(host) as (number, session):
        host.end_gate("KILL")
        host.portal_relay.cut()
        try:
            host.gate = host.start_gate(answers=False)
            assert session.wait() == 255
        finally:
            host.portal_relay.mend()
        ended_at = datetime.now(UTC)
        with host.portal.api() as api:
            grant = api.request(number).grant
        assert grant
        print("from the end of the grant to the end of the session:", ended_at - grant.ends_at)
        assert ended_at >= grant.ends_at
        wait_until(lambda: json.loads(host.run("cat", SESSIONS)) == [])


def test_sshd_runs_nothing_in_a_session_that_could_not_be_opened(host: GatedHost) -> None:
    """As if the program that PAM starts were killed."""
    granted(host, "alice")
    pam = host.run("cat", "/etc/pam.d/sshd")
    host.write("/etc/pam.d/sshd", re.sub(r"(type=open_session .* stdout ).*", r"\1/bin/false", pam))
    try:
        login = host.ssh("alice", "id -un")
        done = subprocess.run(login, capture_output=True, text=True, timeout=SECONDS, check=False)
    finally:
        host.write("/etc/pam.d/sshd", pam)
    assert done.returncode != 0
    assert "alice" not in done.stdout.splitlines()
    assert ran(host.ssh("alice", "id -un"))[0] == "alice\n"


def test_a_session_on_record_without_its_end_ends_with_its_grant_too(host: GatedHost) -> None:
    """As earlier versions of the service recorded them."""
    with session_of_alice(host) as (number, session):
        host.end_gate("KILL")
        [kept] = json.loads(host.run("cat", SESSIONS))
        del kept["ends_at"]
        host.write(SESSIONS, json.dumps([kept]))
        host.gate = host.start_gate()
        wait_until(lambda: "ends_at" in json.loads(host.run("cat", SESSIONS))[0])
        assert not session.is_over
        host.portal.revoke(number)
        assert session.wait() == 255


def test_a_restart_of_the_service_leaves_the_session_that_it_is_done_in(host: GatedHost) -> None:
    restart = f"sudo pkill --signal TERM --full '^[^ ]*python[^ ]* {COUNTERSIGN} gate serve'; sleep 1071 & true"
    with session_of_alice(host, restart) as (number, session):
        assert host.gate.wait() == 0
        said = host.run(COUNTERSIGN, "doctor", "--gate", "--json", check=False)
        assert "sessions that it let in stay even when their grants end (1)" in said
        host.gate = host.start_gate()
        ran(host.ssh("alice", "true"))
        assert not session.is_over
        assert host.processes("sleep 1071")
        host.portal.revoke(number)
        assert session.wait() == 255
    wait_until(lambda: not host.processes("sleep 1071"))


def test_what_is_left_in_the_background_is_watched_though_no_file_could_be_opened(host: GatedHost) -> None:
    with host.configured(host.config(grace="5m")):
        with session_of_alice(host, "setsid sleep 1061 > /dev/null 2>&1 < /dev/null & true") as (number, _):
            service = host.run("pgrep", "--full", f"{COUNTERSIGN} gate serve").strip()
            before = host.run("prlimit", "--pid", service, "--nofile", "--noheadings", "--output", "SOFT,HARD").split()
            host.run("prlimit", "--pid", service, f"--nofile=3:{before[1]}")
        wait_until(lambda: "goes on: [Errno 24]" in host.log)
        host.run("prlimit", "--pid", service, f"--nofile={':'.join(before)}")
        assert host.processes("sleep 1061")
        host.portal.revoke(number)
        wait_until(lambda: not host.processes("sleep 1061"))


def test_a_directory_of_accounts_that_hangs_holds_up_no_revocation(host: GatedHost) -> None:
    with ExitStack() as stack:
        number, session = stack.enter_context(session_of_alice(host, "sleep 1081 & true"))
        # The shell has forked, but may not have become `sleep` yet.
        wait_until(lambda: host.processes("sleep 1081"))
        [sleeps] = host.processes("sleep 1081")
        host.run("mkfifo", "/run/hangs")
        host.run("mount", "--bind", "/run/hangs", "/etc/passwd")
        try:
            opening = [asked(host, type="open_session", pid=int(sleeps)) for _ in range(20)]
            host.portal.revoke(number)
            assert session.wait() == 255
            said = [answers(one, {"yes", "no"})[-1] for one in opening]
        finally:
            # Those still opening it get through and come to its end.
            host.run("sh", "-c", "umount --lazy /etc/passwd; exec 3<> /run/hangs; rm /run/hangs")
        assert {one["code"] for one in said} == {protocol.UNAVAILABLE}
        assert "The accounts of this host can't be looked up now" in said[0]["no"]
        for one in opening:
            one.close()
    wait_until(lambda: not host.processes("sleep 1081"))


def test_who_was_let_in_begins_their_session_though_the_portal_answers_late(host: GatedHost) -> None:
    number = granted(host, "alice")
    theirs, other = (
        int(host.run("sh", "-c", f"sleep {seconds} > /dev/null 2>&1 & echo $!")) for seconds in (1101, 1102)
    )

    def answer(**login: object) -> set[str]:
        with closing(asked(host, **login)) as service:
            return set(answers(service, {"yes", "no"})[-1])

    assert answer() == {"yes"}
    with host.portal_relay.held():
        assert answer(type="open_session", pid=theirs) == {"yes"}
    # This holds only for this person, from this address, and while the grant lasts.
    for login in ({"user": "bob"}, {"rhost": "127.0.0.9"}):
        assert "no" in answer(type="open_session", pid=other, **login)
    host.portal.revoke(number)
    wait_until(lambda: not host.processes("sleep 1101"))
    assert "no" in answer(type="open_session", pid=other)
    host.run("kill", str(other))


def test_a_portal_that_hangs_keeps_no_session_waiting_for_long(gate_installation: GateInstallation) -> None:
    pam = f'[pam]\ndevice = "{gate_installation.device()}"'
    with (
        another_portal(gate_installation.installation) as (url, portal),
        gate_installation.service(url, more=pam) as gate,
    ):
        gate.until_said("The portal answers.")
        portal.send_signal(signal.SIGSTOP)
        try:
            began, service = datetime.now(UTC), gate.connect()
            login = {"gate": "pam", "type": "open_session", "service": "sshd", "user": "alice", "pid": os.getpid()}
            service.send(login)
            assert "The portal does not answer now" in answers(service, {"yes", "no"})[-1]["no"]
            print("who was let in a moment ago was answered in", datetime.now(UTC) - began)
            service.close()
        finally:
            portal.send_signal(signal.SIGCONT)
