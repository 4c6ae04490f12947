"""Coverage of `countersign-gate` on a host of the tests: sshd and PAM start it with an environment of their own."""

import os
from pathlib import Path

from sandbox.ssh_hosts import Host
from tests.countersign.installation import COMMAND

# The variable by which coverage tells the programs that a test starts how to measure themselves.
VARIABLE = "COVERAGE_PROCESS_CONFIG"
BEFORE = """
import os
import coverage
os.environ["{variable}"] = "{value}"
coverage.process_startup()
"""
PLACE = "/run/countersign-gate-measured"


def measured() -> dict[str, str]:
    """The variables that a program needs in its environment to be measured as this one is."""
    return {VARIABLE: os.environ[VARIABLE]} if VARIABLE in os.environ else {}


def measure(host: Host) -> None:
    """Have `countersign-gate` measured on this host, if this program is measured."""
    if not (environment := measured()):
        return
    program = Path(COMMAND).with_name("countersign-gate")
    first, rest = program.read_text().split("\n", 1)
    before = BEFORE.format(variable=VARIABLE, value=environment[VARIABLE])
    host.write(PLACE, f"{first}\n{before}\n{rest}", 0o755)
    host.run("mount", "--bind", PLACE, str(program))
