"""Setting a host up: `countersign gate install pam` and `countersign doctor --gate`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from countersign.gates.pam_files import BEGIN, with_gate
from countersign.gates.processes import NO_LOGIN
from tests.countersign.gates.gate_installation import new_gateway
from tests.countersign.gates.networks import SECONDS
from tests.countersign.gates.pam_host import GatedHost
from tests.countersign.installation import COMMAND, ROOT

CONFIG = Path("/etc/countersign/gate.toml")
TOKEN = "/etc/countersign/gate.token"
SESSIONS = "/run/countersign/sessions"


def found(host: GatedHost, code: int) -> dict[tuple[str, str], str]:
    """The state of each thing that doctor looked at."""
    command = host.inside(COMMAND, "doctor", "--gate", "--json")
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == code, (done.stdout, done.stderr)
    return {(one["part"], one["about"]): one["state"] for one in json.loads(done.stdout)}


def installed(host: GatedHost, said: str = "") -> dict[str, str]:
    """The state of each file; `said` is what the command says to do next."""
    command = host.inside(COMMAND, "gate", "install", "pam", "--write", "--json")
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    assert said in " ".join(done.stderr.split()) if said else not done.stderr
    return {one["path"]: one["state"] for one in json.loads(done.stdout)}


def test_doctor_finds_what_lets_people_in_and_install_mends_it(host: GatedHost) -> None:
    before = found(host, 0)
    assert before["PAM", "/etc/pam.d/sudo"] == before["device", host.device] == before["sshd", "UsePAM"] == "ok"
    assert before["audit", "/proc/self/sessionid"] == "ok"
    assert before["sshd", "LoginGraceTime"] == before["login", "LOGIN_TIMEOUT"] == "warning"
    assert before["sshd", "MaxStartups"] == "warning"
    host.run("sed", "-i", "/countersign/d", "/etc/pam.d/sudo")
    host.run("chmod", "644", "/etc/countersign/gate.token")
    broken = found(host, 1)
    assert broken["PAM", "/etc/pam.d/sudo"] == "problem"
    assert [state for (part, _), state in broken.items() if part == "portal"] == ["problem"]
    host.run("chmod", "600", "/etc/countersign/gate.token")
    host.run("mkdir", "-p", "/etc/systemd/system")
    written = installed(host)
    assert written["/etc/pam.d/sudo"] == "was written"
    assert written["/etc/pam.d/sshd"] == "is there as it should be"
    assert written[str(CONFIG)] == "was changed by somebody, and is left as it is"
    assert found(host, 0)["PAM", "/etc/pam.d/sudo"] == "ok"


def test_doctor_says_where_what_is_detached_outlives_a_session(host: GatedHost) -> None:
    sleeps = host.run("sh", "-c", "sleep 1091 > /dev/null 2>&1 & echo $!").strip()
    started = Path(f"{host.files}/proc/{sleeps}/stat").read_text().rpartition(")")[2].split()[19]
    session = {"leader": [int(sleeps), int(started)], "login": NO_LOGIN, "user": 1000, "service": "sshd"}
    who = {"person": "alice", "device": "web-1", "protocol": "ssh", "source_address": "192.0.2.7"}
    before = host.run("cat", SESSIONS, check=False) or "[]"
    host.write(SESSIONS, json.dumps([session | who]), 0o600)
    try:
        assert found(host, 0)["audit", "/proc/self/sessionid"] == "warning"
    finally:
        host.write(SESSIONS, before, 0o600)
        host.run("kill", sleeps)


def test_nothing_is_asked_of_a_service_that_is_not_there(host: GatedHost) -> None:
    host.end_gate("TERM")
    try:
        assert found(host, 1)["gate service", "/run/countersign/gate.sock"] == "problem"
        host.run("sed", "-i", "/countersign/d", "/etc/pam.d/su")
        assert "/etc/pam.d/su" not in installed(host, "not changed, as then nobody could log in. The gate service")
    finally:
        host.gate = host.start_gate()
        installed(host)


def test_nothing_is_asked_of_a_service_that_hangs(host: GatedHost) -> None:
    with host.hanging_gate():
        assert found(host, 1)["gate service", "/run/countersign/gate.sock"] == "problem"
        host.run("sed", "-i", "/countersign/d", "/etc/pam.d/su")
        assert "/etc/pam.d/su" not in installed(host, "not changed, as then nobody could log in. The gate service")
    installed(host)


def test_pam_asks_no_gate_whose_token_lacks_the_protocol(host: GatedHost) -> None:
    token = host.run("cat", TOKEN)
    host.write(TOKEN, new_gateway(host.portal.installation, "host-of-rdp", ["rdp"]), 0o600)
    host.run("sed", "-i", "/countersign/d", "/etc/pam.d/su")
    try:
        assert found(host, 1)["device", host.device] == "problem"
        assert "/etc/pam.d/su" not in installed(host, "the token may not ask by ssh")
    finally:
        host.write(TOKEN, token, 0o600)
    assert found(host, 1)["device", host.device] == "ok"
    assert installed(host)["/etc/pam.d/su"] == "was written"


@pytest.mark.parametrize("exempt", ["[]", '["resque"]'])
def test_doctor_warns_where_nobody_gets_in_when_the_gate_fails(host: GatedHost, exempt: str) -> None:
    assert found(host, 0)["PAM", "exempt"] == "ok"
    host.write(str(CONFIG), host.config().replace('["rescue"]', exempt))
    try:
        assert found(host, 0)["PAM", "exempt"] == "warning"
    finally:
        host.write(str(CONFIG), host.config())


def test_pam_asks_no_gate_that_the_portal_lets_nobody_in_by(host: GatedHost) -> None:
    host.run("sed", "-i", "/countersign/d", "/etc/pam.d/su")
    try:
        host.portal_relay.cut()
        assert "/etc/pam.d/su" not in installed(host, "broke the connection off")
    finally:
        host.portal_relay.mend()
    assert installed(host)["/etc/pam.d/su"] == "was written"


def test_the_gate_stands_first_once_and_what_was_there_stays() -> None:
    own = "#%PAM-1.0\nauth sufficient pam_rootok.so\n@include common-account\n"
    once = with_gate("su", own, CONFIG)
    assert once.startswith(BEGIN)
    assert once.endswith(own)
    assert with_gate("su", once, CONFIG) == once
    assert "pam_loginuid" in with_gate("sshd", own, CONFIG)
    assert "pam_loginuid" not in once


def test_the_line_of_the_docs_takes_the_gate_out_again(tmp_path: Path) -> None:
    own = "#%PAM-1.0\nauth sufficient pam_rootok.so\n@include common-account\n"
    file = tmp_path / "sshd"
    file.write_text(with_gate("sshd", own, CONFIG))
    page = (ROOT / "docs" / "pam.md").read_text()
    [line] = [one.strip() for one in page.splitlines() if one.strip().startswith("sed -i")]
    subprocess.run(["sh", "-ec", line.replace("/etc/pam.d/*", str(file))], check=True, timeout=SECONDS)
    assert file.read_text() == own
