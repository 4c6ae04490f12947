"""`countersign gate install`: what it writes on a host of its own, and what sshd makes of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from sandbox.ssh_hosts import Host, NoSsh, check_ssh
from tests.countersign.installation import COMMAND

SSHD = "etc/ssh/sshd_config.d/10-countersign.conf"
SECONDS = 60


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    try:
        check_ssh()
    except NoSsh as error:
        pytest.skip(str(error))
    with Host() as made:
        made.add_people(["alice"], "countersign", "/bin/sh")
        yield made


def install(host: Host, *options: str, code: int = 0, user: str = "root") -> str:
    command = host.inside("setpriv", "--reuid", user, "--clear-groups", COMMAND, "gate", "install", *options)
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout + done.stderr


def states(host: Host, *options: str) -> dict[str, str]:
    return {one["path"]: one["state"] for one in json.loads(install(host, "ssh", "--json", *options))}


def sshd_says(host: Host, user: str) -> set[str]:
    return set(host.run("/usr/sbin/sshd", "-T", "-C", f"user={user},host=any,addr=192.0.2.7").splitlines())


def test_files_are_written_once_and_those_that_somebody_changed_stay(host: Host) -> None:
    shown = install(host, "ssh")
    assert f"/{SSHD} (mode 0644) is not there" in shown
    assert "    DisableForwarding yes" in shown
    assert not (host.files / SSHD).exists()
    assert set(states(host, "--write").values()) == {"was written"}
    assert set(states(host, "--write").values()) == {"is there as it should be"}
    written = (host.files / SSHD).read_text()
    # As an earlier version wrote it: its first line is true of the rest.
    install(host, "ssh", "--write", "--group", "adm")
    assert "Match Group adm" in (host.files / SSHD).read_text()
    (host.files / SSHD).write_text(written.replace("ClientAliveInterval 15", "ClientAliveInterval 5"))
    assert states(host, "--write")[f"/{SSHD}"] == "was changed by somebody, and is left as it is"
    assert "ClientAliveInterval 5" in (host.files / SSHD).read_text()
    assert states(host, "--write", "--force")[f"/{SSHD}"] == "was written"
    assert (host.files / SSHD).read_text() == written
    assert (host.files / SSHD).stat().st_mode & 0o777 == 0o644


def test_the_service_alone_is_its_configuration_and_its_unit(host: Host) -> None:
    paths = [one["path"] for one in json.loads(install(host, "service", "--json"))]
    assert paths == ["/etc/countersign/gate.toml", "/etc/systemd/system/countersign-gate.service"]


def test_sshd_takes_it_and_binds_the_group_alone_by_it(host: Host) -> None:
    install(host, "ssh", "--write", "--force")
    host.run("/usr/sbin/sshd", "-t")
    for_people, for_root = sshd_says(host, "alice"), sshd_says(host, "root")
    wanted = {
        "disableforwarding yes",
        "x11forwarding no",
        "allowagentforwarding no",
        "permittunnel no",
        "permittty no",
        "permituserrc no",
        "acceptenv COUNTERSIGN_WAIT",
        "authenticationmethods publickey",
        "authorizedkeysfile /etc/countersign/keys/%u",
        "clientaliveinterval 15",
    }
    assert wanted <= for_people
    assert not {one for one in for_people if one.startswith("acceptenv") and "COUNTERSIGN" not in one}
    assert next(one for one in for_people if one.startswith("forcecommand ")).endswith("/countersign-gate ssh")
    assert {"forcecommand none", "disableforwarding no", "permituserenvironment no"} <= for_root


def test_only_root_can_write_and_is_told_to(host: Host) -> None:
    (host.files / SSHD).unlink(missing_ok=True)
    assert "Run this as root." in install(host, "ssh", "--write", "--force", code=3, user="alice")
    assert not (host.files / SSHD).exists()


def test_no_group_brings_lines_of_its_own_into_the_configuration(host: Host) -> None:
    assert "no name of a Unix group" in install(host, "ssh", "--group", "x\nPermitTTY yes", code=2)
