"""`python worker.py`: no argument starts it by accident; on an error it says what is wrong and closes everything."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.api.operatorservice.v1 import DeleteNamespaceRequest
from temporalio.client import Client as TemporalClient
from temporalio.worker import Worker as TemporalWorker

import worker
from countersign.client import Client
from countersign.errors import BadSetting, Unavailable
from countersign.unreachable import why_unreachable
from sandbox.mail_server import MailServer
from sandbox.temporal_server import HOST, free_port
from store import Store
from tests.grpc_refusal import PERMISSION_DENIED, UNAUTHENTICATED, refusing
from tests.notifiers.email.smtp_server import certificate
from tests.workflows.deployment import Deployment, environment_for, new_namespace, settings_for

ROOT = Path(__file__).parent.parent
NOWHERE = "127.0.0.1:1"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, with no variables of ours in the environment but these."""
    told = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"} or "COVERAGE" in name}
    command = [sys.executable, str(ROOT / "worker.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, env=told | environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--help"], 0, "--check"),
        pytest.param(["--version"], 0, "countersign ", marks=pytest.mark.whole),
        (["--chekc"], 2, "--chekc"),
        pytest.param(["start"], 2, "start", marks=pytest.mark.whole),
    ],
)
def test_arguments_start_nothing_by_accident(tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    database = tmp_path / "countersign.db"
    done = run(*arguments, COUNTERSIGN_DATABASE_URL=f"sqlite:///{database}", TEMPORAL_ADDRESS=NOWHERE)
    assert done.returncode == code
    assert message in done.stdout + done.stderr
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
    ("settings", "message"),
    [
        ({"TEMPORAL_NAMESPACE": "nowhere"}, "set TEMPORAL_NAMESPACE to one that exists"),
        ({"COUNTERSIGN_TEMPORAL_TLS": "true"}, "Set COUNTERSIGN_TEMPORAL_TLS to false"),
        ({"COUNTERSIGN_SMTP_PROT": "25"}, "did you mean COUNTERSIGN_SMTP_PORT?"),
        ({"COUNTERSIGN_SMTP_HOST": "127.0.0.1", "COUNTERSIGN_MAIL_SENDER": "nobody"}, "COUNTERSIGN_MAIL_"),
    ],
)
def test_a_wrong_setting_ends_it_with_code_2_and_the_remedy(
    temporal_address: str, sqlite_url: str, settings: dict[str, str], message: str
) -> None:
    done = run(**{"COUNTERSIGN_DATABASE_URL": sqlite_url, "TEMPORAL_ADDRESS": temporal_address} | settings)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("status", [UNAUTHENTICATED, pytest.param(PERMISSION_DENIED, marks=pytest.mark.whole)])
async def test_a_key_that_temporal_refuses_ends_it_with_code_2_and_the_name_of_its_setting(
    sqlite_url: str, tmp_path: Path, status: int
) -> None:
    authority, tls = certificate(tmp_path)
    async with refusing(status, "Request unauthorized.", tls) as port:
        done = await asyncio.to_thread(
            run,
            COUNTERSIGN_DATABASE_URL=sqlite_url,
            TEMPORAL_ADDRESS=f"localhost:{port}",
            COUNTERSIGN_TEMPORAL_TLS="true",
            COUNTERSIGN_TEMPORAL_API_KEY="a-wrong-key",
            SSL_CERT_FILE=str(authority),
        )
    [said] = [line for line in done.stderr.splitlines() if "INFO" not in line]
    assert said.endswith(f"localhost:{port} does not take our key. See COUNTERSIGN_TEMPORAL_API_KEY.")
    assert done.returncode == 2


async def test_a_namespace_that_is_deleted_under_it_ends_it_as_a_wrong_one_does(
    temporal_address: str, sqlite_url: str
) -> None:
    namespace = await new_namespace(temporal_address)
    async with MailServer() as mail:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "worker.py"),
            env=os.environ | environment_for(sqlite_url, temporal_address, namespace, mail),
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr
        while b"ready: task queue" not in await process.stderr.readline():
            assert not process.stderr.at_eof()
        temporal = await TemporalClient.connect(temporal_address)
        await temporal.operator_service.delete_namespace(DeleteNamespaceRequest(namespace=namespace))
        _, errors = await process.communicate()
    said = errors.decode().splitlines()  # Temporal's library may log something after it
    assert "countersign worker: Temporal has no such namespace; set TEMPORAL_NAMESPACE to one that exists." in said
    assert process.returncode == 2
    assert not [line for line in said if "Traceback" in line]


