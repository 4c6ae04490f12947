"""The command lines of the sandbox start nothing by accident."""

import subprocess
import sys
from pathlib import Path

import pytest

from countersign.version import version

ROOT = Path(__file__).parent.parent.parent
MODULES = [
    "sandbox",
    "sandbox.demo",
    "sandbox.slack.tool",
    "sandbox.temporal_server",
    "sandbox.temporal_tool",
    "sandbox.up",
    "sandbox.wireguard_tool",
]
# The argument, the exit code, and what is printed.
HELP = ("-h", 0, "usage: python -m {module}")
VERSION = ("--version", 0, f"countersign {version()}")
WRONG = ("--verison", 2, "usage: python -m {module}")


@pytest.mark.parametrize(
    ("module", "argument", "code", "message"),
    [
        pytest.param(module, *case, marks=[] if module == MODULES[0] or case is WRONG else [pytest.mark.whole])
        for module in MODULES
        for case in (HELP, VERSION, WRONG)
    ],
)
def test_help_the_version_and_what_is_not_known_start_nothing(
    module: str, argument: str, code: int, message: str, tmp_path: Path
) -> None:
    # With nothing on PATH and no cache, an attempt to start or fetch a server fails or says so.
    variables = {"PATH": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", module, argument]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert message.format(module=module).lower() in (done.stdout + done.stderr).lower()
    assert not list(tmp_path.iterdir())
