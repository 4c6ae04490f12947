"""A throwaway PostgreSQL cluster: made, served on loopback, and removed again. Nothing in it survives the machine."""

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pg8000.exceptions
import pg8000.native

from sandbox.temporal_server import HOST, free_port

USER = "countersign"
DEBIAN = Path("/usr/lib/postgresql")
# Speed instead of safety: this cluster is never read after its process ends.
HASTE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
INITDB_SECONDS = 120
START_SECONDS = 120
STOP_SECONDS = 10
CONNECT_SECONDS = 60
POLL_SECONDS = 0.05


# Starts a server, with more settings than the usual ones if any are given.
Serve = Callable[..., subprocess.Popen[bytes]]


class NoPostgres(Exception):
    """No PostgreSQL can be had here; the text says why."""


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs: where it listens, and its superuser's password."""

    port: int
    password: str

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"postgresql+pg8000://{USER}:{self.password}@{HOST}:{self.port}/{database}"

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """The URL of a new copy of a database, by default an empty one; dropped at the end, whoever is connected."""
        name = f"test_{secrets.token_hex(8)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def run(self, statement: str) -> None:
        """Run one statement as the superuser, outside a transaction."""
        connection = pg8000.native.Connection(
            USER, HOST, "postgres", self.port, self.password, ssl_context=False, timeout=CONNECT_SECONDS
        )
        try:
            connection.run(statement)
        finally:
            connection.close()


@contextmanager
def new_cluster() -> Iterator[tuple[Cluster, Path, Serve]]:
    """A new cluster, its folder, and the function that serves it; raises NoPostgres if it can't be made."""
    programs = find_programs()
    runs_as = _somebody_else()
    with tempfile.TemporaryDirectory(prefix="countersign-postgres-") as name:
        folder = Path(name)
        cluster = Cluster(free_port(), secrets.token_hex(16))
        _initialise(programs, folder, cluster.password, runs_as)
        yield cluster, folder, partial(_serve, programs, folder, cluster.port, runs_as)


@contextmanager
def throwaway_postgres() -> Iterator[Cluster]:
    """Serve a new cluster for as long as the block lasts; raises NoPostgres if that can't be done."""
    with new_cluster() as (cluster, folder, serve):
        server = serve()
        try:
            wait_for(cluster, server, folder)
            yield cluster
        finally:
            stop(server)


def find_programs(debian: Path = DEBIAN) -> Path:
    """The folder of `initdb` and `postgres`: on PATH, else the newest of Debian's packages. Raises NoPostgres."""
    on_path = shutil.which("initdb")
    installed = sorted(debian.glob("*/bin"), key=lambda folder: int(re.sub(r"\D", "", folder.parent.name) or 0))
    candidates = ([Path(on_path).resolve().parent] if on_path else []) + installed[::-1]
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise NoPostgres("PostgreSQL is not installed (Debian's package is `postgresql`): no initdb on PATH")


def _somebody_else() -> pwd.struct_passwd | None:
    """Whom to run as, since initdb refuses root; None if we are an ordinary user. Raises NoPostgres."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoPostgres("PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody`")


def _identity(runs_as: pwd.struct_passwd | None) -> dict[str, Any]:
    return {"user": runs_as.pw_uid, "group": runs_as.pw_gid, "extra_groups": []} if runs_as else {}


def _initialise(programs: Path, folder: Path, password: str, runs_as: pwd.struct_passwd | None) -> None:
    # A password, as other users of this machine can reach loopback, too, and a superuser may run programs.
    secret = folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    if runs_as:
        for path in (folder, secret):
            os.chown(path, runs_as.pw_uid, runs_as.pw_gid)
    command = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", USER, f"--pwfile={secret}"]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=INITDB_SECONDS, check=False, **_identity(runs_as)
    )
    if done.returncode != 0:
        raise NoPostgres(f"initdb failed: {done.stderr.strip()[-300:]}")


def _serve(
    programs: Path,
    folder: Path,
    port: int,
    runs_as: pwd.struct_passwd | None,
    more: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    settings = HASTE | {"listen_addresses": HOST, "port": str(port), "unix_socket_directories": "", **(more or {})}
    command = [str(programs / "postgres"), "-D", str(folder / "data")]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with (folder / "log").open("wb") as log:
        # Its own session: Ctrl-C reaches us, and we stop the server last.
        return subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, start_new_session=True, **_identity(runs_as)
        )


def wait_for(cluster: Cluster, server: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until the server answers; raises NoPostgres if it ends, or doesn't answer."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            cluster.run("SELECT 1")
            return
        except (pg8000.exceptions.Error, OSError) as error:
            if server.poll() is not None or time.monotonic() > deadline:
                text = (folder / "log").read_text(errors="replace").strip()[-300:]
                raise NoPostgres(f"PostgreSQL does not answer ({error}): {text}") from error
        time.sleep(POLL_SECONDS)


def stop(server: subprocess.Popen[bytes]) -> None:
    """End a server at once, but properly."""
    server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown: clients are disconnected
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