@pytest.mark.whole
async def test_what_does_not_come_up_within_a_minute_ends_worker_and_portal_with_code_1(sqlite_url: str) -> None:
    nowhere = f"{HOST}:{free_port()}"
    no_database = {"COUNTERSIGN_DATABASE_URL": f"postgresql://x:y@{nowhere}/x"}
    no_temporal = {"COUNTERSIGN_DATABASE_URL": sqlite_url, "TEMPORAL_ADDRESS": nowhere}
    ended = await asyncio.gather(
        ends_late(["worker.py"], no_database),
        ends_late(["-m", "portal", "serve"], no_database),
        ends_late(["worker.py"], no_temporal),
    )
    waits = "the database can't be used: nothing listens there; is it running?"
    (tried, at_the_worker), (tried_there, at_the_portal), without_temporal = ended
    assert tried.endswith(f" {waits}; it is tried again for 60 seconds")
    assert tried_there.endswith(f" {waits}; it is tried again for 60 seconds")
    assert (at_the_worker, at_the_portal) == (f"countersign worker: {waits}", waits)
    why = f"nothing listens at {nowhere}. Is Temporal running?"
    assert without_temporal == [f"countersign worker: Temporal can't be reached: {why}"]


async def ends_late(program: list[str], environment: dict[str, str]) -> list[str]:
    """Run a program that must end with code 1 after more than a minute; its output without INFO lines."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, *program, cwd=ROOT, env=os.environ | environment, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert (process.returncode, time.monotonic() - began > 60) == (1, True), errors
    return [line for line in errors.decode().splitlines() if "INFO" not in line]


async def test_what_was_opened_is_closed_when_a_start_fails(temporal_address: str, sqlite_url: str) -> None:
    before = {thread.ident for thread in threading.enumerate()}  # engines of other tests may run meanwhile
    async with MailServer() as mail:
        settings = settings_for(sqlite_url, temporal_address, "nowhere", mail)
        with pytest.raises(BadSetting, match="TEMPORAL_NAMESPACE"):
            await worker.run(settings, asyncio.Event())
    ours = [thread for thread in threading.enumerate() if thread.ident not in before]
    assert [thread.name for thread in ours if thread.name.startswith("store")] == []


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        (
            'Status { code: Unauthenticated, message: "Request unauthorized." }',
            BadSetting,
            "COUNTERSIGN_TEMPORAL_API_KEY",
        ),
        ("ConnectError(Custom { error: InvalidCertificate(UnknownIssuer) })", BadSetting, "not trust the certificate"),
        (
            "ConnectError(Os { kind: ConnectionRefused })",
            Unavailable,
            "nothing listens at 127.0.0.1:1. Is Temporal running?",
        ),
        ("something new", Unavailable, "127.0.0.1:1 does not answer"),
    ],
)
def test_what_a_server_says_that_none_here_does(said: str, error: type[Unavailable], message: str) -> None:
    found = why_unreachable(said, NOWHERE)
    assert type(found) is error
    assert message in str(found)


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
    """Issues other commands than our workflow of the same name."""

    @workflow.run
    async def run(self, _: str) -> None:
        await workflow.sleep(3600)


async def test_before_an_upgrade_all_that_is_open_is_replayed_and_what_would_not_go_on_is_named(
    temporal_address: str, sqlite_url: str
) -> None:
    namespace = await new_namespace(temporal_address)
    async with Deployment(temporal_address, namespace, sqlite_url) as deployment:
        request, granted = await deployment.ask("alice"), await deployment.ask("carol")
        await granted.outcome()
        environment = environment_for(sqlite_url, temporal_address, namespace, deployment.mail)
        done = await asyncio.to_thread(run, "--replay", **environment)
        assert (done.returncode, done.stderr) == (0, "")
        assert re.search(rf"^grant:{granted.id}:.+: has not begun$", done.stdout, re.MULTILINE)
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
            async with asyncio.timeout(120):
                # Wait until its first task is done.
                while (await handle.describe()).history_length < 5:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        done = await asyncio.to_thread(run, "--replay", **environment)
        assert done.returncode == 1, done.stdout
        assert "grant:7: " in done.stdout
        assert "1 would not go on." in done.stdout
        assert f"{request.question.workflow_id}: replays" in done.stdout
