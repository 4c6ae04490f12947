"""PAM as a gate: parts that die, and people who try to get around it."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from contextlib import ExitStack
from pathlib import Path

import pytest

from countersign.gates import protocol
from countersign.gates.pam import exempt_despite_errors
from countersign.models import Status
from sandbox.temporal_server import free_port
from tests.countersign.gates.networks import SECONDS, wait_until
from tests.countersign.gates.pam_host import PASSWORD, Dialogue, GatedHost, granted, ran
from tests.countersign.installation import COMMAND

SESSIONS = "/run/countersign/sessions"
WAITING_SSHD = "sshd: alice \\[pam\\] *"
ASKING = ".*countersign-gate pam.*"
AWAY = "The gate service of this host does not answer, so nobody is let in"


def sessions(host: GatedHost) -> list[dict[str, object]]:
    return list(json.loads(host.run("cat", SESSIONS, check=False) or "[]"))


def test_a_killed_service_is_followed_by_one_that_knows_the_sessions(host: GatedHost) -> None:
    first, second = granted(host, "alice"), granted(host, "bob")
    with (
        Dialogue(host.ssh("alice", "sleep 1011 & echo is-in; cat")) as ends,
        Dialogue(host.ssh("bob", "sleep 1012 & echo is-in; cat")) as stays,
    ):
        ends.until("is-in")
        stays.until("is-in")
        wait_until(lambda: len(host.processes("sleep 101[12]")) == 2)
        host.end_gate("KILL")
        host.portal.revoke(first)
        for person in ("alice", "bob"):
            out, said = ran(host.ssh(person, "id -un"), 255)
            assert (out, AWAY in said) == ("", True)
        assert ran(host.ssh("rescue", "id -un"))[0] == "rescue\n"
        assert ran(host.inside("su", "bob", "-c", "id -un"))[0] == "bob\n"
        # A later process that got the id of a session's process does not belong to the session.
        other = host.run("sh", "-c", "sleep 1013 > /dev/null 2>&1 & echo $!").strip()
        kept = sessions(host)
        forged = {**kept[0], "leader": [int(other), 1], "login": 2**32 - 1}
        host.write("/run/countersign/sessions", json.dumps([*kept, forged]))
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
    with Dialogue(host.ssh("alice", "echo is-in; cat")) as session:
        session.until("is-in")
        host.portal_relay.cut()
        try:
            assert session.wait() == 255
            out, said = ran(host.ssh("alice", "id -un"), 255)
            assert (out, "does not answer now" in said) == ("", True)
        finally:
            host.portal_relay.mend()
    wait_until(lambda: host.log.count("The portal answers.") == 2)


def test_variables_of_the_person_are_not_taken_for_those_of_pam(host: GatedHost) -> None:
    items = ["PAM_SERVICE=sshd", "PAM_USER=alice", "PAM_RHOST=192.0.2.7", "PAM_TYPE=account"]
    for forged in ("PAM_USER=rescue", "PAM_RUSER=root", "PAM_SERVICE=su"):
        code, said = as_pam(host, [forged, *items])
        assert (code, "only PAM may set" in said) == (protocol.NOT_ALLOWED, True)
    code, said = as_pam(host, [*items[:2], "PAM_RHOST=trusted.example.com", items[3]])
    assert (code, "UseDNS no" in said) == (protocol.BAD_INPUT, True)
    for user in ("nobody-here", "../../etc", "a" * 300, "alice\nbob", "Ålice"):
        code, said = as_pam(host, [items[0], f"PAM_USER={user}", *items[2:]])
        assert (code != 0, len(said.splitlines())) == (True, 1)
    assert as_pam(host, ["PAM_TYPE=account"])[0] != 0


def test_an_account_of_another_spelling_is_not_let_in_by_the_grant_of_a_person(host: GatedHost) -> None:
    granted(host, "alice")
    items = ["PAM_SERVICE=sshd", "PAM_USER=alice", "PAM_RHOST=127.0.0.1", "PAM_TYPE=account"]
    assert as_pam(host, items)[0] == protocol.OK
    code, said = as_pam(host, [items[0], "PAM_USER=Alice", *items[2:]])
    assert (code, "No person can have the id 'Alice'" in said) == (protocol.NOT_ALLOWED, True)


def as_pam(host: GatedHost, environment: list[str]) -> tuple[int, str]:
    """Start the program as pam_exec does, with an environment that may contain a name twice."""
    program = Path(COMMAND).with_name("countersign-gate")
    arguments = [str(program.with_name("python")), "-I", str(program), "pam"]
    code = (
        "import ctypes, os, sys\n"
        "child = os.fork()\n"
        "if child: sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "def array(parts): return (ctypes.c_char_p * (len(parts) + 1))(*[one.encode() for one in parts], None)\n"
        f"ctypes.CDLL(None).execve({arguments[0].encode()!r}, array({arguments!r}), array({environment!r}))\n"
    )
    done = subprocess.run(
        host.inside(arguments[0], "-c", code), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    return done.returncode, done.stdout


def test_nobody_but_root_asks_as_pam_does(host: GatedHost) -> None:
    question = '{"gate": "pam", "type": "account", "service": "sshd", "user": "rescue", "pid": 2}'
    code = (
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/countersign/gate.sock'); "
        f"s.sendall(b'{question}\\n'); print(*s.makefile())"
    )
    said = host.run("setpriv", "--reuid", "alice", "--clear-groups", "/usr/bin/python3", "-c", code)
    answer = said.strip().splitlines()[-1]
    assert json.loads(answer) == {"no": "Only root asks as PAM does.", "code": protocol.NOT_ALLOWED}


def test_sudo_within_a_session_asks_nobody_as_often_as_it_is_called_nor_while_the_portal_is_away(
    host: GatedHost,
) -> None:
    number = granted(host, "alice")
    with (
        host.configured("questions_a_minute = 4\n" + host.config(grace="5m")),
        Dialogue(host.ssh("alice", "sh")) as session,
    ):
        session.type("for n in 1 2 3 4 5 6 7 8; do sudo sh -c 'echo as-$(id -u)'; done; echo all-$((40 + 2))\n")
        assert session.until("all-42").count("as-0") == 8
        host.portal_relay.cut()
        try:
            wait_until(lambda: "gives no good answer" in host.log)
            session.type("sudo sh -c 'sleep 1041 & echo away-$(id -u); wait'\n")
            session.until("away-0")
        finally:
            host.portal_relay.mend()
        host.portal.revoke(number)
        session.wait()
        wait_until(lambda: not host.processes("sleep 1041"))


def test_who_became_somebody_else_is_asked_about_still_and_ends_with_the_grant(host: GatedHost) -> None:
    number = granted(host, "alice")
    with Dialogue(host.ssh("alice", "-tt", "bash --norc")) as session:
        session.type("su bob\n")
        session.until("Password:")
        session.type(f"{PASSWORD}\n")
        session.until("bob@")
        # No grant of Bob's is asked for: it is Alice who sits there.
        session.type("sudo sleep 1021 & sudo -u rescue sleep 1022 & sleep 1; kill -9 $PPID; echo $((40 + 2))\n")
        session.until("42")
        wait_until(lambda: len(host.processes("sleep 102[12]")) == 2)
        assert {one["person"] for one in sessions(host)} == {"alice"}
        assert not host.requests("bob")
        host.portal.revoke(number)
        session.wait()
    wait_until(lambda: not host.processes("sleep 102[12]"))


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


def is_told_at_once(host: GatedHost, address: str) -> bool:
    """Whether a login of alice's from there does not wait: sshd shows nothing to those who wait."""
    login = host.ssh_by_dialogue("alice", "id -un", options=[f"BindAddress={address}"])
    done = subprocess.run(login, capture_output=True, text=True, timeout=SECONDS, check=False)
    return "waits for Grace Hopper" in done.stderr


