"""A whole installation in processes of its own, and its command line, for the tests of `countersign`."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from engine.credentials.tokens import TokenActions
from engine.policy import apply_policy
from sandbox.mail_settings import mail_settings, new_mail_keys
from sandbox.temporal_server import free_port
from store import Store
from store.tokens import Owner
from tests.databases import new_sqlite
from tests.workflows.deployment import new_namespace

ROOT = Path(__file__).parent.parent.parent
COMMAND = str(Path(sys.executable).parent / "countersign")
PROGRAMS = {"worker": ["worker.py"], "portal": ["-m", "portal", "serve"]}
START_SECONDS = 120
STOP_SECONDS = 120
DEVICES = [f"cli-{n:02}" for n in range(40)]
TWO_LEVELS, OPEN = "cli-two", "cli-open"
PEOPLE = ("ada", "grace", "heidi", "ivan", "alice", "bob", "carol")

POLICY = f"""
users:
  ada: {{name: Ada Admin, email: ada@example.test, roles: [admin]}}
  grace: {{name: Grace Hopper, email: grace@example.test}}
  heidi: {{name: Heidi Huber, email: heidi@example.test}}
  ivan: {{name: Ivan Ivanov, email: ivan@example.test}}
  alice: {{name: Alice Ainsworth, email: alice@example.test}}
  bob: {{name: "Bob [red]Baker[/red]", email: bob@example.test}}
  carol: {{name: Carol Clark, email: carol@example.test}}
user_groups:
  engineers: {{members: [alice, bob], managers: [grace], require_managerial_approval: true}}
  finance: {{members: [carol], managers: [heidi]}}
device_groups:
  web: {{devices: [{", ".join(DEVICES)}]}}
  databases: {{devices: [{TWO_LEVELS}], managers: [heidi, ivan]}}
  lab: {{devices: [{OPEN}]}}
approval_workflows:
  - name: Engineers to databases
    user_group: engineers
    device_group: databases
    levels:
      - approvers: [{{managers_of: engineers}}]
      - approvers: [{{managers_of: databases}}]
fallback_approvers: [ada, heidi, ivan]
grant_minutes: 120
"""


@dataclass(frozen=True)
class Ran:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What was printed, which must be one JSON value."""
        return json.loads(self.out)


Run = Callable[..., Ran]


@dataclass
class Installation:
    """Its address, and the token of each person; `devices` yields those that nobody has asked for yet."""

    url: str
    tokens: dict[str, str]
    devices: Iterator[str] = field(default_factory=lambda: iter(DEVICES))
    settings: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def environment(self, who: str, columns: int = 80) -> dict[str, str]:
        """The environment of somebody's shell."""
        login = {"COUNTERSIGN_URL": self.url, "COUNTERSIGN_TOKEN": self.tokens.get(who, "")}
        return {**os.environ, **login, "COLUMNS": str(columns), "TZ": "UTC"}

    def start(self, name: str) -> None:
        """Start the worker or the portal; see `until_healthy`."""
        environment = {**os.environ, **self.settings}
        self.processes[name] = subprocess.Popen([sys.executable, *PROGRAMS[name]], cwd=ROOT, env=environment)

    def kill(self, name: str) -> None:
        """End the worker or the portal as a crash does."""
        self.processes[name].kill()
        self.processes[name].wait(STOP_SECONDS)

    def until_healthy(self) -> None:
        """Wait until the portal answers, and a worker has given its first sign of life."""
        port = int(self.settings["COUNTERSIGN_PORTAL_PORT"])
        _wait_until_it_listens(self.processes["portal"], port)
        _wait_until_healthy(self.url)

    def end(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(STOP_SECONDS)


@contextmanager
def installed(
    temporal_address: str, folder: Path, policy: str = POLICY, database_url: str = ""
) -> Iterator[Installation]:
    """Run the worker and the portal until the end of the block; on SQLite, unless an empty database is named."""
    port, smtp_port, imap_port = free_port(), free_port(), free_port()
    settings = {
        "COUNTERSIGN_DATABASE_URL": database_url or new_sqlite(folder / "countersign.db"),
        # A namespace of its own: another installation's worker would take its tasks and write to another database.
        "TEMPORAL_NAMESPACE": _new_namespace(temporal_address),
        "COUNTERSIGN_PORTAL_PORT": str(port),
        **mail_settings(smtp_port, imap_port, new_mail_keys()),
        "COUNTERSIGN_LOG_LEVEL": "warning",
        "COUNTERSIGN_RDP_GATE": "rdp.example.test",
        "COUNTERSIGN_REQUESTS_AN_HOUR": "0",
        "COUNTERSIGN_REFUSALS_AN_HOUR": "0",
        "TEMPORAL_ADDRESS": temporal_address,
    }
    store = Store(settings["COUNTERSIGN_DATABASE_URL"])
    apply_policy(store, policy, "ada")
    tokens = {name: TokenActions(store).create(Owner(kind="person", name=name), "tests") for name in PEOPLE}
    gateway = Owner(kind="gateway", name="bastion", target_groups=["web", "lab"], variants=["ssh"])
    tokens["bastion"] = TokenActions(store).create(gateway, "tests")
    tokens["vpn-1"] = TokenActions(store).create(Owner(kind="gateway", name="vpn-1", variants=["device"]), "tests")
    store.close()
    mail = ["-m", "sandbox", "serve", "--smtp-port", str(smtp_port), "--imap-port", str(imap_port)]
    with _running(mail, settings, imap_port):
        here = Installation(f"http://127.0.0.1:{port}", tokens, settings=settings)
        try:
            for name in PROGRAMS:
                here.start(name)
            here.until_healthy()
            yield here
        finally:
            here.end()


def _new_namespace(temporal_address: str) -> str:
    """Make it in another thread, as the test's own may already run an event loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(new_namespace(temporal_address))).result()


@contextmanager
def another_portal(installation: Installation) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A second portal of the installation: its address, and its process, which a test may kill."""
    port = free_port()
    settings = installation.settings | {"COUNTERSIGN_PORTAL_PORT": str(port)}
    with _running(PROGRAMS["portal"], settings, port) as process:
        _wait_until_healthy(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}", process


@contextmanager
def _running(arguments: list[str], settings: dict[str, str], port: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of ours; the block begins when it listens on `port`, if one is named."""
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env={**os.environ, **settings})
    try:
        _wait_until_it_listens(process, port)
        yield process
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _wait_until_healthy(url: str) -> None:
    """Wait until the portal is healthy, which includes the worker's first sign of life."""
    deadline = time.monotonic() + START_SECONDS
    while httpx.get(f"{url}/api/v1/health", trust_env=False, timeout=START_SECONDS).status_code != httpx.codes.OK:
        assert time.monotonic() < deadline, "something never came up"
        time.sleep(0.05)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while port and time.monotonic() < deadline:
        assert process.poll() is None, "it ended at once"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    assert not port, "it does not listen"
