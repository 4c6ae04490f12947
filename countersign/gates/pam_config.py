"""Section `[pam]` of gate.toml, and the files of PAM that name the gate."""

import re
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from countersign.durations import reads
from countersign.models import Id, Model

LONGEST_WAIT = timedelta(days=1)
LONGEST_NAME = 256


class PamConfig(Model):
    """Which device this host is, for how long a login may wait at most, and which accounts are not asked about."""

    device: Id
    wait: Annotated[timedelta, BeforeValidator(reads("seconds", LONGEST_WAIT))] = timedelta(hours=1)
    exempt: list[Annotated[str, Field(max_length=LONGEST_NAME)]] = []


# Those that let somebody in from elsewhere, and those that let who is in become somebody else.
LOGINS, BECOMING = ("sshd", "login", "xrdp-sesman"), ("sudo", "sudo-i", "su", "su-l")
PAM_FOLDER = Path("/etc/pam.d")
BEGIN, END = "# countersign: begin", "# countersign: end"


def pam_files(config: Path, folder: Path = PAM_FOLDER) -> Mapping[Path, str]:
    """The files of PAM that this host has, each as it is with the gate first. `config` is where gate.toml is."""
    files = {name: file.read_text() for name in (*LOGINS, *BECOMING) if (file := folder / name).is_file()}
    return {
        folder / name: with_gate(name, text, config)
        for name, text in files.items()
        # It would be asked twice.
        if not any(re.search(rf"^\s*(account\s+include|@include)\s+{other}\s*$", text, re.M) for other in files)
    }


def with_gate(service: str, text: str, config: Path) -> str:
    """A file of PAM with the gate as its first lines, in place of those that it had.

    First, as a line before them could let somebody in without them; and as pam_env(8) may take variables from the
    person, which a program that runs as root must not see. `type=`: so it isn't run at the end of a session, either.
    The number that pam_loginuid(8) gives a login tells what belongs to it.
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