def wait_from(host: GatedHost, *addresses: str) -> ExitStack:
    """Logins of alice's from these addresses, which wait until they are ended."""
    logins = ExitStack()
    before = len(host.processes(WAITING_SSHD))
    for one in addresses:
        logins.enter_context(Dialogue(host.ssh_by_dialogue("alice", "id -un", options=[f"BindAddress={one}"])))
    wait_until(lambda: len(host.processes(WAITING_SSHD)) == before + len(addresses))
    return logins


def test_no_more_than_three_of_one_address_wait_and_so_many_in_all(host: GatedHost) -> None:
    # Logins of an earlier test, which sshd only notices to be gone after a while.
    wait_until(lambda: not host.processes(WAITING_SSHD))
    with host.configured(host.config(more="most_waits = 4")), wait_from(host, *["127.0.0.1"] * 3):
        number = host.waiting("alice")
        wait_until(lambda: is_told_at_once(host, "127.0.0.1"))
        assert [one.approval_id for one in host.requests("alice") if one.status == "Waiting"] == [number]
        with wait_from(host, "127.0.0.2"):
            wait_until(lambda: is_told_at_once(host, "127.0.0.3"))


def test_who_took_too_long_for_sshd_or_lost_the_terminal_comes_back_to_the_same_request(host: GatedHost) -> None:
    port = free_port()
    host.serve_ssh(port, host.folder / "sshd.log", "LoginGraceTime=15")
    with host.configured(host.config().replace('retry_within = "1s"', 'retry_within = "1h"')):
        with Dialogue(host.ssh_by_dialogue("alice", "id -un", options=[f"Port={port}"])) as login:
            number = host.waiting("alice")
            assert login.wait() == 255
        with host.on_terminal("bob", "sudo id -u") as session:
            session.until("waits for")
            by_sudo = host.waiting("bob")
            host.run("pkill", "--full", "script -qec su bob")
            session.wait()
        wait_until(lambda: not host.processes(ASKING))
        with (
            Dialogue(host.ssh_by_dialogue("alice", "id -un")) as login,
            host.on_terminal("bob", "sudo id -u") as session,
        ):
            session.until("waits for")
            wait_until(lambda: host.processes(WAITING_SSHD))
            for one in (number, by_sudo):
                host.portal.approve(one)
            login.until("alice\n")
            assert session.wait() == 0
        assert [one.approval_id for one in host.requests("alice") + host.requests("bob")] == [number, by_sudo]


