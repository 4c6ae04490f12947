from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from countersign.errors import CountersignError
from engine.credentials.sign_in import From, SignIn
from notifiers.email.read_settings import email_config, key_ring, mailbox
from notifiers.email.sign_in_links import MailedLinks
from sandbox.first_run import prepare
from sandbox.up import PEOPLE, POLICY, ROOT, alone, environment, must_be_free, processes, sign_in_links, welcome
from sandbox.welcome import Place
from settings import Settings
from store import Store

DEADLINE_SECONDS = 180
RUN = """
import os, sys
from pathlib import Path
from sandbox.up import run
sys.exit(run({"one": sys.argv[1], "two": sys.argv[2]}, dict(os.environ), Path()))
"""
FOR_EVER = "exec sleep 1000"


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(("COUNTERSIGN_", "TEMPORAL_")):
            monkeypatch.delenv(name)


def started() -> list[str]:
    return list(processes(Settings(), (ROOT / "Procfile").read_text()))


def test_it_prints_links_by_which_its_people_sign_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COUNTERSIGN_DATABASE_URL", f"sqlite:///{tmp_path}/countersign.db")
    installation = prepare(Settings().database_url, POLICY.read_text(), tmp_path / "token", is_own=True)
    variables = environment(Settings(), tmp_path)
    links = sign_in_links(Settings(), variables, PEOPLE)
    assert list(links) == ["alice", "grace", "ada"]
    printed = welcome(Settings(), [], installation, True, links)
    assert all(f"  {person:10}{link}" in printed for person, link in links.items())
    link_id, _, secret = links["grace"].removeprefix("http://127.0.0.1:8080/sign-in/").partition(".")
    assert MailedLinks(key_ring(variables["COUNTERSIGN_MAIL_KEYS"])).is_secret(link_id, secret)
    store = Store(Settings().database_url)
    try:
        begun = SignIn(store).by_link(link_id, From("", "", ""))
        session = store.sessions.find(begun.cookie, datetime.now(UTC))
    finally:
        store.close()
    assert session
    assert session.person == "grace"


def start(one: str, two: str) -> tuple[subprocess.Popen[str], list[int]]:
    """Run two commands, and return once both run, with their process ids."""
    process = subprocess.Popen([sys.executable, "-uc", RUN, one, two], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    lines = (re.search(r"started \(pid=(\d+)\)", line) for line in process.stdout)
    found = (line for line in lines if line)
    return process, [int(next(found)[1]) for _ in range(2)]


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_with_nothing_set_everything_runs_here() -> None:
    assert started() == ["temporal", "mail", "worker", "portal"]


def test_servers_that_the_settings_name_are_not_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal.example.test:7233")
    (tmp_path / ".env").write_text("COUNTERSIGN_SMTP_HOST=smtp.example.test\n")
    assert started() == ["worker", "portal"]
    assert "COUNTERSIGN_SMTP_HOST" not in environment(Settings(), tmp_path)


def test_the_worker_is_told_of_the_sandbox_mail_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in environment(Settings(), tmp_path).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    mail = email_config(settings)
    box = mailbox(settings)
    assert mail
    assert box
    assert (mail.smtp.host, mail.smtp.port, box.port) == ("127.0.0.1", 8025, 8143)
    assert settings.mail_rule == "authentication_results"


def test_the_mail_secret_is_kept_and_for_us_alone(tmp_path: Path) -> None:
    first, second = (environment(Settings(), tmp_path)["COUNTERSIGN_MAIL_KEYS"] for _ in range(2))
    assert first == second
    assert stat.S_IMODE((tmp_path / "mail_keys").stat().st_mode) == 0o600


def test_a_second_one_beside_the_first_says_so_and_ends(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(CountersignError, match="another `make up` runs here already"):
        alone(tmp_path)
    alone(tmp_path).close()


def test_what_answers_already_at_our_places_is_named(tmp_path: Path) -> None:
    must_be_free([Place("Mail", "yours"), Place("Portal", "http://127.0.0.1:1", lambda: False)])
    with pytest.raises(CountersignError, match="Portal answers already"):
        must_be_free([Place("Portal", "http://127.0.0.1:1", lambda: True)])


@pytest.mark.parametrize(
    "sent", [signal.SIGINT, *(pytest.param(one, marks=pytest.mark.whole) for one in (signal.SIGTERM, signal.SIGHUP))]
)
def test_a_signal_ends_everything(sent: signal.Signals) -> None:
    process, pids = start(FOR_EVER, FOR_EVER)
    process.send_signal(sent)
    process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0
    assert all(map(is_gone, pids))


def test_the_end_of_one_ends_the_others_and_tells_how() -> None:
    process, pids = start(FOR_EVER, "exit 7")
    process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 7
    assert all(map(is_gone, pids))
