"""`countersign policy check`, which needs nothing but the file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.countersign.installation import COMMAND, Run

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "examples" / "policy.yaml"


def written(folder: Path, text: str) -> Path:
    file = folder / "policy.yaml"
    file.write_text(text)
    return file


def test_a_right_policy_is_counted(command: Run) -> None:
    ran = command("policy", "check", EXAMPLE)
    assert ran.code == 0
    assert ran.out == "Right: 9 users, 3 user groups, 4 device groups, 5 devices, 2 approval workflows.\n"
    assert ran.err == ""


def test_with_json_a_right_policy_has_no_problems(command: Run) -> None:
    ran = command("policy", "check", EXAMPLE, "--json")
    assert (ran.code, ran.json["problems"], ran.json["users"]) == (0, [], 9)


def test_a_right_policy_may_still_be_warned_of(command: Run, tmp_path: Path) -> None:
    rule = "\n  - name: All\n    action: allow\n    include: {everyone: true}\n"
    file = written(tmp_path, f"enrolment:{rule}{EXAMPLE.read_text()}")
    ran = command("policy", "check", file)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("Warning: line 4: enrolment[0].include.everyone: lets everybody in")
    assert ran.out.endswith("2 approval workflows, 1 enrolment rules.\n")
    [warning] = command("policy", "check", file, "--json").json["warnings"]
    assert warning.startswith("line 4: enrolment[0].include.everyone: lets everybody in")


def test_each_mistake_is_named_with_its_line(command: Run, tmp_path: Path) -> None:
    file = written(tmp_path, "users:\n  grace: {name: Grace}\ndevice_group: {}\n")
    ran = command("policy", "check", file)
    assert ran.code == 2
    assert ran.out == ""
    assert "the policy has 2 mistakes:" in ran.err
    assert "line 2: users.grace.email: is missing; add it" in ran.err
    assert "line 3: device_group: is not a field here; did you mean device_groups?" in ran.err


def test_with_json_the_mistakes_are_a_list_in_a_problem(command: Run, tmp_path: Path) -> None:
    ran = command("policy", "check", written(tmp_path, "users:\n  grace: {name: Grace}\n"), "--json")
    assert ran.code == 2
    assert ran.err == ""
    assert ran.json["problems"] == ["line 2: users.grace.email: is missing; add it"]
    assert (ran.json["title"], ran.json["exit_code"]) == ("Bad input", 2)


def test_what_a_policy_holds_steers_no_terminal(command: Run, tmp_path: Path) -> None:
    hostile = 'users:\n  g: {name: G, email: "\\e]0;owned\\a\\u202e[red]x[/red]"}\n'
    ran = command("policy", "check", written(tmp_path, hostile))
    assert ran.code == 2
    assert "\x1b" not in ran.err
    assert "\u202e" not in ran.err
    assert "[red]x[/red]" in ran.err


def test_standard_input_is_read_for_a_dash() -> None:
    done = subprocess.run([COMMAND, "policy", "check", "-"], input=EXAMPLE.read_bytes(), capture_output=True)
    assert (done.returncode, done.stdout[:6]) == (0, b"Right:")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"users: \xff\n", "line 1, column 8: this byte is not UTF-8; save the file as UTF-8"),
        (b"users: [\n", "line 1, column 8: the `[` that opens here is not closed"),
    ],
)
def test_what_is_no_policy_is_said_in_words(command: Run, tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(content)
    ran = command("policy", "check", file)
    assert ran.code == 2
    assert message in " ".join(ran.err.split())


def test_a_file_that_cannot_be_read_is_named(command: Run, tmp_path: Path) -> None:
    for file, message in ((tmp_path / "none.yaml", "No such file"), (tmp_path, "Is a directory")):
        ran = command("policy", "check", file)
        assert ran.code == 2
        assert message in ran.err
    assert command("policy", "check", "nul\0").code == 2


def test_a_policy_is_applied_only_when_it_is_right(command: Run, tmp_path: Path) -> None:
    # Nobody listens at this address: the mistake is found before anything is sent.
    ran = command("policy", "apply", written(tmp_path, "users: 3\n"), "--url", "http://127.0.0.1:9")
    assert ran.code == 2
    assert "line 1: users" in ran.err
