"""`countersign` against a real portal, worker and Temporal server: what it does, prints and ends with."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from countersign.version import version
from tests.commands import COMMAND_LINES, commands
from tests.countersign.installation import OPEN, POLICY, TWO_LEVELS, Installation, Run


def opened(by: Run, installation: Installation, who: str = "alice", *options: str) -> int:
    """A new request of somebody that waits for grace."""
    ran = by(who, "request", next(installation.devices), "ssh", *options, "--json")
    assert (ran.code, ran.json["status"]) == (0, "Waiting"), ran
    number: int = ran.json["approval_id"]
    return number


def approved(by: Run, installation: Installation) -> int:
    number = opened(by, installation)
    assert by("grace", "approve", number).code == 0
    return number


# --- asking ---------------------------------------------------------------------------------------------------------


def test_a_request_says_its_number_whom_it_waits_for_and_how_long(by: Run, installation: Installation) -> None:
    device = next(installation.devices)
    ran = by("alice", "request", device, "ssh", "--reason", "nightly backup", "--ticket", "CHG-7", "--minutes", "30")
    assert ran.code == 0
    assert "Waiting, expires in 59 minutes" in ran.out
    assert f"Alice Ainsworth to {device} by ssh" in ran.out
    assert "Grace Hopper" in ran.out
    number = ran.out.split()[0]
    question = by("alice", "show", number, "--json").json["question"]
    assert question["reason"] == "nightly backup"
    assert (question["ticket"], question["minutes"]) == ("CHG-7", 30)


def test_asking_again_joins_the_open_request(by: Run, installation: Installation) -> None:
    device = next(installation.devices)
    first = by("alice", "request", device, "ssh", "--reason", "deploy", "--json").json
    again = by("alice", "request", device, "ssh", "--reason", "backup")
    assert (first["joined"], again.code) == (False, 0)
    said = " ".join(again.out.split())
    assert f"#{first['approval_id']} was asked for before and waits: 2 hours, with the reason “deploy”." in said
    assert "What you say now is on record and changes nothing" in said
    assert f"#{first['approval_id']} Waiting" in again.out


def test_what_nobody_has_to_approve_is_yes_at_once(by: Run) -> None:
    ran = by("carol", "request", OPEN, "ssh")
    assert ran.code == 0
    assert "Approved at once" in ran.out
    assert "Grant: Active until" in ran.out
    again = by("bastion", "request", OPEN, "ssh", "--for", "carol", "--json")
    assert (again.code, again.json["joined"], again.json["grant"]["status"]) == (0, True, "Active")


def test_who_names_no_address_is_told_that_gates_refuse_the_grant_and_how_to_name_one(
    by: Run, installation: Installation
) -> None:
    device, address = next(installation.devices), ["--source-address", "192.0.2.9"]
    ran = by("alice", "request", device, "ssh")
    told = " ".join(ran.err.split())
    number = told.partition(" ")[0].removeprefix("#")
    assert "names no source address, so a gate that knows where you connect from refuses it." in told
    assert f"`countersign cancel {number}`, then name the address with --source-address, or just connect" in told
    joined = " ".join(by("alice", "request", device, "ssh", *address).err.split())
    assert f"#{number} was asked for without a source address, so it will not let you in from here" in joined
    by("alice", "cancel", number)
    assert by("alice", "request", device, "ssh", *address).err == ""
    given = " ".join(by("carol", "request", OPEN, "sftp").err.split())
    assert "`countersign give-back " in given


def test_a_renewal_is_asked_for_while_a_grant_lasts(by: Run, installation: Installation) -> None:
    device, address = next(installation.devices), ["--source-address", "192.0.2.9"]
    first = by("alice", "request", device, "ssh", *address, "--json").json["approval_id"]
    assert by("grace", "approve", first).code == 0
    ran = by("alice", "request", device, "ssh", "--renew", "--json")
    assert (ran.code, ran.json["joined"], ran.json["source_address"]) == (0, False, "192.0.2.9")
    assert f"Goes on after #{first}, " in " ".join(by("alice", "show", ran.json["approval_id"]).out.split())


def test_a_protocol_may_be_written_in_any_case(by: Run, installation: Installation) -> None:
    ran = by("alice", "request", next(installation.devices), "SSH", "--json")
    assert by("alice", "show", ran.json["approval_id"], "--json").json["question"]["protocol"] == "ssh"


def test_a_refused_question_ends_with_1_and_says_why(by: Run) -> None:
    ran = by("alice", "request", "nowhere", "ssh")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("No: nowhere is in no device group")
    problem = by("alice", "request", "nowhere", "ssh", "--json")
    assert problem.code == 1
    assert problem.err == ""
    assert problem.json["title"] == "The answer is no"
    assert problem.json["exit_code"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["request", "a b", "ssh"], "DEVICE 'a b' is not an id: use lower-case letters"),
        (["request", "web", "telnet"], "Invalid value for 'PROTOCOL': 'telnet' is not one of 'ssh'"),
        (["request", "web", "ssh", "--minutes", "0"], "Invalid value for '--minutes'"),
        (
            ["request", "web", "ssh", "--source-address", "home"],
            "--source-address 'home' does not appear to be an IPv4",
        ),
        (["request", "web", "ssh", "--ticket", "x" * 200], "--ticket is too long; use at most 128 characters"),
        (
            ["request", "web"],
            "Missing argument 'PROTOCOL'. Choose from: ssh, sftp, rdp, http. See `countersign request --help`.",
        ),
        (["show", "twelve"], "'twelve' is not an approval id; give the request's number"),
        (["show", "0"], "'0' is not an approval id"),
        (["list", "--status", "waitin"], "Invalid value for '--status'"),
        (["list", "--limit", "0"], "Invalid value for '--limit'"),
        (["lst"], "No such command 'lst'"),
        (["list", "--stat", "Waiting"], "No such option: --stat"),
    ],
)
def test_bad_input_ends_with_2_and_names_the_field(by: Run, arguments: list[str], message: str) -> None:
    ran = by("alice", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in " ".join(ran.err.split())
    assert by("alice", *arguments, "--json").json["exit_code"] == 2


def test_a_gateway_must_say_who_wants_to_connect(by: Run, installation: Installation) -> None:
    device = next(installation.devices)
    ran = by("bastion", "request", device, "ssh")
    assert ran.code == 3
    assert "Name who wants to connect with --for." in ran.err
    assert by("bastion", "request", device, "ssh", "--for", "alice").code == 0
    assert by("bastion", "request", device, "rdp", "--for", "alice").code == 3


def test_who_may_not_ask_for_others_is_told_of_the_option(by: Run, installation: Installation) -> None:
    ran = by("alice", "request", next(installation.devices), "ssh", "--for", "bob")
    assert ran.code == 3
    assert "leave --for out" in ran.err


# --- answering ------------------------------------------------------------------------------------------------------


def test_an_approval_is_shown_with_who_gave_it_and_its_comment(by: Run, installation: Installation) -> None:
    number = opened(by, installation, "bob")
    ran = by("grace", "approve", number, "go ahead [b]now[/b]")
    assert ran.code == 0
    assert f"#{number} Approved  Approved by Grace Hopper." in ran.out
    shown = by("bob", "show", number).out
    assert "Bob [red]Baker[/red] to " in shown
    assert "go ahead [b]now[/b]" in shown
    assert "Active until" in shown
    assert "answered" in shown
    assert "approved: go ahead" in shown


def test_two_levels_pass_one_after_the_other(by: Run) -> None:
    number = by("alice", "request", TWO_LEVELS, "ssh", "--json").json["approval_id"]
    waiting = by("alice", "show", number).out
    assert "Level 1 of 2: 0 of 1 approved" in waiting
    assert "Level 2 of 2: not started" in waiting
    assert "Level 2 of 2: 0 of 1 approved" in by("grace", "approve", number).out
    assert "Level 1 of 2: passed" in by("alice", "show", number).out
    # Somebody who approved a passed level may still reject while the request waits (rule 2).
    back = by("grace", "reject", number, "I was wrong")
    assert back.code == 0
    assert "Rejected by Grace Hopper: I was wrong" in back.out


def test_an_answer_that_does_not_count_ends_with_1(by: Run, installation: Installation) -> None:
    number = opened(by, installation)
    own = by("alice", "approve", number)
    assert (own.code, own.err) == (1, "No: Nobody may decide on their own request.\n")
    assert by("grace", "reject", number, "no").code == 0
    late = by("grace", "approve", number, "--json")
    assert late.code == 1
    assert "already Rejected" in late.json["detail"]


def test_a_request_is_cancelled_by_its_requester_only(by: Run, installation: Installation) -> None:
    number = opened(by, installation)
    assert by("grace", "cancel", number).code == 3
    ran = by("alice", "cancel", number, "not needed", "--json")
    assert (ran.code, ran.json["status"]) == (0, "Cancelled")
    assert by("alice", "cancel", number).code == 1


def test_a_gateway_cancels_what_it_alone_asked_for(by: Run, installation: Installation) -> None:
    number = by("bastion", "request", next(installation.devices), "ssh", "--for", "alice", "--json").json["approval_id"]
    ran = by("bastion", "cancel", number, "the connection was closed", "--json")
    assert (ran.code, ran.json["words"]) == (0, "Cancelled by Gateway bastion: the connection was closed")


def test_what_is_written_about_a_request_is_shown(by: Run, installation: Installation) -> None:
    number = opened(by, installation)
    assert by("grace", "comment", number, "What is\nthis about?").code == 0
    assert by("alice", "comment", number, "A backup.", "--json").json["status"] == "Waiting"
    assert by("grace", "comment", number, " ").code == 2
    shown = " ".join(by("grace", "show", number).out.split())
    assert "inquired Grace Hopper by portal: What is this about?" in shown
    assert "commented Alice Ainsworth by portal: A backup." in shown


def test_a_grant_is_revoked_by_who_was_asked(by: Run, installation: Installation) -> None:
    number = approved(by, installation)
    assert by("alice", "revoke", number).code == 3
    ran = by("grace", "revoke", number, "enough")
    assert ran.code == 0
    assert ran.out.startswith(f"#{number} Revoked  Revoked by Grace Hopper: enough\n")
    assert "it would have lasted until" in ran.out
    shown = by("alice", "show", number).out
    assert shown.startswith(f"#{number} Revoked  Revoked by Grace Hopper: enough\n")
    assert "  Grant    Revoked " in shown
    assert "grant ended" in shown
    assert "grant_ended" not in shown
    [row] = [row for row in by("alice", "list").out.splitlines() if row.startswith(str(number))]
    assert row.split()[1] == "Revoked"
    assert by("grace", "revoke", number).code == 1


def test_a_grant_is_given_back_by_who_holds_it(by: Run, installation: Installation) -> None:
    number = approved(by, installation)
    assert by("grace", "give-back", number).code == 3
    ran = by("alice", "give-back", number, "done")
    assert ran.code == 0
    said = " ".join(ran.out.split())
    assert "Grant: Ended " in said
    assert "it would have lasted until" in said
    assert "Given back by Alice Ainsworth: done" in said
    assert by("alice", "give-back", number).code == 1


def test_who_may_not_see_a_request_is_told_that_there_is_none(by: Run, installation: Installation) -> None:
    number = opened(by, installation)
    for words in (["show", number], ["approve", number], ["watch", number]):
        ran = by("carol", *words)
        assert ran.code == 5
        assert ran.err == f"Not found: There is no request #{number}.\n"


# --- reading --------------------------------------------------------------------------------------------------------


def test_the_list_shows_what_waits_for_whom(by: Run, installation: Installation) -> None:
    waits, over = opened(by, installation), approved(by, installation)
    rows = {row.split()[0]: row for row in by("alice", "list", "--mine").out.splitlines()}
    assert "Waiting" in rows[str(waits)]
    assert "Alice Ainsworth" in rows[str(waits)]
    assert "Grace Hopper" in rows[str(waits)]
    assert "in 59 minutes" in rows[str(waits)]
    assert "ends in 1 hour 59 minutes" in rows[str(over)]
    to_approve = by("grace", "list", "--to-approve", "--limit", "200", "--json").json
    assert waits in [one["approval_id"] for one in to_approve]
    assert over not in [one["approval_id"] for one in to_approve]
    deadlines = [one["deadline"] for one in to_approve]
    assert deadlines == sorted(deadlines)
    assert by("grace", "list", "--to-approve", "--limit", "1", "--json").json == to_approve[:1]
    assert by("grace", "list", "--to-approve", "--mine").out == "Nothing waits for your answer.\n"
    assert {one["status"] for one in by("grace", "list", "--status", "approved", "--json").json} == {"Approved"}
    assert len(by("alice", "list", "--limit", "1", "--json").json) == 1
    assert by("carol", "list", "--to-approve").out == "Nothing waits for your answer.\n"
    wrong = by("grace", "list", "--to-approve", "--status", "expired")
    assert (wrong.code, "leave --status or --to-approve out" in " ".join(wrong.err.split())) == (2, True), wrong


def test_show_has_the_timeline_in_json_too(by: Run, installation: Installation) -> None:
    number = approved(by, installation)
    shown = by("alice", "show", f"#{number}", "--json").json
    kinds = [row["kind"] for row in shown["timeline"]]
    assert kinds[:2] == ["opened", "level_started"]
    assert {"answered", "approved", "granted"} <= set(kinds)
    assert shown["grant"]["status"] == "Active"


def test_watching_one_request_ends_when_it_is_over(by: Run, installation: Installation) -> None:
    number = opened(by, installation)
    by("grace", "reject", number, "no")
    ran = by("alice", "watch", number)
    assert ran.code == 0
    assert "opened" in ran.out.splitlines()[0]
    assert "Rejected by Grace Hopper: no" in ran.out
    rows = [line for line in by("alice", "watch", number, "--json").out.splitlines() if '"kind": "rejected"' in line]
    assert len(rows) == 1


def test_what_is_piped_is_neither_wrapped_nor_cut(by: Run, installation: Installation) -> None:
    reason = "the nightly backup failed, " * 20
    number = opened(by, installation, "alice", "--reason", reason)
    [row] = [row for row in by("alice", "list", "--mine").out.splitlines() if row.startswith(str(number))]
    assert reason.strip() in row
    [told] = [row for row in by("alice", "show", number).out.splitlines() if "Reason" in row]
    assert reason.strip() in told
    assert not any(row.endswith(" ") for row in by("alice", "show", number).out.splitlines())


# --- policy, mails, oneself -----------------------------------------------------------------------------------------


def test_an_admin_applies_and_shows_the_policy(by: Run, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(f"# ours\n{POLICY.strip()}\n")
    ran = by("ada", "policy", "apply", file)
    assert ran.code == 0
    version = by("ada", "policy", "show", "--json").json["version"]
    assert ran.out == f"Nothing changes but the text.\nApplied as version {version}.\n"
    shown = by("ada", "policy", "show")
    assert shown.out == file.read_text()
    assert shown.err == f"version {version}\n"
    for words in (["policy", "show"], ["policy", "apply", file]):
        assert by("alice", *words).code == 3


def test_a_mail_that_decides_nothing_is_explained_check_by_check(by: Run, tmp_path: Path) -> None:
    mail = tmp_path / "reply.eml"
    mail.write_bytes(b"From: grace@example.test\r\nTo: approvals@example.test\r\n\r\nApproved\r\n")
    ran = by("grace", "reply", "explain", mail)
    assert ran.code == 1
    assert ran.out.startswith("Decides nothing: ")
    assert "✗  authentic" in ran.out
    found = by("grace", "reply", "explain", mail, "--json").json
    assert found["judged"]["decides"] is False
    assert "token" not in found["reply"]


@pytest.mark.parametrize(
    "content", [b"", b"just words\n", b"\xd0\xcf\x11\xe0 an Outlook .msg file", b"X: y\n\nhello\n"]
)
def test_what_is_no_mail_is_told_so(by: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "reply.eml"
    file.write_bytes(content)
    ran = by("grace", "reply", "explain", file)
    assert (ran.code, ran.out) == (2, "")
    assert "reply.eml is not a mail" in ran.err


def test_an_approval_that_is_repeated_after_its_level_is_told_that_it_counted(by: Run) -> None:
    number = by("bob", "request", TWO_LEVELS, "ssh", "--json").json["approval_id"]
    assert by("grace", "approve", number).code == 0
    again = by("grace", "approve", number)
    assert (again.code, again.out) == (1, "")
    assert f"Your approval of level 1 has been counted already; #{number} is at level 2." in again.err
    by("bob", "cancel", number)


def test_whoami_names_the_person_or_the_gateway(by: Run) -> None:
    assert by("ada", "whoami").out == "ada, a person and an admin\n"
    assert by("bastion", "whoami").out.startswith("bastion, a gateway\n  asks by ssh for cli-")
    assert by("grace", "whoami", "--json").json["name"] == "grace"


def test_health_names_what_works_and_needs_no_token(by: Run) -> None:
    assert by("nobody", "health").out == "✓ portal\n✓ database\n✓ Temporal\n✓ worker\n"
    assert by("nobody", "health", "--json").json == {
        "database": True, "writable": True, "temporal": True, "worker": True, "channels": {},
    }  # fmt: skip


@pytest.mark.parametrize("words", [each.words.split()[1:] for each in commands("countersign")], ids=" ".join)
def test_every_command_has_a_short_way_to_its_help(command: Run, words: list[str]) -> None:
    assert "Usage: countersign" in command(*words, "-h").out
    assert command(*words, "-h").out == command(*words, "--help").out


def test_each_command_line_says_its_version_or_its_help() -> None:
    for called in ("countersign", "python -m portal"):
        app = import_module(COMMAND_LINES[called]).app
        assert CliRunner().invoke(app, ["--version"]).output == f"countersign {version()}\n"
    for called in COMMAND_LINES:
        assert "Usage:" in CliRunner().invoke(import_module(COMMAND_LINES[called]).app, ["-h"]).output


# --- tokens ---------------------------------------------------------------------------------------------------------


def test_without_a_token_the_remedy_is_named(by: Run) -> None:
    ran = by("nobody", "list")
    assert ran.code == 3
    assert "python -m portal token create" in ran.err
    assert "Authorization" not in ran.err
    assert "set COUNTERSIGN_TOKEN to it" in ran.err


def test_a_token_is_never_printed(command: Run, installation: Installation) -> None:
    secret = "cs_5ec2e75ec2e7_" + "5ec2e7" * 10 + "zz"
    for token in (secret, f"{secret}\nX-More: 1", f"{secret}é"):
        for words in (
            ["list"],
            ["list", "--json"],
            ["request", "web", "ssh"],
            ["list", "--nothing"],
            ["list", "--help"],
        ):
            ran = command(*words, "--token", token, "--url", installation.url)
            assert "5ec2e7" not in ran.out + ran.err
            assert ran.code != 0 or "--help" in words
