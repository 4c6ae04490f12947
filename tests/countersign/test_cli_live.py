"""Following a request in a terminal and elsewhere, and what is printed when the portal can't do its part."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from countersign.cli.live import follow, patiently
from countersign.errors import Unavailable
from countersign.http import Api
from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
from countersign.models import Status, Verdict
from countersign.views import RequestView
from sandbox.temporal_server import free_port
from tests.countersign.installation import Installation, Run
from tests.countersign.scripted import Server

ME = {"name": "grace", "kind": "person", "admin": False}
VIEW = RequestView(
    approval_id=1042,
    question=ConnectionQuestion(requester="alice", device="db-1", protocol=ConnectionProtocol.SSH),
    requester_name="Alice",
    because="",
    status=Status.WAITING,
    message="",
    level=1,
    levels=1,
    quorum=1,
    opened_at=datetime.now(UTC),
    deadline=datetime.now(UTC) + timedelta(hours=1),
    settled_at=None,
    grant_minutes=60,
    version=3,
)


class Screen(io.StringIO):
    """An output that calls `then` once, in a thread, as soon as `message` has been printed."""

    def __init__(self, message: str, then: Callable[[], object]) -> None:
        super().__init__()
        self._message = message
        self.then = threading.Thread(target=then)

    def write(self, text: str) -> int:
        written = super().write(text)
        if self.then.ident is None and self._message in self.getvalue():
            self.then.start()
        return written


@pytest.mark.parametrize("terminal", [True, False])
def test_following_ends_with_the_decision(installation: Installation, by: Run, terminal: bool) -> None:
    number = by("alice", "request", next(installation.devices), "ssh", "--json").json["approval_id"]
    with (
        Api(installation.url, installation.tokens["alice"]) as alice,
        Api(installation.url, installation.tokens["grace"]) as grace,
    ):
        screen = Screen(f"#{number}", lambda: grace.decide(number, Verdict.APPROVE, "fine"))
        console = Console(file=screen, force_terminal=terminal, width=60, markup=False, emoji=False, highlight=False)
        view = follow(alice, alice.request(number), console)
        screen.then.join()
    assert view.status is Status.APPROVED
    shown = screen.getvalue()
    if terminal:
        assert "Grace Hopper" in shown
        assert "Ctrl-C stops watching; the request stays open." in shown
    else:
        assert "Waiting, expires in 59 minutes; level 1 of 1, waits for Grace Hopper\n" in shown
        assert f"#{number} Approved  Approved by Grace Hopper.\n" in shown


def test_a_portal_that_answers_at_once_with_nothing_new_is_asked_again(server: Server) -> None:
    for view in (VIEW, VIEW.model_copy(update={"status": Status.EXPIRED, "version": 4})):
        server.will_say(200, view.model_dump(mode="json"))
    with Api(server.url) as api:
        assert follow(api, VIEW, Console(file=io.StringIO())).status is Status.EXPIRED
    assert [one["path"].partition("after=")[2] for one in server.seen] == ["3", "3"]


def test_patience_ends() -> None:
    with Api(f"http://127.0.0.1:{free_port()}") as api, pytest.raises(Unavailable, match="can't be reached"):
        patiently(api.me, seconds=0.8)


def test_what_fails_for_a_moment_is_tried_again(server: Server) -> None:
    server.will_say(503, {"detail": "The database can't be reached now; try again."})
    server.will_say(200, ME)
    with Api(server.url) as api:
        assert patiently(api.me).name == "grace"


def test_an_answer_that_is_stored_but_not_judged_ends_with_4(command: Run, server: Server) -> None:
    stored = {"accepted": False, "words": "Your answer is stored; it will be judged.", "status": "Waiting"}
    for options in ([], ["--json"]):
        server.will_say(200, ME)
        server.will_say(200, VIEW.model_dump(mode="json"))
        server.will_say(202, stored)
        server.will_say(200, VIEW.model_dump(mode="json"))
        ran = command("approve", 1042, "--url", server.url, *options)
        assert ran.code == 4
        assert "Your answer is stored; it will be judged." in ran.out


def test_health_names_what_can_not_be_reached(command: Run, server: Server) -> None:
    server.will_say(503, {"database": True, "writable": False, "temporal": False, "worker": False})
    ran = command("health", "--url", server.url)
    assert ran.code == 4
    assert [line[:10] for line in ran.out.splitlines()] == ["✓ portal", "✗ database", "✗ Temporal", "✗ worker i"]
    assert "disk is full" in ran.out
    assert "Temporal can't be reached" in ran.out


def test_a_mail_that_decides_is_explained(
    command: Run, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mail = tmp_path_factory.mktemp("mail") / "reply.eml"
    mail.write_bytes(b"From: grace@example.test\n\nApproved\n")
    check = {"name": "own copy", "saw": "a token of grace", "passed": True, "reason": ""}
    judged = {"decides": True, "verdict": "approve", "approval_id": 1042, "level": 1, "person": "grace"}
    found = {"reply": {"token": "5ec2e7"}, "judged": judged | {"words": "The mail says approve.", "checks": [check]}}
    server.will_say(200, found)
    ran = command("reply", "explain", mail, "--url", server.url)
    assert (ran.code, ran.out.splitlines()[0]) == (0, "Decides: approves #1042 at level 1, as grace.")
    assert server.seen[0]["Content-Type"] == "message/rfc822"
    server.will_say(200, found)
    assert "5ec2e7" not in command("reply", "explain", mail, "--url", server.url, "--json").out


def test_a_token_that_would_go_unencrypted_is_warned_of(command: Run) -> None:
    # A name that resolves nowhere (RFC 6761): nothing is sent.
    ran = command("whoami", "--url", "http://portal.invalid", "--token", "5ec2e7")
    assert ran.code == 4
    assert "The token goes to portal.invalid unencrypted" in " ".join(ran.err.split())
    assert "5ec2e7" not in ran.err


def test_without_a_command_there_is_help(command: Run) -> None:
    ran = command()
    assert ran.code == 2
    assert "Ask for connections" in ran.out
    assert ran.err == ""
