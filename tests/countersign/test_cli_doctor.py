"""`countersign doctor`: problems come first, each with its remedy, and the exit code says if there are any."""

from __future__ import annotations

import pytest

from countersign.cli.doctor import page
from countersign.views import Finding
from tests.countersign.installation import Run
from tests.countersign.scripted import Server
from tests.countersign.test_cli_pages import printed

WORDS = "the app lacks the scope im:write: install it again from the manifest"
PROBLEM = {"part": "Slack", "state": "problem", "about": "scopes", "words": WORDS}
WARNING = {"part": "Slack", "state": "warning", "about": "grace", "words": "will be asked by another channel instead"}
WELL = {"part": "database", "state": "ok", "about": "database", "words": "can be reached"}


def test_a_real_installation_is_looked_at(by: Run) -> None:
    ran = by("ada", "doctor", "--json")
    found = {one["about"]: one["state"] for one in ran.json}
    assert found["worker"] == "ok"
    assert ran.code == ("problem" in found.values())
    assert ran.err == ""
    said = by("ada", "doctor")
    assert said.code == ran.code
    assert "sends by email" in said.out
    assert by("alice", "doctor").code == 3


@pytest.mark.parametrize(
    ("found", "code", "last"),
    [
        ([PROBLEM, WARNING, WELL], 1, "1 problem and 1 warning."),
        ([PROBLEM, PROBLEM, WELL], 1, "2 problems."),
        ([WARNING, WELL], 0, "1 warning."),
        ([WELL], 0, "All is well."),
    ],
)
def test_a_problem_is_told_apart_from_a_warning(
    server: Server, command: Run, found: list[dict[str, str]], code: int, last: str
) -> None:
    server.will_say(200, found)
    ran = command("doctor", "--url", server.url)
    assert ran.code == code
    assert ran.out.splitlines()[-1] == last
    server.will_say(200, found)
    assert command("doctor", "--url", server.url, "--json").json == found


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_every_word_of_a_remedy_can_be_read(columns: int) -> None:
    shown = printed(page([Finding.model_validate(PROBLEM | {"about": "[red]x[/red]"})]), columns)
    assert "[red]" in shown.replace("\n", "")
    assert max(map(len, shown.splitlines())) <= columns
    assert set(WORDS.split()) <= set(shown.split()), shown


def test_in_a_pipe_each_finding_is_one_line_and_steers_no_terminal(server: Server, command: Run) -> None:
    server.will_say(200, [PROBLEM | {"about": "x\x1b[31m"}])
    ran = command("doctor", "--url", server.url)
    assert "\x1b" not in ran.out
    assert WORDS in ran.out.splitlines()[0]


def test_a_portal_that_is_away_is_no_verdict_on_its_parts(command: Run) -> None:
    assert command("doctor", "--url", "http://127.0.0.1:1").code == 4
