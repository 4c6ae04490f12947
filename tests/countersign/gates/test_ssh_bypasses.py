"""Ways around the gate on a bastion, tried as the people who log in there can: none works."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from countersign.gates import protocol
from sandbox.ssh_hosts import HOMES, SOCKET
from sandbox.temporal_server import free_port
from tests.countersign.gates.networks import SECONDS, wait_until
from tests.countersign.gates.sshd import SshHosts

# This is printed if `sh` or anything else runs.
REACHED = "reached-a-shell"


@pytest.fixture(scope="module")
def device(ssh_hosts: SshHosts) -> str:
    """A device that nobody connects to."""
    return ssh_hosts.device()


def tried(hosts: SshHosts, *arguments: str, person: str = "alice", key: str = "", program: str = "ssh") -> str:
    """What an attempt to get around the gate prints on stderr; it must fail, and print nothing on stdout."""
    client = hosts.begin(person, program, *arguments, key=key, wait="no")
    assert client.stdin
    # Its input stays open: its end would mean that the person has gone, who is told nothing then.
    with suppress(BrokenPipeError):
        client.stdin.write(f"echo {REACHED}\n")
        client.stdin.flush()
    assert client.wait(SECONDS) != 0
    out, errors = client.communicate()
    assert out == ""
    return errors


def test_the_key_of_somebody_else_opens_nothing(ssh_hosts: SshHosts) -> None:
    assert "Permission denied" in tried(ssh_hosts, "bastion", "any", key="bob")


def test_a_key_in_the_home_of_an_account_opens_nothing(ssh_hosts: SshHosts) -> None:
    ssh_hosts.new_key("own")
    public = ssh_hosts.key("own").with_suffix(".key.pub").read_text()
    ssh_hosts.bastion.write(f"{HOMES}/carol/.ssh/authorized_keys", public, mode=0o600, owner="carol")
    assert "Permission denied" in tried(ssh_hosts, "bastion", "any", person="carol", key="own")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["-W", "127.0.0.1:{target}", "bastion"], id="a channel to the target, as -L, -D and -J open it"),
        pytest.param(["-J", "bastion", "-p", "{target}", "127.0.0.1", "id"], id="a jump"),
        pytest.param(["-N", "-R", "{free}:127.0.0.1:22", "bastion"], id="a port of the bastion"),
        pytest.param(["-N", "-R", "/tmp/countersign-{free}:127.0.0.1:22", "bastion"], id="a socket of the bastion"),
        pytest.param(["-N", "-w", "any", "bastion"], id="a tunnel"),
    ],
)
def test_nothing_is_forwarded(ssh_hosts: SshHosts, options: list[str]) -> None:
    filled = [one.format(target=ssh_hosts.target_port, free=free_port()) for one in options]
    tried(ssh_hosts, "-o", "ExitOnForwardFailure=yes", *filled)


def test_the_socket_of_the_service_is_not_forwarded(ssh_hosts: SshHosts, tmp_path: Path) -> None:
    local = tmp_path / "gate.sock"
    ssh_hosts.begin("alice", "ssh", "-N", "-L", f"{local}:/{SOCKET}", "bastion")
    wait_until(local.exists)
    service = protocol.Service(str(local))
    service.socket.settimeout(SECONDS)
    service.send({"gate": "ssh", "device": "any", "port": 22})
    with pytest.raises((EOFError, OSError)):
        list(service.receive())
    service.close()


@pytest.mark.parametrize("options", [["-tt"], ["-A"], ["-X"]], ids=["a terminal", "an agent", "a display"])
def test_no_terminal_agent_or_display_is_given(ssh_hosts: SshHosts, options: list[str]) -> None:
    tried(ssh_hosts, *options, "bastion", "bash")


@pytest.mark.parametrize(
    "command",
    [
        "",
        "bash",
        "sh -c id",
        "{device} {port}; id",
        "{device} {port}\nid",
        "{device} {port} && id",
        "{device} {port} | id",
        "{device} `id`",
        "$(id) {port}",
        "{device} {port} --socket /tmp/own.sock",
        "--socket /tmp/own.sock {device} {port}",
        "../../etc/passwd 22",
        "-oProxyCommand=id 22",
        "{device}\x00 {port}",
        "{device} 0",
        "{device} 65536",
        "{device} ٢٢",
        "d" * 5000 + " 22",
        "/usr/lib/openssh/sftp-server",
        "internal-sftp",
    ],
)
def test_no_other_command_runs_on_the_bastion(ssh_hosts: SshHosts, device: str, command: str) -> None:
    filled = command.replace("{device}", device).replace("{port}", str(ssh_hosts.target_port))
    # A program's argument can't contain NUL.
    assert "uid=" not in tried(ssh_hosts, "-T", "bastion", *([filled.replace("\x00", "\\0")] if filled else []))


def test_there_is_no_sftp_on_the_bastion_itself(ssh_hosts: SshHosts) -> None:
    tried(ssh_hosts, "-b", "-", "bastion", program="sftp")
    tried(ssh_hosts, "-T", "-s", "bastion", "sftp")


def test_files_and_variables_of_the_person_change_nothing(ssh_hosts: SshHosts) -> None:
    marks = [f"/tmp/countersign-{name}-{free_port()}" for name in ("rc", "profile", "environment")]
    for file, mark in zip((".ssh/rc", ".profile", ".bashrc"), (marks[0], *marks[1:2], marks[1]), strict=True):
        ssh_hosts.bastion.write(f"{HOMES}/alice/{file}", f"touch {mark}\n", mode=0o755, owner="alice")
    ssh_hosts.bastion.write(f"{HOMES}/alice/.ssh/environment", f"LD_PRELOAD={marks[2]}\nPYTHONSTARTUP={marks[2]}\n")
    device = ssh_hosts.device()
    own = "SetEnv=PYTHONPATH=/tmp LD_PRELOAD=/tmp/own.so SSH_CONNECTION=192.0.2.9 COUNTERSIGN_X=1"
    ssh_hosts.begin("alice", "ssh", "-T", "-o", own, "bastion", device, str(ssh_hosts.target_port))
    view = ssh_hosts.gates.until_waiting("alice", device)
    assert view.question.source_address == "127.0.0.1"
    number = ssh_hosts.bastion.run("pgrep", "--newest", "--full", "countersign-gate ssh$").strip()
    environment = ssh_hosts.bastion.run("cat", f"/proc/{number}/environ")
    assert not [one for one in ("PYTHON", "LD_PRELOAD", "COUNTERSIGN_X", "192.0.2.9") if one in environment]
    assert not [mark for mark in marks if Path(mark).exists()]


def test_a_second_channel_of_a_connection_asks_anew(ssh_hosts: SshHosts, tmp_path: Path) -> None:
    device, control = ssh_hosts.device(), tmp_path / "control"
    port = str(ssh_hosts.target_port)
    through = ["-T", "bastion", device, port]
    master = ssh_hosts.begin("alice", "ssh", "-o", "ControlMaster=yes", "-o", f"ControlPath={control}", *through)
    number = ssh_hosts.approved("alice", device)
    assert master.stdout
    assert master.stdout.readline().startswith("SSH-2.0")
    second = ["-o", "ControlMaster=no", "-o", f"ControlPath={control}", *through]
    other = ssh_hosts.begin("alice", "ssh", *second)
    assert other.stdout
    assert other.stdout.readline().startswith("SSH-2.0")
    ssh_hosts.gates.revoke(number)
    wait_until(lambda: other.poll() is not None)
    third = [*second, "--no-wait"]
    assert "waits for" in tried(ssh_hosts, *third) or master.poll() is not None
    # The first connection carries nothing more.
    assert master.stdout.read() == ""


def test_a_second_channel_to_the_target_ends_with_the_first(ssh_hosts: SshHosts, tmp_path: Path) -> None:
    device, control = ssh_hosts.device(), tmp_path / "control"
    master = ssh_hosts.begin(
        "alice", "ssh", "-o", "ControlMaster=yes", "-o", f"ControlPath={control}", device, "echo up; cat"
    )
    number = ssh_hosts.approved("alice", device)
    assert master.stdout
    assert master.stdout.readline() == "up\n"
    second = ssh_hosts.begin("alice", "ssh", "-o", f"ControlPath={control}", device, "echo up; cat")
    assert second.stdout
    assert second.stdout.readline() == "up\n"
    ssh_hosts.gates.revoke(number)
    assert second.wait(SECONDS) != 0
    assert master.wait(SECONDS) != 0


def as_person(hosts: SshHosts, person: str, *command: str) -> tuple[int, str]:
    """Run a program on the bastion as an account with a shell there could; its exit code and output."""
    inside = hosts.bastion.inside("setpriv", "--reuid", person, "--regid", "nogroup", "--clear-groups", *command)
    done = subprocess.run(inside, capture_output=True, text=True, timeout=SECONDS, check=False)
    return done.returncode, done.stdout + done.stderr


def test_nobody_reads_the_token(ssh_hosts: SshHosts) -> None:
    code, said = as_person(ssh_hosts, "alice", "cat", "/etc/countersign/gate.token")
    assert code != 0
    assert ssh_hosts.gates.token not in said
    for file in ("environ", "maps"):
        one = f"/proc/$(pgrep -f '[g]ate serve')/{file}"
        assert as_person(ssh_hosts, "root", "sh", "-c", f"head -c1 {one} > /dev/null")[0] == 0
        assert as_person(ssh_hosts, "alice", "sh", "-c", f"head -c1 {one} > /dev/null")[0] != 0


ASK = """
import sys
from countersign.gates.protocol import Service
service = Service("/run/countersign/gate.sock")
service.send({"gate": "ssh", "device": sys.argv[1], "port": int(sys.argv[2]), "person": "bob", "source_address": ""})
try:
    while True:
        print(*service.receive())
