"""Certificates that the gate signs, and targets that trust nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from countersign.errors import BadQuestion
from countersign.gates.certificates import CertificateAuthority, SshSection, public_key
from countersign.gates.tracking import Wanted
from sandbox.ssh_hosts import HOMES
from sandbox.temporal_server import free_port
from tests.countersign.gates.gate_installation import until_told
from tests.countersign.gates.measuring import measured
from tests.countersign.gates.networks import SECONDS
from tests.countersign.gates.sshd import SshHosts
from tests.countersign.installation import COMMAND

AUTHORITY = "/etc/countersign/authority"
SECTION = f"""
[ssh]
certificate_authority = "{AUTHORITY}"
certificate_addresses = ["127.0.0.1"]
certificate_principal = "{{person}}@{{device}}"
"""
NOW = datetime.now(UTC)


def new_key(file: Path, *options: str) -> str:
    make = ["ssh-keygen", "-q", "-N", "", "-f", str(file), *(options or ("-t", "ed25519"))]
    subprocess.run(make, check=True, timeout=SECONDS)
    return file.with_suffix(".pub").read_text()


def read(certificate: str, folder: Path) -> str:
    """What ssh-keygen says about a certificate."""
    file = folder / "read-cert.pub"
    file.write_text(certificate)
    done = subprocess.run(["ssh-keygen", "-L", "-f", str(file)], capture_output=True, text=True, check=True)
    return " ".join(done.stdout.split())


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    new_key(tmp_path / "authority")
    section = {"certificate_authority": tmp_path / "authority", "certificate_addresses": ["192.0.2.1", "fd00::/64"]}
    return CertificateAuthority(SshSection.model_validate(section))


@pytest.mark.parametrize("kind", [["-t", "ed25519"], ["-t", "ecdsa"], ["-t", "rsa", "-b", "2048"]])
def test_a_certificate_says_who_may_come_from_where_until_when(
    authority: CertificateAuthority, kind: list[str], tmp_path: Path
) -> None:
    key = new_key(tmp_path / "key", *kind)
    wanted = Wanted("alice", "db-1", "ssh", "192.0.2.7")
    text = read(authority.sign(key, wanted, 1042, NOW + timedelta(hours=1), NOW), tmp_path)
    assert 'Key ID: "1042"' in text
    assert "Principals: alice Critical Options: source-address 192.0.2.1/32,fd00::/64" in text
    assert text.endswith("Extensions: permit-pty")


def test_it_is_good_for_minutes_and_never_longer_than_the_grant(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    key = new_key(tmp_path / "key")
    wanted = Wanted("alice", "db-1", "sftp", "192.0.2.7")
    for lasts, good in ((timedelta(hours=1), timedelta(minutes=5)), (timedelta(minutes=2), timedelta(minutes=2))):
        text = read(authority.sign(key, wanted, 1042, NOW + lasts, NOW), tmp_path)
        # ssh-keygen shows local time.
        assert f"to {(NOW + good).astimezone():%Y-%m-%dT%H:%M:%S}" in text
        assert "force-command internal-sftp" in text
        assert text.endswith("Extensions: (none)")


@pytest.mark.parametrize("text", ["", "ssh-ed25519 AAAA", "sk-ssh-ed25519@openssh.com AAAA", "x" * 20000, "ssh-dss A"])
def test_what_is_no_public_key_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadQuestion):
        public_key(text)
    with pytest.raises(BadQuestion):
        public_key(f'command="id" {new_key(tmp_path / "key")}')
    with pytest.raises(BadQuestion, match="1024 bits"):
        public_key(new_key(tmp_path / "short", "-t", "rsa", "-b", "1024"))


def test_an_authority_that_others_can_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "authority"
    new_key(file)
    file.chmod(0o644)
    with pytest.raises(BadQuestion, match=f"chmod 600 {file}"):
        CertificateAuthority(SshSection(certificate_authority=file, certificate_addresses=["192.0.2.1"]))


@dataclass
class Trusting:
    """Two devices whose sshd trusts nothing but the authority, one of them for sftp."""

    hosts: SshHosts
    shell: str
    files: str
    ports: dict[str, int]

    def around(self, person: str, device: str, *options: str) -> tuple[int, str]:
        """What happens to somebody who connects directly to the device's port: ssh's exit code and output."""
        port = str(self.ports[device])
        given = ["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-p", port, *options]
        given += ["-o", "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes", "-l", person]
        client = self.hosts.start(["ssh", *given, "-i", str(self.hosts.key(person)), "127.0.0.1", "id", "-un"])
        out, _ = client.communicate(timeout=SECONDS)
        return client.returncode, out


@pytest.fixture(scope="module")
def trusting(ssh_hosts: SshHosts) -> Iterator[Trusting]:
    hosts = ssh_hosts
    shell, files = hosts.device(), hosts.device()
    ports = {shell: free_port(), files: free_port()}
    hosts.bastion.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", AUTHORITY)
    hosts.target.write("/etc/ssh/countersign.pub", (hosts.bastion.files / f"{AUTHORITY[1:]}.pub").read_text())
    for device, port in ports.items():
        trust = ["TrustedUserCAKeys=/etc/ssh/countersign.pub", "AuthorizedKeysFile=none"]
        trust += [f"AuthorizedPrincipalsCommand=/bin/echo %u@{device}", "AuthorizedPrincipalsCommandUser=nobody"]
        hosts.target.serve_ssh(port, hosts.folder / "target.log", *trust)
    hosts.configure(SECTION, {shell: f"{{ ssh = {ports[shell]} }}", files: f"{{ sftp = {ports[files]} }}"})
    hosts.restart()
    yield Trusting(hosts, shell, files, ports)
    hosts.configure()
    hosts.restart()


def test_who_gives_no_key_is_told_how() -> None:
    command = [str(Path(COMMAND).with_name("countersign-gate")), "ssh"]
    environment = {"SSH_ORIGINAL_COMMAND": "certificate db-1", **measured()}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as client:
        until_told(client, "Write: ssh bastion certificate DEVICE")
        client.kill()


def test_ssh_fetches_a_certificate_and_the_target_lets_it_in(trusting: Trusting) -> None:
    hosts, device = trusting.hosts, trusting.shell
    client = hosts.begin("alice", "ssh", "-p", str(trusting.ports[device]), device, "id -un", config="certified")
    number = hosts.approved("alice", device)
    out, errors = client.communicate(timeout=SECONDS)
    assert (client.returncode, out) == (0, "alice\n"), errors
    assert f"ID {number} " in (hosts.folder / "target.log").read_text()
    assert [one.approval_id for one in hosts.gates.requests("alice", device)] == [number]


def test_around_the_bastion_a_target_lets_nobody_in_without_a_certificate(trusting: Trusting) -> None:
    assert trusting.around("alice", trusting.shell)[0] != 0


def test_a_certificate_is_good_from_the_bastion_alone_and_for_its_person_and_device(trusting: Trusting) -> None:
    device = trusting.shell
    hosts = trusting.hosts
    granted = hosts.certify("alice", device, trusting.ports[device])
    mine = ["-o", f"CertificateFile={granted}"]
    assert trusting.around("alice", device, *mine) == (0, "alice\n")
    assert trusting.around("alice", device, *mine, "-b", "127.0.0.2")[0] != 0
    assert trusting.around("bob", device, *mine)[0] != 0
    assert trusting.around("alice", trusting.files, *mine)[0] != 0


def test_a_grant_for_sftp_opens_no_shell(trusting: Trusting) -> None:
    hosts, device = trusting.hosts, trusting.files
    port = trusting.ports[device]
    certificate = hosts.certify("alice", device, port)
    through = ["-o", f"Port={port}", "-o", f"CertificateFile={certificate}"]
    client = hosts.begin("alice", "sftp", *through, "-b", "-", device)
    out, errors = client.communicate("pwd\n", timeout=SECONDS)
    assert client.returncode == 0, errors
    assert f"{HOMES}/alice" in out
    assert "alice" not in trusting.around("alice", device, "-o", f"CertificateFile={certificate}")[1]


def test_nobody_gets_a_certificate_without_a_grant_or_for_what_is_no_key(trusting: Trusting) -> None:
    hosts = trusting.hosts
    device = hosts.device()
    for words, text in (
        (f"certificate {device} {hosts.target_port} --no-wait", hosts.key("bob").with_suffix(".key.pub").read_text()),
        (f"certificate {device} {hosts.target_port}", "no key"),
        ("certificate no-such-device", hosts.key("bob").with_suffix(".key.pub").read_text()),
        (f"certificate {device}; id", ""),
    ):
        client = hosts.begin("bob", "ssh", "-T", "bastion", words)
        out, errors = client.communicate(text, timeout=SECONDS)
        assert client.returncode != 0
        assert out == ""
        assert errors
