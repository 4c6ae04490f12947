"""`countersign policy apply` and its versions, against a real portal and worker."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.countersign.installation import COMMAND, POLICY, Installation, Run

CAROL = "  carol: {name: Carol Clark, email: carol@example.test}\n"
WITHOUT_CAROL = POLICY.replace(CAROL, "").replace("members: [carol]", "members: []")
MORE = POLICY.replace(CAROL, CAROL + "  dora: {name: Dora Dunn, email: dora@example.test}\n")


@pytest.fixture(autouse=True)
def policy_as_it_was(by: Run, tmp_path: Path) -> Iterator[None]:
    """Put the usual policy back in force for other tests."""
    yield
    file = written(tmp_path, POLICY)
    assert by("ada", "policy", "apply", file, "--yes").code == 0


def written(folder: Path, text: str) -> Path:
    file = folder / "policy.yaml"
    file.write_text(text)
    return file


def in_force(by: Run) -> int:
    version: int = by("ada", "policy", "show", "--json").json["version"]
    return version


def at_a_terminal(installation: Installation, answer: str, *arguments: str) -> tuple[int, str]:
    """Run `countersign` as ada in a terminal, typing `answer` when it asks; returns the exit code and all output."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=installation.environment("ada")
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
            if shown.rstrip().endswith(b"[y/N]:"):
                os.write(ours, f"{answer}\n".encode())
    except OSError:  # Linux raises it for a terminal that nobody holds open any more
        pass
    finally:
        os.close(ours)
    return process.wait(120), shown.decode()


def test_what_only_adds_is_shown_and_applied_at_once(by: Run, tmp_path: Path) -> None:
    before = in_force(by)
    ran = by("ada", "policy", "apply", written(tmp_path, MORE))
    assert ran.code == 0
    assert ran.out.splitlines() == ["1 person added", "  dora  Dora Dunn", f"Applied as version {before + 1}."]


def test_what_takes_something_away_is_refused_where_nobody_can_be_asked(by: Run, tmp_path: Path) -> None:
    before = in_force(by)
    file = written(tmp_path, WITHOUT_CAROL)
    ran = by("ada", "policy", "apply", file)
    assert ran.code == 2
    # Other tests may have left requests and grants of hers, which would end.
    assert ran.out.splitlines()[:4] == [
        "1 person removed",
        "  carol  Carol Clark",
        "1 user group changed",
        "  finance  members without carol",
    ]
    assert "there is no terminal here to confirm it on. Read what it does, then add --yes." in " ".join(ran.err.split())
    assert in_force(by) == before
    as_json = by("ada", "policy", "apply", file, "--yes", "--json").json
    assert as_json["version"] == before + 1
    assert [part["kind"] for part in as_json["plan"]["parts"]][:2] == ["users_removed", "user_groups_changed"]


def test_a_dry_run_changes_nothing(by: Run, tmp_path: Path) -> None:
    before = in_force(by)
    file = written(tmp_path, WITHOUT_CAROL)
    assert "1 person removed" in by("ada", "policy", "apply", file, "--dry-run").out
    planned = by("ada", "policy", "apply", file, "--dry-run", "--json").json
    assert planned["plan"]["version"] == before
    assert in_force(by) == before
    same = by("ada", "policy", "apply", written(tmp_path, "# new\n" + POLICY), "--dry-run")
    assert (same.code, same.out) == (0, "Nothing changes but the text.\n")


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such terminals")
@pytest.mark.parametrize(("answer", "code", "later"), [("y", 0, 1), ("n", 1, 0), ("", 1, 0)])
def test_who_sits_at_a_terminal_is_asked(
    by: Run, installation: Installation, tmp_path: Path, answer: str, code: int, later: int
) -> None:
    before = in_force(by)
    file = written(tmp_path, WITHOUT_CAROL)
    ended, shown = at_a_terminal(installation, answer, "policy", "apply", str(file))
    assert f"Apply it as version {before + 1}?" in shown
    assert ("Applied" in shown, "Nothing was changed." in shown) == (code == 0, code == 1)
    assert ended == code
    assert in_force(by) == before + later


def test_who_would_lock_themselves_out_reads_so(by: Run, tmp_path: Path) -> None:
    locks_out = POLICY.replace("heidi@example.test}", "heidi@example.test, roles: [admin]}").replace(
        "ada@example.test, roles: [admin]}", "ada@example.test}"
    )
    ran = by("ada", "policy", "apply", written(tmp_path, locks_out))
    assert ran.code == 2
    assert "1 person is no longer an admin\n  ada\n1 person becomes an admin\n  heidi" in ran.out
    assert "You would no longer be an admin: another admin would have to apply the next policy." in ran.out


def test_grants_that_would_not_be_given_are_named(by: Run, installation: Installation, tmp_path: Path) -> None:
    number = by("alice", "request", next(installation.devices), "ssh", "--json").json["approval_id"]
    assert by("grace", "approve", number).code == 0
    shorter = written(tmp_path, POLICY.replace("\ngrant_minutes: 120", "\ngrant_minutes: 60"))
    ran = by("ada", "policy", "apply", shorter, "--dry-run")
    assert "would not give; they continue (--end-grants ends them)" in ran.out
    assert f"#{number} alice" in ran.out
    assert "would not give; they end" in by("ada", "policy", "apply", shorter, "--dry-run", "--end-grants").out
    ran = by("ada", "policy", "apply", shorter, "--end-grants", "--yes")
    assert ran.code == 0
    ended = by("alice", "watch", number)  # until its grant is over
    assert ended.code == 0
    version = in_force(by)
    shown = by("alice", "show", number, "--json").json["grant"]
    assert shown["words"].startswith(f"Revoked by ada: Policy version {version} would not give it.")


def test_versions_are_listed_compared_and_rolled_back(by: Run, tmp_path: Path) -> None:
    first = in_force(by)
    assert by("ada", "policy", "apply", written(tmp_path, MORE)).code == 0
    listed = by("ada", "policy", "list", "--limit", "2")
    assert [line.split()[0] for line in listed.out.splitlines()] == ["version", str(first + 1), str(first)]
    assert listed.out.splitlines()[1].endswith("ada  in force")
    assert [one["version"] for one in by("ada", "policy", "list", "--limit", "2", "--json").json] == [first + 1, first]
    compared = by("ada", "policy", "diff", first)
    assert compared.out.splitlines()[:2] == [f"--- version {first}", f"+++ version {first + 1}"]
    assert "+  dora: {name: Dora Dunn, email: dora@example.test}" in compared.out.splitlines()
    assert by("ada", "policy", "diff", first, first).out == ""
    refused = by("ada", "policy", "roll-back", first)
    assert (refused.code, refused.out.splitlines()[0]) == (2, "1 person removed")
    back = by("ada", "policy", "roll-back", first, "--yes")
    assert back.out.splitlines()[-1] == f"Applied as version {first + 2}."
    assert by("ada", "policy", "show").out.strip() == POLICY.strip()
    assert by("ada", "policy", "show", first + 1).out.strip() == MORE.strip()
    missing = by("ada", "policy", "show", first + 100)
    assert (missing.code, missing.err) == (5, f"Not found: There is no policy version {first + 100}.\n")
    assert by("alice", "policy", "list").code == 3