except EOFError:
    pass
"""


def test_nobody_asks_as_somebody_else(ssh_hosts: SshHosts) -> None:
    device = ssh_hosts.device()
    _, said = as_person(ssh_hosts, "alice", sys.executable, "-c", ASK, device, str(ssh_hosts.target_port))
    assert "Only root may ask for another account." in said
    assert ssh_hosts.gates.requests("bob", device) == []


@pytest.mark.parametrize("device", ["127.0.0.1", "localhost", "no-such-device", "0x7f000001", "xn--bcher-kva"])
def test_no_device_is_reached_that_is_not_named(ssh_hosts: SshHosts, device: str) -> None:
    assert "not reached through this gate" in tried(ssh_hosts, "-T", "bastion", device, str(ssh_hosts.target_port))


def test_no_other_port_of_a_device_is_reached(ssh_hosts: SshHosts, device: str) -> None:
    errors = tried(ssh_hosts, "-T", "bastion", device, "8080")
    assert f"but at {ssh_hosts.target_port} (ssh)" in errors


def test_the_grant_of_one_person_is_not_good_for_another(ssh_hosts: SshHosts) -> None:
    device = ssh_hosts.device()
    ssh_hosts.begin("alice", "ssh", device, "cat")
    ssh_hosts.approved("alice", device)
    errors = tried(ssh_hosts, device, "id", person="bob")
    assert f"#{ssh_hosts.gates.until_waiting('bob', device).approval_id}" in errors
