"""`make up`: everything of the Procfile that the settings don't name elsewhere, until Ctrl-C; state is kept in var/."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from honcho.environ import parse_procfile
from honcho.manager import Manager

from sandbox.mail_settings import kept_mail_keys, mail_settings
from settings import Settings

ROOT = Path(__file__).parent.parent
STATE = ROOT / "var"
SMTP_PORT = 8025
IMAP_PORT = 8143
# What honcho returns after Ctrl-C and SIGTERM: we were asked to end, and did.
ASKED_TO_END = {128 + signal.SIGINT, 128 + signal.SIGTERM}


def processes(settings: Settings, procfile: str) -> dict[str, str]:
    """What to run, by name: a Temporal or mail server that the settings name is not started."""
    elsewhere = set()
    if "temporal_address" in settings.model_fields_set:
        elsewhere.add("temporal")
    if settings.smtp_host or settings.imap_host:
        elsewhere.add("mail")
    return {name: line for name, line in parse_procfile(procfile).processes.items() if name not in elsewhere}


def environment(settings: Settings, state: Path) -> dict[str, str]:
    """What the processes are told: this Python, the sandbox's mail server where there is no other."""
    told = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",
    }
    if not (settings.smtp_host or settings.imap_host):
        smtp_port = int(told.setdefault("COUNTERSIGN_SANDBOX_SMTP_PORT", str(SMTP_PORT)))
        imap_port = int(told.setdefault("COUNTERSIGN_SANDBOX_IMAP_PORT", str(IMAP_PORT)))
        told |= mail_settings(smtp_port, imap_port, kept_mail_keys(state / "mail_keys"))
    return told


def run(commands: dict[str, str], told: dict[str, str], folder: Path) -> int:
    """Run all until Ctrl-C, or until one of them ends, which ends the others; returns the exit code."""
    manager = Manager()
    for name, command in commands.items():
        manager.add_process(name, command, env=told, cwd=str(folder))
    # honcho starts each process in a session of its own: a closed terminal would leave them running.
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    manager.loop()
    return 0 if manager.returncode in ASKED_TO_END else manager.returncode or 1


def main() -> None:
    """The command line: `python -m sandbox.up`."""
    os.chdir(ROOT)
    settings = Settings()
    sys.exit(run(processes(settings, (ROOT / "Procfile").read_text()), environment(settings, STATE), ROOT))


if __name__ == "__main__":
    main()
