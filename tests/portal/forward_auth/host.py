"""A host with web applications whose parts a test may kill: PostgreSQL, the portal and the gate service.

There is no worker: requests are approved in the database, and nothing is revoked.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import func, select, update

from engine.credentials.tokens import TokenActions
from engine.policy import apply_policy
from sandbox.postgres import Cluster, new_cluster, stop, wait_for
from sandbox.temporal_server import free_port
from store import Store
from store.tables import grants, requests
from store.tokens import Owner
from tests.countersign.installation import COMMAND, ROOT, STOP_SECONDS
from tests.portal.context import Portal, until
from tests.portal.forward_auth.applications import APP, APPLICATIONS, DEVICES, WIKI, Scene, behind
from tests.portal.forward_auth.raw_application import RawApplication, Relayed
from tests.portal.pages.conftest import Site
from tests.store.requests import approved

# How long a grant for WIKI lasts, and how long connections stay open without an answer of the portal.
BRIEF_SECONDS, GRACE_SECONDS = 15, 4
POLICY = APPLICATIONS.replace(f"[{APP}, {WIKI}]}}", f"[{APP}]}}\n  brief: {{devices: [{WIKI}], grant_minutes: 15s}}", 1)
NO_TEMPORAL = "127.0.0.1:1"


@dataclass
class Killable:
    """A process that can be started again with the same command; `answers` says whether it is ready."""

    command: Sequence[str]
    environment: Mapping[str, str]
    answers: Callable[[], bool]
    said: Path
    process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it; it answers when this returns."""
        process = self.process = self._begin()
        await until(lambda: process.poll() is not None or self.answers())
        assert process.poll() is None, self.command

    def _begin(self) -> subprocess.Popen[bytes]:
        with self.said.open("ab") as output:
            return subprocess.Popen(self.command, cwd=ROOT, env=self.environment, stdout=output, stderr=output)

    def stop(self) -> int:
        """End it as an operator does; returns its exit code."""
        assert self.process
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """End it as a crash does."""
        assert self.process
        self.process.kill()
        self.process.wait(STOP_SECONDS)


@dataclass
class Host:
    """The host with all its parts."""

    site: Site
    database_url: str
    application: RawApplication
    portal: Killable
    gate: Killable
    sockets: Path
    start_database: Callable[[], None]
    stop_database: Callable[[], None]

    def approved(self, person: str, device: str) -> datetime:
        """Give somebody a grant; returns when it ends."""
        asked = {"requester": person, "device": device, "protocol": "http", "source_address": "127.0.0.1"}
        view = self.site.store.reading.request(approved(self.site.store, **asked))
        assert view
        assert view.grant
        return view.grant.ends_at

    def set_grants(self, person: str, status: str, only_first: bool = False) -> None:
        """Give somebody's grants, or only the first of them, this status."""
        with self.site.store.database.transaction() as connection:
            numbers = select(grants.c.approval_id).where(grants.c.requester == person)
            chosen = numbers.order_by(grants.c.approval_id).limit(1 if only_first else None).scalar_subquery()
            connection.execute(update(grants).where(grants.c.approval_id.in_(chosen)).values(status=status))

    def requests(self) -> int:
        """How many requests there are."""
        with self.site.store.database.reading() as connection:
            found: int = connection.execute(select(func.count()).select_from(requests)).scalar_one()
        return found

    @asynccontextmanager
    async def scenes(self, proxy: str, folder: Path, site: Site | None = None) -> AsyncIterator[Scenes]:
        """The applications behind this proxy, once with and once without the relay."""
        async with AsyncExitStack() as stack:
            found: list[Scene] = []
            for relay in (None, self.sockets):
                home = folder / ("relayed" if relay else "direct")
                home.mkdir()
                found.append(await stack.enter_async_context(behind(proxy, site or self.site, home, relay)))
            yield Scenes(found[0], found[1], self.application)


@dataclass
class Scenes:
    """Applications behind one proxy, with and without the relay."""

    direct: Scene
    relayed: Scene
    application: RawApplication

    @property
    def relay(self) -> Relayed:
        """The applications behind the relay, to talk to."""
        return Relayed(self.relayed, self.application, Path("none"))

    def reached(self) -> tuple[int, int]:
        """How many requests have come to the applications."""
        return len(self.direct.application.seen), len(self.application.heads)


@contextmanager
def _database() -> Iterator[tuple[Cluster, Callable[[], None], Callable[[], None]]]:
    with new_cluster() as (cluster, folder, serve):
        servers: list[subprocess.Popen[bytes]] = []

        def start() -> None:
            servers.append(serve())
            wait_for(cluster, servers[-1], folder)

        start()
        try:
            yield cluster, start, lambda: stop(servers[-1])
        finally:
            stop(servers[-1])


@asynccontextmanager
async def serving_host() -> AsyncIterator[Host]:
    """Run a host until the end of the block."""
    # The path of a Unix socket may have 107 characters.
    with _database() as (cluster, start, end), tempfile.TemporaryDirectory() as made:
        folder, port = Path(made), free_port()
        url = f"http://127.0.0.1:{port}"
        store = Store(cluster.url())
        apply_policy(store, POLICY, "ada")
        application = RawApplication()
        server = await asyncio.start_server(application, "127.0.0.1", 0)
        site = Site(url, Portal(url), store, cast(Any, None))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")}
        settings = {
            "COUNTERSIGN_DATABASE_URL": cluster.url(),
            "COUNTERSIGN_PORTAL_PORT": str(port),
            "COUNTERSIGN_PUBLIC_URL": url,
            "COUNTERSIGN_LOG_LEVEL": "error",
            "TEMPORAL_ADDRESS": NO_TEMPORAL,
        }
        portal = Killable(
            [sys.executable, "-m", "portal", "serve"],
            environment | settings,
            lambda: _listens(port),
            folder / "portal.log",
        )
        config = _gate(folder, url, store, server.sockets[0].getsockname()[1])
        gate = Killable(
            [COMMAND, "gate", "serve", "--config", str(config)],
            environment,
            lambda: _is_there(folder),
            folder / "gate.log",
        )
        await portal.start()
        await gate.start()
        try:
            yield Host(site, cluster.url(), application, portal, gate, folder / "http", start, end)
        finally:
            for one in (gate, portal):
                one.kill()
            server.close()
            store.close()


def _gate(folder: Path, url: str, store: Store, port: int) -> Path:
    """The gate's configuration, with a token of its own."""
    owner = Owner(kind="gateway", name="relay", targets=[*DEVICES.values()], variants=["http"])
    token, config = folder / "gate.token", folder / "gate.toml"
    token.touch(0o600)
    token.write_text(TokenActions(store).create(owner, "tests"))
    devices = "\n".join(
        f'[devices.{name}]\naddress = "127.0.0.1"\nports = {{ http = {port} }}' for name in DEVICES.values()
    )
    config.write_text(
        f'url = "{url}"\ntoken_file = "{token}"\nsocket = "{folder / "gate.sock"}"\ngrace = "{GRACE_SECONDS}s"\n'
        f'[http]\nproxy_user = "{getpass.getuser()}"\nfolder = "{folder / "http"}"\n{devices}\n'
    )
    return config


def _listens(port: int) -> bool:
    return _connects(("127.0.0.1", port), socket.AF_INET)


def _is_there(folder: Path) -> bool:
    return _connects(str(folder / "gate.sock"), socket.AF_UNIX)


def _connects(address: Any, family: socket.AddressFamily) -> bool:
    with socket.socket(family) as client:
        client.settimeout(1)
        return client.connect_ex(address) == 0
