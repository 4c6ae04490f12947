"""devices, who-approves and the completion of devices, against a real portal."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from sandbox.temporal_server import free_port
from tests.countersign.installation import COMMAND, DEVICES, OPEN, TWO_LEVELS, Installation, Run


def test_devices_are_listed_with_their_protocols(by: Run) -> None:
    ran = by("alice", "devices", "cli-two")
    assert (ran.code, ran.out.split()) == (0, [TWO_LEVELS, "ssh,", "sftp,", "rdp,", "http"])
    assert [one["device"] for one in by("alice", "devices", "cli-", "--limit", "500", "--json").json] == sorted(
        [*DEVICES, TWO_LEVELS, OPEN]
    )
    assert by("alice", "devices", "no-such").out.strip() == "There is no such device that you may ask for."


def test_who_approves_names_each_level_and_says_why(by: Run) -> None:
    ran = by("alice", "who-approves", TWO_LEVELS, "ssh")
    assert ran.code == 0
    assert "Grace Hopper must agree, then Heidi Huber or Ivan Ivanov: approval workflow Engineers to" in ran.out
    assert "manager of databases" in ran.out
    assert by("ada", "who-approves", OPEN, "ssh", "--for", "carol").out.startswith("Approved at once: nobody requires")
    refused = by("alice", "who-approves", "no-such-device", "ssh", "--json")
    assert (refused.code, refused.json["outcome"]) == (1, "refused")
    assert by("alice", "who-approves", TWO_LEVELS, "ssh", "--for", "bob").code == 3


def completed(typed: str, tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    words = f"countersign request {typed}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")}
    asked = {"_COUNTERSIGN_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "2"}
    return subprocess.run(
        [COMMAND],
        env=environment | asked | {"XDG_CACHE_HOME": str(tmp_path)} | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_shell_completes_devices_and_asks_once_for_the_same(installation: Installation, tmp_path: Path) -> None:
    at = {"COUNTERSIGN_URL": installation.url, "COUNTERSIGN_TOKEN": installation.tokens["alice"]}
    first = completed("cli-o", tmp_path, **at)
    assert (first.stdout.split(), first.stderr) == ([OPEN], "")
    kept = tmp_path / "countersign" / "devices.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert installation.tokens["alice"] not in kept.read_text()
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"devices": ["cli-of-the-file"]}))
    assert completed("cli-o", tmp_path, **at).stdout.split() == ["cli-of-the-file"]
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"at": 0}))
    assert completed("cli-o", tmp_path, **at).stdout.split() == [OPEN]


@pytest.mark.parametrize("token", ["", "cs_000000000000_" + "0" * 64, "not a token"])
def test_completion_says_nothing_where_it_can_not_ask(installation: Installation, tmp_path: Path, token: str) -> None:
    ran = completed("cli-", tmp_path, COUNTERSIGN_URL=installation.url, COUNTERSIGN_TOKEN=token)
    assert (ran.stdout.strip(), ran.stderr) == ("", "")
    away = completed("cli-", tmp_path, COUNTERSIGN_URL=f"http://127.0.0.1:{free_port()}", COUNTERSIGN_TOKEN=token)
    assert (away.stdout.strip(), away.stderr) == ("", "")
