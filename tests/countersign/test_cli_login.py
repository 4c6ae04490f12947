"""`countersign login` and `logout` against a scripted server (tests/portal/pages has a real one)."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from countersign.cli import kept_login
from countersign.cli.options import LOCAL_URL, of_login
from tests.countersign.installation import Ran
from tests.countersign.scripted import Server

Run = Callable[..., Ran]
TOKEN = "cs_0123456789ab_" + "ab" * 32
ME = {"name": "grace", "kind": "person", "admin": False}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the login is kept."""
    return tmp_path / "config" / "countersign" / "login.json"


def begins(server: Server, expires_in: int = 600) -> None:
    page = f"{server.url}/device"
    codes = {"device_code": "d" * 64, "user_code": "WDJB-MJHT", "verification_uri": page}
    complete = {"verification_uri_complete": f"{page}?code=WDJB-MJHT", "expires_in": expires_in, "interval": 0}
    server.will_say(200, codes | complete)


def says(server: Server, error: str) -> None:
    kind = f"/api/v1/problems/{error.replace('_', '-')}"
    server.will_say(400, {"type": kind, "title": error, "detail": error, "status": 400, "error": error})


def test_it_polls_until_it_is_allowed_and_keeps_the_token_for_its_user_alone(
    command: Run, server: Server, file: Path
) -> None:
    begins(server)
    for error in ("authorization_pending", "slow_down"):
        says(server, error)
    server.will_say(503, {"title": "Unavailable", "detail": "for a moment"})
    server.will_say(200, {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 43200})
    server.will_say(200, ME)
    umask = os.umask(0)
    try:
        ran = command("login", "--url", server.url, "--json")
    finally:
        os.umask(umask)
    assert (ran.code, ran.json["name"], ran.json["file"]) == (0, "grace", str(file))
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [one.name for one in file.parent.iterdir()] == [file.name]
    assert "WDJB-MJHT" in ran.err
    assert TOKEN not in ran.out + ran.err
    assert "Authorization" not in server.seen[0]
    assert server.seen[-1]["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("error", "code", "said"), [("access_denied", 3, "was denied"), ("expired_token", 4, "login` again")]
)
def test_a_login_that_comes_to_nothing_keeps_nothing(
    command: Run, server: Server, file: Path, error: str, code: int, said: str
) -> None:
    begins(server)
    says(server, error)
    ran = command("login", "--url", server.url)
    assert (ran.code, said in ran.err, file.exists()) == (code, True, False)
    begins(server, expires_in=0)
    assert command("login", "--url", server.url).code == 4


def test_a_folder_that_can_not_be_written_is_told(
    command: Run, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    begins(server)
    server.will_say(200, {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 43200})
    ran = command("login", "--url", server.url)
    assert (ran.code, "XDG_CONFIG_HOME" in ran.err) == (4, True)
    assert TOKEN not in ran.out + ran.err


def test_logging_out_ends_the_token_and_what_has_ended_already_is_forgotten(
    command: Run, server: Server, file: Path
) -> None:
    for answer in (200, 404, 401):
        kept_login.keep(server.url, TOKEN, datetime.now(UTC) + timedelta(hours=1))
        server.will_say(answer, {"title": "x", "detail": "It has ended."})
        assert command("logout").code == 0
        assert server.seen[-1]["path"] == "/api/v1/tokens/0123456789ab/end"
        assert not file.exists()
    assert command("logout").code == 5
    kept_login.keep(server.url, TOKEN, datetime.now(UTC) + timedelta(hours=1))
    server.will_say(503, {"title": "Unavailable", "detail": "not now"})
    # The login is kept, so that it can be tried again.
    assert (command("logout").code, file.exists()) == (4, True)


def test_what_is_given_wins_and_the_token_of_a_login_goes_to_its_own_portal_until_it_ends(file: Path) -> None:
    here, elsewhere = "https://access.example.com", "https://evil.example"
    assert of_login("", "") == (LOCAL_URL, "")
    kept_login.keep(here, TOKEN, datetime.now(UTC) + timedelta(hours=1))
    assert of_login("", "") == of_login(f"{here}/", "") == (here, TOKEN)
    assert of_login(elsewhere, "") == (elsewhere, "")
    assert of_login("", "cs_mine") == (LOCAL_URL, "cs_mine")
    assert of_login(elsewhere, "cs_mine") == (elsewhere, "cs_mine")
    kept_login.keep(here, TOKEN, datetime.now(UTC))
    assert of_login("", "") == (here, "")
    for broken in ("", "{", "[]", json.dumps({"url": here}), "\x00"):
        file.write_text(broken)
        assert of_login("", "") == (LOCAL_URL, "")
