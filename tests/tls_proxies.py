"""The real nginx and Caddy in front of a portal, configured by the recipes in `deploy/`, for tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.temporal_server import free_port

DEPLOY = Path(__file__).parent.parent / "deploy"
SYSTEM = "/usr/sbin:/usr/bin"
HOST = "access.example.com"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
NGINX = """
daemon off;
{user}
pid {home}/pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    include {home}/countersign.conf;
}}
"""
# The recipes' line that says where Caddy's API listens, and the lines that the tests add after it.
ADMIN = "\tadmin unix//var/lib/caddy/admin.sock\n"
OPTIONS = "\tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n\tskip_install_trust\n"
NOBODY = 65534
COULD_NOT_CONNECT = 7  # curl(1)

Command = Callable[[Path, int, str, str, str], list[str]]


def found(name: str) -> str | None:
    """Where the program is, if it is installed."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM}")


def nginx(home: Path, port: int, portal: str, certificate: str, key: str) -> list[str]:
    recipe = replaced(
        (DEPLOY / "nginx" / "countersign.conf").read_text(),
        {
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "/etc/ssl/access.example.com.pem": certificate,
            "/etc/ssl/private/access.example.com.key": key,
            "127.0.0.1:8080": portal,
        },
    )
    (home / "countersign.conf").write_text(recipe)
    user = "user root root;" if os.geteuid() == 0 else ""
    (home / "nginx.conf").write_text(NGINX.format(home=home, user=user))
    return [str(found("nginx")), "-p", str(home), "-e", "stderr", "-c", str(home / "nginx.conf")]


def caddy(home: Path, port: int, portal: str, certificate: str, key: str) -> list[str]:
    changes = own_socket(home) | {
        f"{HOST} {{": f"https://{HOST}:{port} {{",
        "tls {": f"tls {certificate} {key} {{",
        "127.0.0.1:8080": portal,
    }
    (home / "Caddyfile").write_text(replaced((DEPLOY / "caddy" / "Caddyfile").read_text(), changes))
    return [str(found("caddy")), "run", "--config", str(home / "Caddyfile"), "--adapter", "caddyfile"]


PROXIES: dict[str, Command] = {"nginx": nginx, "caddy": caddy}


def own_socket(home: Path) -> dict[str, str]:
    """The changes to a Caddyfile that make its API listen in the test's folder."""
    return {ADMIN: f"\tadmin unix/{home}/admin.sock\n{OPTIONS}"}


def must_keep_its_configuration(home: Path) -> None:
    """Only its own account can use the API of the Caddy that runs there, or read the files that Caddy has written."""
    asked = ["curl", "--silent", "--show-error", "--max-time", "10"]
    as_nobody = ["setpriv", "--reuid", str(NOBODY), "--clear-groups"] if os.geteuid() == 0 else []
    refused = subprocess.run([*as_nobody, *asked, "localhost:2019/config/"], capture_output=True, check=False)
    assert refused.returncode == COULD_NOT_CONNECT, refused
    assert (home / "admin.sock").stat().st_mode & 0o022 == 0  # connecting needs write permission (unix(7))
    reload = [str(found("caddy")), "reload", "--config", str(home / "Caddyfile"), "--adapter", "caddyfile"]
    subprocess.run(reload, env={"PATH": SYSTEM, "HOME": str(home)}, capture_output=True, check=True)
    written = [one for one in (home / "caddy").rglob("*") if one.is_file()]
    assert [one for one in written if b"reverse_proxy" in one.read_bytes()], written
    assert not [one for one in written if one.stat().st_mode & 0o077], written


def replaced(recipe: str, changes: dict[str, str]) -> str:
    """A recipe with these texts replaced, such as addresses and files; each must be in it."""
    for old, new in changes.items():
        assert old in recipe, old
        recipe = recipe.replace(old, new)
    return recipe


@contextmanager
def running(
    name: str, home: Path, portal_url: str, certificate: str, key: str, commands: Mapping[str, Command] = PROXIES
) -> Iterator[str]:
    """Run a proxy with a server's certificate and key, in PEM files; yields its URL."""
    port = free_port()
    command = commands[name](home, port, urlsplit(portal_url).netloc, certificate, key)
    environment = {"PATH": SYSTEM, "HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait(process, port, home / "log")
        yield f"https://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    over = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < over:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"it did not start: {log.read_text()}")
