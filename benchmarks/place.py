"""Where the measurements run: one Temporal server, one mail sink, one worker at a time, all on loopback."""

import asyncio
import os
import secrets
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session
from temporalio.client import Client as TemporalClient

from countersign.client import Client
from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
from engine.engine import Engine
from engine.policy import apply_policy
from sandbox.mail_settings import new_mail_keys
from sandbox.temporal_namespace import add_search_attributes, register
from store import Store

PEOPLE, DEVICES = 60, 60
APPROVER = "grace@example.test"
PROTOCOLS = list(ConnectionProtocol)
START_SECONDS = 60
STOP_SECONDS = 30


class Sink:
    """An SMTP server that only keeps when each mail came: (Message-ID or else subject, recipient) -> moment."""

    def __init__(self) -> None:
        self.arrived: dict[tuple[str, str], float] = {}
        self.subjects: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.port = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take a mail."""
        now = time.perf_counter()
        assert isinstance(envelope.content, bytes)
        head = message_from_bytes(envelope.content.partition(b"\r\n\r\n")[0])
        self.subjects[str(head["Subject"])].set()
        for recipient in envelope.rcpt_tos:
            self.arrived[str(head["Message-ID"] or head["Subject"]), recipient] = now
        return "250 OK"

    async def has_come(self, subject: str) -> None:
        """Wait for a mail with this subject."""
        await self.subjects[subject].wait()

    async def listen(self) -> asyncio.Server:
        """Listen on a free port."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(self, enable_SMTPUTF8=True), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server


@dataclass
class Place:
    """What a measurement needs."""

    address: str
    folder: Path
    sink: Sink


@dataclass
class Deployment:
    """Countersign with its worker running; `pid` is the worker's, and `environment` holds its settings."""

    client: Client
    store: Store
    engine: Engine
    pid: int
    environment: dict[str, str]

    async def ask(self, number: int) -> int:
        """Open the n-th request, unlike all others; returns its approval id."""
        protocol, rest = number % len(PROTOCOLS), number // len(PROTOCOLS)
        question = ConnectionQuestion(
            requester=f"user-{rest % PEOPLE}",
            device=f"device-{rest // PEOPLE}",
            protocol=PROTOCOLS[protocol],
            reason="Disk full, cleaning up.",
        )
        return (await self.client.ask(question, asked_by=question.requester)).approval_id


@asynccontextmanager
async def process(place: Place, *command: str, ready: str, **environment: str) -> AsyncIterator[int]:
    """Run a Python program until the block ends; yields its pid once it has printed `ready`."""
    log = place.folder / f"{Path(command[-1]).name}.log"
    with log.open("w") as output:
        program = await asyncio.create_subprocess_exec(
            sys.executable, *command, env=os.environ | environment, stdout=output, stderr=output
        )
    try:
        await until(lambda: ready in log.read_text() or program.returncode is not None, START_SECONDS)
        if program.returncode is not None:
            raise RuntimeError(log.read_text())
        yield program.pid
    finally:
        if program.returncode is None:
            program.terminate()
        await asyncio.wait_for(program.wait(), STOP_SECONDS)


@asynccontextmanager
async def deployment(place: Place, name: str, **settings: str) -> AsyncIterator[Deployment]:
    """Countersign on a fresh database, sending its mail to the sink unless the settings say otherwise.

    It has a namespace of its own: requests that an earlier measurement left open would be joined, and have no worker.
    """
    namespace = await _new_namespace(place.address, name)
    environment = {
        "TEMPORAL_ADDRESS": place.address,
        "TEMPORAL_NAMESPACE": namespace,
        "COUNTERSIGN_DATABASE_URL": f"sqlite:///{place.folder / name}.db",
        "COUNTERSIGN_LOG_LEVEL": "info",
        "COUNTERSIGN_REQUESTS_AN_HOUR": "0",
        "COUNTERSIGN_CALLS_A_MINUTE": "0",
        "COUNTERSIGN_MAIL_KEYS": new_mail_keys(),
        "COUNTERSIGN_SMTP_HOST": "127.0.0.1",
        "COUNTERSIGN_SMTP_PORT": str(place.sink.port),
        "COUNTERSIGN_SMTP_SECURITY": "none",
        **settings,
    }
    store = Store(environment["COUNTERSIGN_DATABASE_URL"])
    apply_policy(store, policy(), "bench")
    client = await Client.connect(place.address, namespace)
    engine = Engine(client, store)
    async with process(place, "worker.py", ready="ready", **environment) as pid:
        yield Deployment(client, store, engine, pid, environment)
    store.close()


async def _new_namespace(address: str, name: str) -> str:
    namespace = f"bench-{name}-{secrets.token_hex(4)}"
    client = await TemporalClient.connect(address, namespace=namespace)
    await register(client, namespace)
    await add_search_attributes(client)
    return namespace


async def until(true: Callable[[], bool], seconds: float, every: float = 0.02) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(every)


def policy() -> str:
    """Sixty people under one manager, an admin, sixty devices: each question can be asked once."""
    users = [f"  user-{n}: {{name: User {n}, email: user-{n}@example.test}}" for n in range(PEOPLE)]
    members = ", ".join(f"user-{n}" for n in range(PEOPLE))
    devices = ", ".join(f"device-{n}" for n in range(DEVICES))
    return "\n".join(
        [
            "users:",
            *users,
            f"  grace: {{name: Grace Hopper, email: {APPROVER}, roles: [admin]}}",
            "  ada: {name: Ada Admin, email: ada@example.test, roles: [admin]}",
            "user_groups:",
            f"  everybody: {{members: [{members}], managers: [grace], require_managerial_approval: true}}",
            f"device_groups: {{servers: {{devices: [{devices}]}}}}",
            "approval_status_change_to_expire: 600",
        ]
    )
