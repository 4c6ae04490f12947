"""The command line installs from the wheel alone: without Temporal's SDK, the server's parts or this checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
BLOCKED = ("temporalio", "sqlalchemy", "fastapi", "jinja2", "slack_sdk", "aiohttp", "store", "notifiers", "settings")
# What the wheel itself does not require can't be imported, as if it were not installed.
RUN = f"""
import sys
for name in {BLOCKED!r}:
    sys.modules[name] = None
from countersign.cli import main
import countersign
assert countersign.__path__[0].startswith(sys.argv[1]), countersign.__path__
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built and unpacked as pip does."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    unpacked = folder / "site"
    with zipfile.ZipFile(built) as archive:
        archive.extractall(unpacked)
    return unpacked


def test_temporal_is_wanted_by_extras_alone(wheel: Path) -> None:
    [metadata] = wheel.glob("*.dist-info/METADATA")
    fields = message_from_string(metadata.read_text())
    wanted = fields.get_all("Requires-Dist") or []
    assert [one for one in wanted if one.startswith("temporalio")]
    assert not [one for one in wanted if one.startswith("temporalio") and "extra ==" not in one]
    assert {"temporal", "server"} <= set(fields.get_all("Provides-Extra") or [])


def run(wheel: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", RUN, str(wheel), *words]
    policy = wheel.parent / "policy.yaml"
    policy.write_text((ROOT / "examples" / "policy.yaml").read_text())
    environment = {"PYTHONPATH": str(wheel), "HOME": str(wheel.parent)}
    return subprocess.run(command, env=environment, cwd=wheel.parent, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["request", "-h"],
        ["policy", "check", "policy.yaml"],
        *(["gate", "install", gate] for gate in ("service", "ssh", "pam", "http")),
    ],
)
def test_the_command_line_runs_from_the_wheel(wheel: Path, words: list[str]) -> None:
    done = run(wheel, *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("gate serve --config gate.toml", "gate.toml can't be read"),
        (
            "gate check tcp://127.0.0.1:1 --device db-1 --protocol ssh --person alice --url http://127.0.0.1:1",
            "reached",
        ),
        ("connect db-1", "--bastion is missing"),
        ("give-back 1042 --url http://127.0.0.1:1", "can't be reached"),
    ],
)
def test_what_gates_and_their_people_run_needs_nothing_else(wheel: Path, words: str, message: str) -> None:
    """All that it imports is there: it gets as far as saying what is wrong with the command."""
    done = run(wheel, *words.split())
    assert (done.returncode in {2, 4}, message in done.stderr) == (True, True), done.stderr
