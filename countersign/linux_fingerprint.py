"""What a Linux machine can say about itself, for the portal and for whoever approves it.

None is "not known": the file can't be read, the program isn't there, or the answer could be either. Only what was seen
to be so is true, and only what was seen not to be so is false.
"""

import getpass
import os
import platform
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from countersign.fingerprints import Fingerprint, Posture
from countersign.version import version

RUN_SECONDS = 5.0
LONGEST_TEXT = 128
# What boards without a name of their own say (SMBIOS, DSP0134, leaves the texts to the board's maker).
PLACEHOLDER = re.compile(
    r"to be filled by o\.?e\.?m\.?|default string|not specified|none|system (serial|product).*|0+", re.I
)
# Services that look for malware as they run.
ANTIVIRUS = ("clamav-daemon", "clamd@scan", "mdatp", "falcon-sensor", "sentinelone", "sav-protect", "eea", "ds_agent")
INPUT_HOOK = re.compile(r"hook input\b")
REFUSES = re.compile(r"policy drop|\b(?:drop|reject)\b")

ROOT = Path("/")
# Where programs for root are: users may run them, but don't have them on PATH.
ROOT_PROGRAMS = ":/usr/sbin:/sbin"


def fingerprint(root: Path = ROOT) -> Fingerprint:
    """The fingerprint of this machine, whose files are read below `root`."""
    release, machine = _os_release(root), os.uname()
    return Fingerprint(
        hostname=platform.node() or None,
        platform="linux",
        os=release.get("NAME"),
        os_version=release.get("VERSION_ID"),
        kernel=machine.release,
        architecture=machine.machine,
        model=_dmi(root, "product_name"),
        serial=_dmi(root, "product_serial"),
        user=_user(),
        client_version=version(),
        posture=Posture(
            disk_encrypted=disk_encrypted(root),
            firewall=firewall(root),
            biometrics=biometrics(root),
            auto_update=auto_update(),
            tpm=tpm(root),
            antivirus=antivirus(),
        ),
    )


def _text(file: Path) -> str | None:
    with suppress(OSError, UnicodeDecodeError):
        return file.read_text()[:100_000].strip() or None
    return None


def _os_release(root: Path) -> dict[str, str]:
    """The fields of os-release(5), without their quotes."""
    text = _text(root / "etc/os-release") or _text(root / "usr/lib/os-release") or ""
    lines = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
    fields = ((name, value.strip().strip("\"'")[:LONGEST_TEXT]) for name, _, value in lines)
    return {name: value for name, value in fields if value}


def _dmi(root: Path, name: str) -> str | None:
    """What the firmware says about the machine; only root can read its serial number."""
    text = _text(root / "sys/class/dmi/id" / name)
    return None if text is None or PLACEHOLDER.fullmatch(text) else text[:LONGEST_TEXT]


def _user() -> str | None:
    """Who runs this, even with sudo."""
    with suppress(KeyError, OSError):
        return (os.environ.get("SUDO_USER") or getpass.getuser())[:LONGEST_TEXT]
    return None


def _program(name: str) -> str | None:
    """Where a program is, even if it is one for root."""
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ROOT_PROGRAMS)


def _printed(*command: str) -> str | None:
    """What a program prints; None if it isn't there or fails."""
    program = _program(command[0])
    if not program:
        return None
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(  # noqa: S603 - fixed commands, without a shell
            [program, *command[1:]], capture_output=True, text=True, errors="replace", timeout=RUN_SECONDS, check=False
        )
        return done.stdout if done.returncode == 0 else None
    return None


def disk_encrypted(root: Path) -> bool | None:
    """Whether the root file system is encrypted by dm-crypt, which LUKS uses, on every disk below it.

    Not known if it isn't a block device of this machine: overlays, network file systems, ZFS, subvolumes of btrfs.
    """
    with suppress(OSError):
        lines = (line.split() for line in (root / "proc/self/mountinfo").read_text().splitlines())
        # What was mounted last hides the others.
        for number in reversed([fields[2] for fields in lines if fields[4] == "/"]):
            return _on_crypt((root / "sys/dev/block" / number).resolve(strict=True))
    return None


def _on_crypt(device: Path) -> bool:
    """Whether a block device in sysfs is encrypted, or consists only of encrypted ones."""
    if (_text(device / "dm/uuid") or "").startswith("CRYPT-"):
        return True
    below = list((device / "slaves").iterdir()) if (device / "slaves").is_dir() else []
    return bool(below) and all(_on_crypt(one.resolve(strict=True)) for one in below)


def firewall(root: Path) -> bool | None:
    """Whether nftables, which iptables writes to as well, refuses anything that comes in; only root can know."""
    rules = _printed("nft", "list", "ruleset")
    if rules is None:
        return None
    if any(INPUT_HOOK.search(chain) and REFUSES.search(chain) for chain in rules.split("chain ")):
        return True
    # The older iptables, whose rules nft does not list, may be in use.
    return None if _text(root / "proc/net/ip_tables_names") else False


def biometrics(root: Path) -> bool | None:
    """Whether somebody has enrolled a finger with fprintd."""
    with suppress(OSError):
        return any((root / "var/lib/fprint").iterdir()) or None
    return None


def auto_update() -> bool | None:
    """Whether security updates install themselves, by apt or dnf."""
    apt = _printed("apt-config", "dump", "APT::Periodic::Unattended-Upgrade")
    if apt is not None:
        return bool(re.search(r'"[1-9]\d*[smhd]?"', apt)) and _program("unattended-upgrade") is not None
    dnf = _printed("systemctl", "is-enabled", "dnf-automatic.timer")
    return True if dnf and dnf.strip() == "enabled" else None


def tpm(root: Path) -> bool | None:
    """Whether the kernel found a trusted platform module."""
    modules = root / "sys/class/tpm"
    return any(modules.iterdir()) if modules.is_dir() else None


def antivirus() -> bool | None:
    """True if one that we know runs; otherwise not known, as another may run."""
    active = _printed("systemctl", "is-active", "--quiet", *ANTIVIRUS)
    return True if active is not None else None
