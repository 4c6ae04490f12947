"""The demo as a person runs it: the whole story, and what is printed when something in it does not happen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

import pytest

from sandbox.demo.__main__ import POLICY
from sandbox.demo.processes import ROOT
from sandbox.slack.tool import NoSlack, check_isolation, find_slack
from sandbox.ssh_hosts import NoSsh, check_ssh

# The demo waits until a one-minute deadline of the policy passes, and a busy machine adds to that.
WHOLE_STORY_SECONDS = 300
DEADLINE_SECONDS = 240
COMMAND = [sys.executable, "-m", "sandbox.demo"]
SCENES = [
    ("1. A manager approves", "#1002", "Approved"),
    ("2. Two levels, two people", "#1003", "Approved"),
    ("3. Rejected", "#1004", "Rejected"),
    ("4. A manager's own request", "#1005", "Approved"),
    ("5. The worker is killed", "#1006", "Approved"),
    ("6. Somebody else answers", "#1007", "Cancelled"),
    ("7. Asking again", "#1002", "Approved"),
    ("8. Approved on a page", "#1008", "Approved"),
    ("9. Given back", "#1008", "Ended"),
    ("10. A new device", "#1009", "Blocked"),
    ("11. Too late", "#1001", "Expired"),
]
SCENES_WITH_SLACK = [
    *SCENES[:-1],
    ("11. Approved by a click", "#1010", "Approved"),
    ("12. By mail and in Slack", "#1011", "Rejected"),
    ("13. Who isn't asked", "#1012", "Cancelled"),
    ("14. Taken back", "#1010", "Revoked"),
    ("15. Too late", "#1001", "Expired"),
]
ON_PAGES = [
    "Grace opens the link, presses [ Sign in ], and reads “Request #1008”",
    "Grace types “Only the dump, please.” and presses [ Approve ]",
    "answered grace by portal: approved: Only the dump, please.",
    "Alice types “Done” and presses [ Give it back ]",
]
IN_SLACK = [
    "Alice types /connect lab-1 ssh 60m disk full",
    "Slack: to Grace ─",
    "[ Approve ] [ Approve with comment ] [ Reject ]",
    "Grace presses [ Approve ] and confirms “Approve #1010?",
    "Every message about #1010 says “Approved” now, and can no longer be answered: Grace, Alice.",
    "Heidi Huber approved at level 2 by email",
    "Slack: Ivan's form, “Reject #1011” ─",
    "Rejected by Ivan Ivanov: you may not connect",
    "Slack: to #web ─",
    "Mallory alone is told: “You are not asked about #1012.”",
    "answer refused mallory by slack",
    "Slack: Grace's Home page ─",
    "Grace presses [ Revoke ] and confirms “Revoke #1010?",
]


def play(policy: Path = POLICY, seconds: float = DEADLINE_SECONDS) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "--policy", str(policy)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)


def children_of(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-A", "-o", "ppid=,pid="], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    return [child for parent, child in pairs if parent == pid]


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def slack_can_be_had() -> bool:
    try:
        check_isolation()
        find_slack()
    except NoSlack:
        return False
    return True


def ssh_can_be_had() -> bool:
    try:
        check_ssh()
    except NoSsh:
        return False
    return True


def scenes(with_slack: bool, with_ssh: bool) -> list[tuple[str, str, str]]:
    expected = SCENES_WITH_SLACK if with_slack else SCENES
    if not with_ssh:
        return expected
    bastion = (f"{len(expected)}. Through a bastion", "#1013" if with_slack else "#1010", "Revoked")
    return [*expected[:-1], bastion, (f"{len(expected) + 1}. Too late", "#1001", "Expired")]


@pytest.mark.whole
@pytest.mark.timeout(WHOLE_STORY_SECONDS + 20)
def test_the_whole_story_happens() -> None:
    with_slack = slack_can_be_had()
    played = play(seconds=WHOLE_STORY_SECONDS)
    assert played.returncode == 0, played.stdout
    story, _, closing = played.stdout.partition("What happened ─")
    rows = [" ".join(line.split()) for line in closing.splitlines()]
    for scene in scenes(with_slack, ssh_can_be_had()):
        assert any(row.startswith(" ".join(scene)) for row in rows), scene
    text = " ".join(story.replace("│", " ").split())
    for line in ON_PAGES + (
        IN_SLACK if with_slack else ["The scenes in Slack are left out. No Slack to test against: "]
    ):
        assert line in text
    assert "All of it happened" in closing
    assert max(map(len, played.stdout.splitlines())) <= 80


@pytest.mark.whole
def test_without_slack_the_reason_is_said_and_the_story_goes_on(tmp_path: Path, temporal_tool: Path) -> None:
    cache = tmp_path / "countersign" / "bin"
    cache.mkdir(parents=True)
    (cache / "temporal").symlink_to(temporal_tool)
    nothing = os.environ | {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    with subprocess.Popen(COMMAND, cwd=ROOT, env=nothing, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout
        lines = list(takewhile(lambda line: not line.startswith("1. A manager approves"), demo.stdout))
        demo.send_signal(signal.SIGINT)
        rest, _ = demo.communicate(timeout=DEADLINE_SECONDS)
    assert demo.returncode == 130
    output = " ".join("".join(lines).split())
    assert "The scenes in Slack are left out. No Slack to test against: " in output
    assert "outcome #1001 waits, until" in output
    assert "Ended early" in rest


@pytest.mark.parametrize(
    ("spoil", "scene", "problem"),
    [
        pytest.param(
            lambda policy: policy.replace("managers: [grace]", "managers: [heidi]"),
            "1. A manager approves",
            "“noticed heidi”, and should say “noticed grace”",
            id="somebody else is the manager",
            marks=pytest.mark.whole,
        ),
        pytest.param(
            lambda policy: policy.replace(
                "approval_status_change_to_expire: 1\n", "approval_status_change_to_expire: 2\n"
            ),
            "A question that nobody will answer",
            "#1001 expires after 2 minutes, not after 1",
            id="it expires later",
            marks=pytest.mark.whole,
        ),
        pytest.param(lambda policy: policy + "typo: 1\n", "Before the first scene", "typo", id="no policy at all"),
    ],
)
def test_what_does_not_happen_is_named_loudly(
    tmp_path: Path, spoil: Callable[[str], str], scene: str, problem: str
) -> None:
    spoiled = tmp_path / "policy.yaml"
    spoiled.write_text(spoil(POLICY.read_text()))
    assert spoiled.read_text() != POLICY.read_text()
    played = play(spoiled)
    output = " ".join(played.stdout.replace("│", " ").split())
    assert played.returncode == 1
    assert "THE DEMO FAILED ─" in output
    assert scene in output.partition("THE DEMO FAILED")[2]
    assert problem in output
    assert "All of it happened" not in output
    is_worker_up = scene != "Before the first scene"
    assert ("worker: ready: " in played.stdout.partition("The end of the worker's log:")[2]) == is_worker_up


@pytest.mark.parametrize("sent", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.whole)])
def test_it_ends_early_and_leaves_nothing_running(sent: signal.Signals) -> None:
    with subprocess.Popen(COMMAND, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        assert demo.stdout
        assert any("asks to connect" in line for line in demo.stdout)
        children = children_of(demo.pid)
        demo.send_signal(sent)
        demo.send_signal(sent)
        output, _ = demo.communicate(timeout=DEADLINE_SECONDS)
    assert demo.returncode == 130
    assert output.splitlines()[-1].strip() == "Ended early; nothing is left running."
    assert "Traceback" not in output
    assert children
    assert all(map(is_gone, children))


def test_a_policy_that_is_not_there_is_a_wrong_command() -> None:
    played = play(Path("nowhere.yaml"))
    assert played.returncode == 2
    assert "nowhere.yaml: No such file or directory" in played.stderr
