"""The files that make PAM ask the gate about the logins of a host."""

import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from countersign.errors import CountersignError
from countersign.gates import protocol
from countersign.gates.config import portal, read_config
from countersign.gates.install import File
from countersign.gates.logins import PROTOCOLS, SSH
from countersign.gates.protocol import CONFIG
from countersign.gates.service_files import service_files
from countersign.http_answers import Me

SKELETON = """\
url = "https://access.example.com"
token_file = "/etc/countersign/gate.token"
grace = "5m"
retry_within = "60s"

[pam]
# What the policy calls this host.
device = "web-1"
wait = "1h"
# Accounts that get in without being asked about, also while the gate service does not run.
exempt = []
"""
# Services that let somebody in from elsewhere, and those by which somebody who is in becomes somebody else.
LOGINS, BECOMING = ("sshd", "login", "xrdp-sesman"), ("sudo", "sudo-i", "su", "su-l")
PAM_FOLDER = Path("/etc/pam.d")
BEGIN, END = "# countersign: begin", "# countersign: end"


def pam_install_files(ready_only: bool) -> list[File]:
    """The files of the service and of PAM; with `ready_only`, those of PAM only if people can be let in.

    Written before that, they would let nobody in.
    """
    files = service_files(SKELETON)
    if ready_only and why_not_ready():
        return files
    return files + [File(path, text, adds=True) for path, text in pam_files(Path(CONFIG)).items()]


def why_not_ready() -> str:
    """Why nobody could be let in now, with what to do; "" if people can."""
    try:
        read = read_config(Path(CONFIG))
        if read.pam is None:
            return f"{CONFIG} has no section [pam]: add one, with the `device` that this host is."
        with portal(read) as api:
            if why := may_not_ask(api.me(), read.pam.device, pam_protocols()):
                return f"For {read.pam.device} {why}."
        protocol.must_answer(str(read.socket))
    except CountersignError as error:
        return str(error)
    except OSError as error:
        start = "systemctl enable countersign-gate && systemctl restart countersign-gate"
        return f"The gate service does not answer ({error.strerror}): `{start}`."
    return ""


def may_not_ask(me: Me, device: str, protocols: Collection[str]) -> str:
    """Why the token described here may not ask for all of this, with the remedy; "" if it may."""
    if device not in me.devices:
        return "the token may not ask; put the device into a group that the token names, or make another token"
    missing = sorted(set(protocols) - set(me.protocols))
    options = " ".join(f"--protocol {one}" for one in missing)
    return f"the token may not ask by {' and '.join(missing)}; make another, also with `{options}`" if missing else ""


def pam_protocols() -> set[str]:
    """The protocols that PAM asks with on this host."""
    return {PROTOCOLS.get(name, SSH) for name in (*LOGINS, *BECOMING) if (PAM_FOLDER / name).is_file()}


def pam_files(config: Path) -> Mapping[Path, str]:
    """The files of PAM that this host has, each with the gate put first. `config` is where gate.toml is."""
    files = {name: file.read_text() for name in (*LOGINS, *BECOMING) if (file := PAM_FOLDER / name).is_file()}
    return {
        PAM_FOLDER / name: with_gate(name, text, config)
        for name, text in files.items()
        # Otherwise the gate would be asked twice.
        if not any(re.search(rf"^\s*(account\s+include|@include)\s+{other}\s*$", text, re.M) for other in files)
    }


def with_gate(service: str, text: str, config: Path) -> str:
    """A file of PAM with the gate's lines first, which replace those from before.

    They come first, as a line before them could let somebody in without them, and as pam_env(8) may take variables from
    the person, which a program that runs as root must not see. With `type=` the program isn't run at the end of a
    session. The number that pam_loginuid(8) gives a login tells what belongs to it.
    """
    before, begin, rest = text.partition(f"{BEGIN}\n")
    own = before + (rest.partition(f"{END}\n")[2] if begin else "")
    program = f"{sys.executable} -I {Path(sys.executable).with_name('countersign-gate')} pam {config}"
    options = "seteuid quiet stdout"
    numbered = "session optional pam_loginuid.so\n" if service in LOGINS else ""
    return (
        f"{BEGIN}\n"
        f"account required pam_exec.so type=account {options} {program}\n{numbered}"
        f"session required pam_exec.so type=open_session {options} {program}\n"
        f"{END}\n{own}"
    )
