"""What `make up` finds or puts in place before anything starts."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from countersign.errors import Unavailable
from engine.credentials.tokens import TokenActions
from engine.policy import apply_policy
from sandbox.first_run import Installation, prepare
from sandbox.slack_policy import with_slack
from sandbox.up import POLICY
from store import Store
from store.tokens import Owner

EXAMPLE = POLICY.read_text()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "token"


def owner_of(url: str, token: str) -> Owner | None:
    store = Store(url)
    found = store.tokens.find(token.strip())
    store.close()
    return found.owner if found else None


def test_a_new_installation_gets_the_example_and_a_token_for_its_admin(empty_sqlite_url: str, token_file: Path) -> None:
    assert prepare(empty_sqlite_url, EXAMPLE, token_file, is_own=True) == Installation(True, True, token_file, True)
    owner = owner_of(empty_sqlite_url, token_file.read_text())
    assert owner == Owner(kind="person", name="ada", is_admin=True)
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o600


@pytest.mark.parametrize("has_slack", [False, True])
def test_with_slack_the_example_asks_there_too(sqlite_url: str, token_file: Path, has_slack: bool) -> None:
    found = prepare(sqlite_url, EXAMPLE, token_file, is_own=True, has_slack=has_slack)
    assert (found.is_example, found.asks_in_slack) == (True, has_slack)
    # The policy in force stays, even if Slack comes or goes.
    assert prepare(sqlite_url, EXAMPLE, token_file, is_own=True, has_slack=not has_slack).asks_in_slack is has_slack


def test_slack_changes_nothing_else_of_a_policy() -> None:
    changed = with_slack(EXAMPLE, {"web": "C1"}, rejection_needs_reason=True).splitlines()
    added = ["    rooms:", "      slack: C1", "  slack: decide", "rejection_needs_reason: true"]
    assert [line for line in changed if line not in added] == EXAMPLE.splitlines()
    assert len(changed) == len(EXAMPLE.splitlines()) + len(added)


def test_the_next_start_changes_nothing(sqlite_url: str, token_file: Path) -> None:
    first = prepare(sqlite_url, EXAMPLE, token_file, is_own=True)
    token = token_file.read_text()
    store = Store(sqlite_url)
    version = store.events.last_version()
    assert prepare(sqlite_url, EXAMPLE, token_file, is_own=True) == first
    assert token_file.read_text() == token
    assert store.events.last_version() == version
    store.close()


def test_a_policy_of_ones_own_stays(sqlite_url: str, token_file: Path) -> None:
    store = Store(sqlite_url)
    apply_policy(store, EXAMPLE.replace("Ada Admin", "Ada Lovelace"), "operator")
    found = prepare(sqlite_url, EXAMPLE, token_file, is_own=True)
    assert (found.has_policy, found.is_example) == (True, False)
    assert store.policies.text()[0] == 1
    store.close()


def test_a_token_that_was_ended_is_not_made_again(sqlite_url: str, token_file: Path) -> None:
    prepare(sqlite_url, EXAMPLE, token_file, is_own=True)
    store = Store(sqlite_url)
    TokenActions(store).end(store.tokens.newest()[0].id, "operator")
    assert prepare(sqlite_url, EXAMPLE, token_file, is_own=True).token_file is None
    assert len(store.tokens.newest()) == 1
    store.close()


def test_a_new_database_gets_a_new_token_in_the_old_ones_place(tmp_path: Path, token_file: Path) -> None:
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("old", "new")]
    for url in urls:
        assert prepare(url, EXAMPLE, token_file, is_own=True).token_file
    assert owner_of(urls[0], token_file.read_text()) is None
    assert owner_of(urls[1], token_file.read_text())


def test_nothing_is_put_into_somebody_elses_database(empty_database_url: str, token_file: Path) -> None:
    assert prepare(empty_database_url, EXAMPLE, token_file, is_own=False) == Installation(False, False, None, True)
    store = Store(empty_database_url)
    assert store.events.last_version() == 0
    store.close()
    assert not token_file.exists()


def test_a_database_that_does_not_answer_is_said_at_once(token_file: Path) -> None:
    with pytest.raises(Unavailable):
        prepare("postgresql+pg8000://nobody@127.0.0.1:1/none", EXAMPLE, token_file, is_own=False)
