"""What a machine says about itself; what it can't know, it leaves out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from countersign import linux_fingerprint
from countersign.fingerprints import Posture
from countersign.linux_fingerprint import fingerprint
from countersign.version import version

MOUNTED = "22 27 8:2 / / rw - ext4 /dev/sda2 rw\n23 22 0:21 / /proc rw - proc proc rw\n"


def block_device(root: Path, name: str, number: str, crypt: str = "", below: tuple[str, ...] = ()) -> None:
    """A block device as sysfs shows it, made of those below."""
    device = root / "sys/devices/virtual/block" / name
    (device / "slaves").mkdir(parents=True)
    if crypt:
        (device / "dm").mkdir()
        (device / "dm/uuid").write_text(f"{crypt}\n")
    for one in below:
        (device / "slaves" / one).symlink_to(device.parent / one)
    numbers = root / "sys/dev/block"
    numbers.mkdir(parents=True, exist_ok=True)
    (numbers / number).symlink_to(device)


def mounted(root: Path, *lines: str) -> None:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/mountinfo").write_text("".join(lines))


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux_fingerprint, "ROOT_PROGRAMS", "")
    monkeypatch.setenv("PATH", "")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder in which programs are found."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setattr(linux_fingerprint, "ROOT_PROGRAMS", "")
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, name: str, *lines: str) -> None:
    (folder / name).write_text("\n".join(["#!/bin/sh", *lines]))
    (folder / name).chmod(0o755)


@pytest.mark.usefixtures("no_programs")
def test_what_is_not_known_is_never_no(tmp_path: Path) -> None:
    told = fingerprint(tmp_path)
    assert told.posture == Posture()
    assert (told.os, told.os_version, told.model, told.serial) == (None, None, None, None)
    assert (told.platform, told.kernel, told.client_version) == ("linux", os.uname().release, version())


@pytest.mark.usefixtures("no_programs")
def test_what_the_system_and_the_firmware_say(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('# a comment\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nnonsense\n')
    dmi = tmp_path / "sys/class/dmi/id"
    dmi.mkdir(parents=True)
    (dmi / "product_name").write_text(f"ThinkPad {'x' * 200}\n")
    (dmi / "product_serial").write_text("To Be Filled By O.E.M.\n")
    told = fingerprint(tmp_path)
    assert (told.os, told.os_version, told.serial) == ("Debian GNU/Linux", "12", None)
    assert (told.model or "").startswith("ThinkPad xxx")
    (dmi / "product_serial").write_text("PF-2ABCDE\n")
    assert fingerprint(tmp_path).serial == "PF-2ABCDE"


@pytest.mark.usefixtures("no_programs")
def test_a_disk_is_encrypted_where_all_below_the_root_file_system_is(tmp_path: Path) -> None:
    block_device(tmp_path, "sda2", "8:2")
    block_device(tmp_path, "sdb2", "8:18")
    block_device(tmp_path, "dm-0", "254:0", crypt="CRYPT-LUKS2-0123-root", below=("sda2",))
    block_device(tmp_path, "dm-1", "254:1", crypt="LVM-abc", below=("dm-0",))
    block_device(tmp_path, "dm-2", "254:2", crypt="LVM-def", below=("dm-0", "sdb2"))
    mounted(tmp_path)
    expected = {"8:2": False, "254:0": True, "254:1": True, "254:2": False, "0:30": None, "8:99": None}
    for number, encrypted in expected.items():
        (tmp_path / "proc/self/mountinfo").write_text(MOUNTED + MOUNTED.replace("8:2", number))
        assert fingerprint(tmp_path).posture.disk_encrypted is encrypted, number
    (tmp_path / "proc/self/mountinfo").write_text("23 22 0:21 / /proc rw - proc proc rw\n")
    assert fingerprint(tmp_path).posture.disk_encrypted is None


@pytest.mark.usefixtures("no_programs")
def test_a_tpm_is_there_or_not_and_a_finger_is_only_ever_there(tmp_path: Path) -> None:
    for folder in ("sys/class/tpm", "var/lib/fprint"):
        (tmp_path / folder).mkdir(parents=True)
    told = fingerprint(tmp_path).posture
    assert (told.tpm, told.biometrics) == (False, None)
    (tmp_path / "sys/class/tpm/tpm0").mkdir()
    (tmp_path / "var/lib/fprint/alice").mkdir()
    told = fingerprint(tmp_path).posture
    assert (told.tpm, told.biometrics) == (True, True)


@pytest.mark.parametrize(
    ("rules", "older", "expected"),
    [
        ("chain input { type filter hook input priority 0; policy drop; }", "", True),
        ("chain filter_INPUT { type filter hook input priority 10; policy accept; reject with icmpx }", "", True),
        ("chain nat { type nat hook prerouting priority 0; policy accept; } chain x { drop }", "", False),
        ("", "filter\n", None),
        ("", "", False),
        (None, "", None),
    ],
)
def test_a_firewall_is_what_refuses_something_that_comes_in(
    tmp_path: Path, programs: Path, rules: str | None, older: str, expected: bool | None
) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/ip_tables_names").write_text(older)
    program(programs, "nft", "exit 1" if rules is None else f"echo '{rules}'")
    assert fingerprint(tmp_path).posture.firewall is expected


@pytest.mark.parametrize(
    ("value", "expected"), [('Unattended-Upgrade "1";', True), ('Unattended-Upgrade "0";', False), ("", False)]
)
def test_updates_install_themselves_where_apt_says_so(
    tmp_path: Path, programs: Path, value: str, expected: bool
) -> None:
    program(programs, "apt-config", f"echo 'APT::Periodic::{value}'")
    program(programs, "unattended-upgrade")
    assert fingerprint(tmp_path).posture.auto_update is expected


def test_updates_by_dnf_and_a_service_against_malware_are_seen_where_they_run(tmp_path: Path, programs: Path) -> None:
    program(programs, "systemctl", "exit 3")
    told = fingerprint(tmp_path).posture
    assert (told.auto_update, told.antivirus) == (None, None)
    program(programs, "systemctl", 'case "$1" in is-enabled) echo enabled;; esac')
    told = fingerprint(tmp_path).posture
    assert (told.auto_update, told.antivirus) == (True, True)