def test_the_request_of_who_may_wait_no_longer_stays_open(host: GatedHost) -> None:
    with host.configured(host.config(more='wait = "30s"')):
        login = host.ssh_by_dialogue("alice", "id -un", options=["NumberOfPasswordPrompts=1"])
        out, said = ran(login, 255)
        assert "It stays open: connect again when it is approved." in out + said
        # `retry_within` has passed by then, as somebody else's request was cancelled meanwhile.
        with Dialogue(host.ssh_by_dialogue("bob", "id -un")):
            gone = host.waiting("bob")
        host.portal.until_status(gone, Status.CANCELLED)
        host.portal.approve(host.waiting("alice"))
        assert ran(host.ssh("alice", "id -un"))[0] == "alice\n"


def test_a_service_that_hangs_keeps_nobody_out_who_is_exempt(host: GatedHost) -> None:
    with host.hanging_gate():
        assert ran(host.ssh("rescue", "sudo -n id -un"))[0] == "root\n"
        assert ran(host.inside("su", "bob", "-c", "id -un"))[0] == "bob\n"
        assert AWAY in ran(host.ssh("alice", "id -un"), 255)[1]
    assert "waits for Grace Hopper" in ran(host.ssh("alice", "id -un"), 255)[1]


@pytest.mark.parametrize("mistake", ["[devices", 'grace = "soon"'])
def test_a_gate_toml_with_a_mistake_locks_nobody_out_who_is_exempt(host: GatedHost, mistake: str) -> None:
    host.end_gate("TERM")
    host.write("/etc/countersign/gate.toml", f"{mistake}\n{host.config()}")
    try:
        assert host.serve_gate_in_vain() != 0
        assert ran(host.ssh("rescue", "id -un"))[0] == "rescue\n"
        assert AWAY in ran(host.ssh("alice", "id -un"), 255)[1]
    finally:
        host.write("/etc/countersign/gate.toml", host.config())
        host.gate = host.start_gate()


@pytest.mark.parametrize(
    ("text", "exempt"),
    [
        ('[pam\ndevice = "web-1"\nexempt = ["rescue"]\n', ["rescue"]),
        ('[devices\n[pam]\n  exempt = [\n  "rescue", # ]\n  # "bob",\n  "root" ]\nwait = 1h\n', ["rescue", "root"]),
        ('[devices\n# exempt = ["bob"]\nexempt = ["]", "rescue"]', ["]", "rescue"]),
        ('[devices\nexempt = ["bob"\n', []),
        ('[devices\nexempt = "bob"\nnames = ["bob"]\n', []),
        ("[devices\n", []),
    ],
)
def test_who_is_exempt_is_known_despite_a_mistake_elsewhere(text: str, exempt: list[str]) -> None:
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads(text)
    assert exempt_despite_errors(text) == exempt


def test_who_loops_is_told_to_wait_and_nobody_else_is(host: GatedHost) -> None:
    with host.configured("questions_a_minute = 4\n" + host.config()):
        said = [ran(host.ssh("alice", "true"), 255)[1] for _ in range(5)]
        assert "alice asked this gate 4 times within a minute; try again in" in said[-1]
        assert not [one for one in said[:-1] if "within a minute" in one]
        assert "waits for Grace Hopper" in ran(host.ssh("bob", "true"), 255)[1]


@pytest.mark.skipif(not os.path.exists("/proc/self/sessionid"), reason="the kernel has no audit")
def test_the_end_of_one_session_is_not_the_end_of_another(host: GatedHost) -> None:
    granted(host, "alice")
    with Dialogue(host.ssh("alice", "echo is-in; cat")) as stays:
        stays.until("is-in")
        ran(host.ssh("alice", "true"))
        wait_until(lambda: len(sessions(host)) == 1)
        assert not stays.is_over
