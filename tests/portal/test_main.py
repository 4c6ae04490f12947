"""`python -m portal`: tokens and the first policy on the command line, and the server as a process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from countersign.errors import BadSetting
from countersign.times import moment
from notifiers.email.sign_in_links import MailedLinks
from notifiers.email.token import KeyRing
from portal.__main__ import app, provider_of
from sandbox.temporal_server import free_port
from settings import Settings
from store import Store
from store.tokens import FORM
from tests.http_clients import plain_client
from tests.portal.context import POLICY

ROOT = Path(__file__).parents[2]
WHOLE = {"oidc_client_id": "x", "public_url": "https://access.example.com"}


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    store = Store(sqlite_url)
    yield store
    store.close()


@pytest.fixture
def environment(sqlite_url: str) -> dict[str, str]:
    return {"COUNTERSIGN_DATABASE_URL": sqlite_url, "COLUMNS": "200"}


def run(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env=environment)


@pytest.fixture
def policy(environment: dict[str, str], tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    assert run(environment, "policy", "apply", str(file)).exit_code == 0
    return file


def test_a_token_is_printed_alone(environment: dict[str, str], store: Store) -> None:
    done = run(environment, "token", "create", "--person", "Ada", "--admin")
    assert done.exit_code == 0
    assert FORM.fullmatch(done.stdout.removesuffix("\n"))
    assert "person ada" in done.stderr
    token = store.tokens.find(done.stdout.strip())
    assert token
    assert (token.owner.name, token.owner.is_admin) == ("ada", True)
    (line,) = store.events.since(0, 10**6)
    assert line.kind == "token_created"
    assert line.who.startswith("operator")


def test_a_token_that_ends_by_itself(environment: dict[str, str], store: Store) -> None:
    arguments = ("token", "create", "--person", "ada", "--label", "a script", "--lasts")
    token = store.tokens.find(run(environment, *arguments, "90d").stdout.strip())
    assert token
    assert token.ends_at
    assert (token.ends_at - token.created_at).days == 90
    listed = run(environment | {"COLUMNS": "300"}, "token", "list").stdout
    assert "a script" in listed
    assert moment(token.ends_at) in listed
    for lasts in ("x", "0", "90y"):
        refused = run(environment, *arguments, lasts)
        assert (refused.exit_code, "--lasts must be a duration" in refused.stderr) == (2, True)


@pytest.mark.usefixtures("policy")
def test_a_link_to_sign_in_by(environment: dict[str, str], store: Store) -> None:
    assert run(environment, "sign-in-link", "grace").exit_code == 2  # nobody could open it
    served = {
        "COUNTERSIGN_PUBLIC_URL": "https://access.example.test/",
        "COUNTERSIGN_SMTP_HOST": "127.0.0.1",
        "COUNTERSIGN_MAIL_KEYS": f"a1:{'0' * 32}",
    }
    done = run(environment | served, "sign-in-link", "grace")
    assert done.exit_code == 0, done.stderr
    link_id, _, secret = done.stdout.strip().removeprefix("https://access.example.test/sign-in/").partition(".")
    assert MailedLinks(KeyRing([("a1", b"0" * 32)])).is_secret(link_id, secret)
    assert not MailedLinks(KeyRing([("a1", b"1" * 32)])).is_secret(link_id, secret)
    assert run(environment | served, "sign-in-link", "nobody").exit_code == 2


@pytest.mark.usefixtures("policy")
def test_a_gateways_token(environment: dict[str, str], store: Store) -> None:
    done = run(
        environment, "token", "create", "--gateway", "bastion", "--device-group", "web", "--device-group", "short",
        "--protocol", "ssh", "--protocol", "sftp",
    )  # fmt: skip
    token = store.tokens.find(done.stdout.strip())
    assert token
    assert token.owner.model_dump() == {
        "kind": "gateway", "name": "bastion", "is_admin": False, "targets": [], "target_groups": ["web", "short"],
        "variants": ["ssh", "sftp"],
    }  # fmt: skip


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "Say for whom"),
        ("--person ada --gateway bastion", "Say for whom"),
        ("--person ada --device db-1", "Say for whom"),
        ("--gateway bastion", "Say for whom"),
        ("--gateway bastion --device-group web", "Say for whom"),
        ("--gateway bastion --admin --device-group web --protocol ssh", "Say for whom"),
        ("--gateway bastion --device-group nowhere --protocol ssh", "nowhere is not a device group"),
        ("--gateway bastion --device nowhere --protocol ssh", "nowhere is in no device group"),
        ("--gateway bastion --device-group web --protocol telnet", "telnet"),
        ("--person zoe", "zoe is disabled or not in the policy"),
        ("--person dora", "dora is disabled or not in the policy"),
        ("--person a:b", "is not an id"),
    ],
)
def test_a_token_for_nobody(environment: dict[str, str], store: Store, arguments: str, message: str) -> None:
    done = run(environment, "token", "create", *arguments.split())
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.split())
    assert store.tokens.newest() == []


def test_a_name_that_can_be_nobodys_is_blamed_and_no_setting(environment: dict[str, str]) -> None:
    for option in ("--person", "--gateway"):
        more = [] if option == "--person" else ["--device", "db-1", "--protocol", "ssh"]
        done = run(environment, "token", "create", option, "No Name", *more)
        assert done.exit_code == 2
        assert f"{option}: " in done.stderr
        assert "COUNTERSIGN_" not in done.stderr


def test_a_command_beside_the_database_loads_nothing_that_serves() -> None:
    serving = ("fastapi", "uvicorn", "slack_sdk", "temporalio", "aiohttp")
    code = f"import sys, portal.__main__; print([one for one in {serving!r} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_newest_tokens_are_listed_up_to_a_limit(environment: dict[str, str], store: Store) -> None:
    for _ in range(3):
        run(environment, "token", "create", "--person", "ada")
    newest, second, oldest = (one.id for one in store.tokens.newest())
    done = run(environment, "token", "list", "--limit", "2")
    assert [one in done.stdout for one in (newest, second, oldest)] == [True, True, False]
    assert "These are the newest 2 tokens; --limit shows more." in done.stderr
    everything = run(environment, "token", "list", "--limit", "3")
    assert (oldest in everything.stdout, everything.stderr) == (True, "")


def test_tokens_are_listed_and_ended(environment: dict[str, str], store: Store) -> None:
    made = run(environment, "token", "create", "--person", "ada").stdout.strip()
    token = store.tokens.find(made)
    assert token
    listed = run(environment, "token", "list").stdout
    assert token.id in listed
    assert "person ada" in listed
    assert made.split("_")[2] not in listed
    assert run(environment, "token", "end", token.id).exit_code == 0
    assert store.tokens.find(made) is None
    missing = run(environment, "token", "end", "[red]x")
    assert (missing.exit_code, missing.stderr.strip()) == (2, "There is no token [red]x.")


@pytest.mark.parametrize(
    ("text", "message"),
    [(b"users: []", "line 1"), (None, "can't be read"), (b"\xff", "line 1, column 1: this byte is not UTF-8")],
)
def test_a_first_policy_that_is_wrong(
    environment: dict[str, str], store: Store, tmp_path: Path, text: bytes | None, message: str
) -> None:
    file = tmp_path / "policy.yaml"
    if text is not None:
        file.write_bytes(text)
    done = run(environment, "policy", "apply", str(file))
    assert done.exit_code == 2
    assert message in done.stderr
    assert store.events.since(0, 10**6) == []


def test_the_rescue_shows_what_it_takes_away_and_needs_a_yes(
    environment: dict[str, str], store: Store, policy: Path, tmp_path: Path
) -> None:
    rescue = tmp_path / "rescue.yaml"
    rescue.write_text(
        POLICY.replace("  carol: {name: Carol, email: carol@example.test}\n", "").replace(", carol]", "]")
    )
    refused = run(environment, "policy", "apply", str(rescue))
    assert refused.exit_code == 2
    assert "1 person removed" in refused.stderr
    assert "there is no terminal here to confirm it on" in refused.stderr
    assert store.policies.text()[0] == 1
    done = run(environment, "policy", "apply", str(rescue), "--yes")
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (0, "Policy version 2 is in force.")
    assert store.policies.versions()[0].applied_by.startswith("operator")
    shown = run(environment, "policy", "show", "1")
    assert (shown.exit_code, shown.stdout.strip(), shown.stderr) == (0, policy.read_text().strip(), "version 1\n")
    assert run(environment, "policy", "show", "9").exit_code == 2


def test_a_wrong_setting_is_named_without_its_value(environment: dict[str, str]) -> None:
    done = run(environment | {"COUNTERSIGN_PORTAL_PORT": "hunter2"}, "serve")
    assert done.exit_code == 2
    assert "COUNTERSIGN_PORTAL_PORT" in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "COUNTERSIGN_OIDC_CLIENT_ID and COUNTERSIGN_PUBLIC_URL"),
        ({"oidc_client_id": "x"}, "COUNTERSIGN_OIDC_ISSUER needs COUNTERSIGN_PUBLIC_URL"),
        ({"oidc_issuer": "http://login.example.com", **WHOLE}, "COUNTERSIGN_OIDC_ISSUER must begin with https://"),
        ({"oidc_issuer": "login", **WHOLE}, "COUNTERSIGN_OIDC_ISSUER must begin with https://"),
    ],
)
def test_a_provider_that_is_set_up_by_half_is_refused(settings: dict[str, str], said: str) -> None:
    given: dict[str, Any] = {"oidc_issuer": "https://login.example.com", **settings}
    with pytest.raises(BadSetting, match=said):
        provider_of(Settings(**given), given.get("public_url", ""))


def test_a_database_that_is_away(environment: dict[str, str]) -> None:
    url = f"postgresql+pg8000://someone:hunter2@127.0.0.1:{free_port()}/nowhere"
    done = run(environment | {"COUNTERSIGN_DATABASE_URL": url}, "token", "list")
    assert done.exit_code == 1
    assert done.stderr == "the database can't be used: nothing listens there; is it running?\n"
    assert "hunter2" not in done.output


@asynccontextmanager
async def process(environment: dict[str, str], port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m portal serve`, once it answers."""
    told = os.environ | environment | {"COUNTERSIGN_PORTAL_PORT": str(port), "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    serving = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "portal", "serve", cwd=ROOT, env=told, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert serving.stderr
        while b"Uvicorn running" not in (line := await serving.stderr.readline()):
            assert line, "it ended at once"
        yield serving
    finally:
        if serving.returncode is None:
            serving.kill()
        await serving.communicate()


async def test_it_serves_until_it_is_told_to_end_and_sends_waiters_home(environment: dict[str, str]) -> None:
    token = run(environment, "token", "create", "--person", "ada", "--admin").stdout.strip()
    port = free_port()
    headers = {"Authorization": f"Bearer {token}"}
    url = f"http://127.0.0.1:{port}/api/v1"
    async with process(environment, port) as serving, plain_client(headers=headers) as client:
        assert (await client.get(f"{url}/me")).json()["name"] == "ada"
        waiting = asyncio.create_task(client.get(f"{url}/events", params={"timeout": 60}, timeout=70))
        # This is answered on another connection after the first was read, so the waiter waits by now.
        assert (await client.get(f"{url}/health")).status_code == 503
        serving.send_signal(signal.SIGTERM)
        assert (await waiting).json() == []
        await serving.communicate()
        assert serving.returncode in {0, -signal.SIGTERM}
