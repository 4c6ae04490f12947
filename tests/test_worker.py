"""`python worker.py`: arguments start nothing by accident, and what is wrong ends it in words, with all closed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.worker import Worker as TemporalWorker

import worker
from countersign.client import Client
from countersign.errors import BadSetting, Unavailable
from countersign.unreachable import why_unreachable
from sandbox.mail_server import MailServer
from store import Store
from tests.workflows.deployment import Deployment, environment_for, new_namespace, settings_for

ROOT = Path(__file__).parent.parent
NOWHERE = "127.0.0.1:1"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, with nothing of ours in the environment but this."""
    told = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
    command = [sys.executable, str(ROOT / "worker.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, env=told | environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--help"], 0, "--check"),
        (["-h"], 0, "--check"),
        (["--version"], 0, "countersign "),
        (["--chekc"], 2, "--chekc"),
        (["start"], 2, "start"),
    ],
)
def test_arguments_start_nothing_by_accident(tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    database = tmp_path / "countersign.db"
    done = run(*arguments, COUNTERSIGN_DATABASE_URL=f"sqlite:///{database}", TEMPORAL_ADDRESS=NOWHERE)
    assert done.returncode == code
    assert words in done.stdout + done.stderr
    assert not database.exists()


async def test_a_check_says_what_is_well_and_what_is_not_and_changes_nothing(
    temporal_address: str, tmp_path: Path
) -> None:
    database = tmp_path / "countersign.db"
    url = f"sqlite:///{database}"
    async with MailServer() as mail:
        environment = environment_for(url, temporal_address, "default", mail)
        done = await asyncio.to_thread(run, "--check", **environment)
        assert (done.returncode, done.stderr) == (0, "")
        assert "its tables are made, or brought up to date, at the next start" in done.stdout
        assert "SMTP" in done.stdout
        assert not database.exists()
        Store(url).close()
        environment["TEMPORAL_NAMESPACE"] = "nowhere"
        environment["COUNTERSIGN_SMTP_PASSWORD"] = "wrong"
        done = await asyncio.to_thread(run, "--check", **environment)
    assert done.returncode == 1
    assert "TEMPORAL_NAMESPACE" in done.stdout
    assert "2 problems and" in done.stdout
    assert "brought up to date" not in done.stdout


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"TEMPORAL_NAMESPACE": "nowhere"}, "set TEMPORAL_NAMESPACE to one that exists"),
        ({"COUNTERSIGN_TEMPORAL_TLS": "true"}, "Set COUNTERSIGN_TEMPORAL_TLS to false"),
        ({"COUNTERSIGN_SMTP_PROT": "25"}, "did you mean COUNTERSIGN_SMTP_PORT?"),
        ({"COUNTERSIGN_SMTP_HOST": "127.0.0.1", "COUNTERSIGN_MAIL_SENDER": "nobody"}, "COUNTERSIGN_MAIL_"),
    ],
)
def test_a_wrong_setting_ends_it_with_code_2_and_the_remedy(
    temporal_address: str, sqlite_url: str, settings: dict[str, str], words: str
) -> None:
    done = run(**{"COUNTERSIGN_DATABASE_URL": sqlite_url, "TEMPORAL_ADDRESS": temporal_address} | settings)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


async def test_what_was_opened_is_closed_when_a_start_fails(temporal_address: str, sqlite_url: str) -> None:
    before = {thread.ident for thread in threading.enumerate()}  # others' engines may run meanwhile
    async with MailServer() as mail:
        settings = settings_for(sqlite_url, temporal_address, "nowhere", mail)
        with pytest.raises(BadSetting, match="TEMPORAL_NAMESPACE"):
            await worker.run(settings, asyncio.Event())
    ours = [thread for thread in threading.enumerate() if thread.ident not in before]
    assert [thread.name for thread in ours if thread.name.startswith("store")] == []


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        (
            'Status { code: Unauthenticated, message: "Request unauthorized." }',
            BadSetting,
            "COUNTERSIGN_TEMPORAL_API_KEY",
        ),
        ("ConnectError(Custom { error: InvalidCertificate(UnknownIssuer) })", BadSetting, "trusts the certificate"),
        (
            "ConnectError(Os { kind: ConnectionRefused })",
            Unavailable,
            "nothing listens at 127.0.0.1:1. Is Temporal running?",
        ),
        ("something new", Unavailable, "127.0.0.1:1 does not answer"),
    ],
)
def test_what_a_server_says_that_none_here_does(said: str, error: type[Unavailable], words: str) -> None:
    found = why_unreachable(said, NOWHERE)
    assert type(found) is error
    assert words in str(found)


async def test_a_server_that_wants_tls_is_told_from_one_that_is_not_there() -> None:
    async def says_nothing_plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(says_nothing_plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unavailable, match="COUNTERSIGN_TEMPORAL_TLS=true"):
            await Client.connect(f"127.0.0.1:{port}")
    with pytest.raises(BadSetting, match="HOST:PORT"):
        await Client.connect("a b")


@workflow.defn(name="Grant", sandboxed=False)
class OtherGrant:
    """Makes other commands than ours of the same name."""

    @workflow.run
    async def run(self, _: str) -> None:
        await workflow.sleep(3600)


async def test_before_an_upgrade_all_that_is_open_is_replayed_and_what_would_not_go_on_is_named(
    temporal_address: str, sqlite_url: str
) -> None:
    namespace = await new_namespace(temporal_address)
    async with Deployment(temporal_address, namespace, sqlite_url) as deployment:
        request = await deployment.ask("alice")
        environment = environment_for(sqlite_url, temporal_address, namespace, deployment.mail)
        done = await asyncio.to_thread(run, "--replay", **environment)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{request.question.workflow_id}: replays" in done.stdout
        assert "standing:sweep: replays" in done.stdout
        await deployment.stop_worker()
        other = TemporalWorker(
            deployment.client.temporal, task_queue=deployment.settings.task_queue, workflows=[OtherGrant]
        )
        async with other:
            id_ = "grant:7"
            start = deployment.client.temporal.start_workflow(
                "Grant", "", id=id_, task_queue=deployment.settings.task_queue
            )
            handle = await start
            async with asyncio.timeout(60):
                # Until its first task is over.
                while (await handle.describe()).history_length < 5:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        done = await asyncio.to_thread(run, "--replay", **environment)
        assert done.returncode == 1, done.stdout
        assert "grant:7: " in done.stdout
        assert "1 would not go on." in done.stdout
        assert f"{request.question.workflow_id}: replays" in done.stdout
