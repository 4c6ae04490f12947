"""A real Dovecot for tests: unprivileged, on loopback, in one throwaway folder, with mail delivered into Maildir."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
PASSWORD = "sandbox"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
UNPRIVILEGED = "nobody"
WHERE_DEBIAN_HAS_IT = "/usr/sbin"
WHY_NOT = "Dovecot is not installed (on Debian: apt-get install dovecot-imapd)"

CONFIG = """
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
protocols = imap
listen = {host}
ssl = {ssl}
{certificate}
disable_plaintext_auth = no
auth_failure_delay = 0
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_location = maildir:{home}/mail/%u
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 1
login_trusted_networks = {host}
service imap-login {{
  chroot =
  process_min_avail = 0
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
passdb {{
  driver = static
  mechanisms = plain login
  args = password={password}
}}
userdb {{
  driver = static
  args = home={home}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = {separator}
  prefix = {prefix}
}}
{more}
"""

# Logins are by token only; each token is checked with the server that `oauth2` describes.
OAUTH2 = """
auth_mechanisms = xoauth2
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {home}/oauth2.conf
}}
"""


def dovecot_binary() -> str | None:
    """Find Dovecot; None if it isn't installed."""
    return shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:{WHERE_DEBIAN_HAS_IT}")


class Dovecot:
    """`with Dovecot() as server:`; anybody may log in. The mail and the ports survive `stop` and `start`."""

    def __init__(
        self, *, prefix: str = "", separator: str = "/", more: str = "", oauth2: str = "", tls: bool = False
    ) -> None:
        self.port, self.tls_port = _two_free_ports()
        self._settings = {"prefix": prefix, "separator": separator, "more": more}
        self._oauth2 = oauth2
        self._tls = tls
        # A socket's path has at most 107 characters, and a test's own folder soon uses them up.
        self.home = Path(tempfile.mkdtemp(prefix="dovecot-", dir="/tmp"))
        self.account = pwd.getpwnam(UNPRIVILEGED) if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self._process: subprocess.Popen[bytes] | None = None

    def settings_for(self, security: str) -> dict[str, object]:
        """How to reach it encrypted: with `tls` from the first byte, or with `starttls`."""
        port = self.tls_port if security == "tls" else self.port
        return {"security": security, "port": port, "ca_file": self.certificate}

    @property
    def certificate(self) -> Path:
        """The file with its certificate, if it speaks TLS; self-signed, so clients trust it as an authority."""
        return self.home / "certificate.pem"

    def __enter__(self) -> Self:
        for folder in ("run", "mail"):
            (self.home / folder).mkdir()
        if self._tls:
            self._make_certificate()
        if self._oauth2:
            (self.home / "oauth2.conf").write_text(self._oauth2)
            self._settings["more"] += OAUTH2.format(home=self.home)
        self.own(self.home)
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def own(self, top: Path) -> None:
        """Give files to the account Dovecot runs as."""
        for path in (top, *top.rglob("*")):
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def start(self, password: str = PASSWORD) -> None:
        """Start, and wait until it answers; `password` is everybody's from now on."""
        binary = dovecot_binary()
        assert binary
        config = self.home / "dovecot.conf"
        config.write_text(self._config(password))
        self.own(config)
        command = [binary, "-F", "-c", str(config)]
        if os.getuid() == 0:
            user, group = self.account.pw_uid, self.account.pw_gid
            self._process = subprocess.Popen(command, user=user, group=group, extra_groups=[], start_new_session=True)
        else:
            self._process = subprocess.Popen(command, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Dovecot did not start:\n{self.log()}")

    def stop(self) -> None:
        """Stop, hanging up on every client; returns once the last of its processes has written its state and ended."""
        if self._process:
            # All of them: the processes that serve a client live on for 30 seconds if only their master is stopped.
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(STOP_SECONDS)
            deadline = time.monotonic() + STOP_SECONDS
            while _runs(self._process.pid):
                assert time.monotonic() < deadline, f"Dovecot did not stop:\n{self.log()}"
                time.sleep(0.01)
            self._process = None

    def log(self) -> str:
        """What it wrote to its log."""
        path = self.home / "log"
        return path.read_text() if path.exists() else ""

    def _config(self, password: str) -> str:
        certificate = f"ssl_cert = <{self.certificate}\nssl_key = <{self.home / 'key.pem'}" if self._tls else ""
        return CONFIG.format(
            home=self.home,
            host=HOST,
            port=self.port,
            tls_port=self.tls_port,
            user=self.account.pw_name,
            group=grp.getgrgid(self.account.pw_gid).gr_name,
            password=password,
            ssl="yes" if self._tls else "no",
            certificate=certificate,
            **self._settings,
        )

    def _make_certificate(self) -> None:
        key, subject = str(self.home / "key.pem"), ["-subj", "/CN=localhost", "-addext", f"subjectAltName=IP:{HOST}"]
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key]
        subprocess.run([*make, *subject, "-out", str(self.certificate)], check=True, capture_output=True)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                return connection.recv(4) == b"* OK"
        except OSError:
            return False


def _runs(session: int) -> bool:
    """Whether any process of the session still runs; one that has ended but was not waited for shows as Z."""
    listed = subprocess.run(["ps", "-s", str(session), "-o", "stat="], capture_output=True, text=True, check=False)
    return any(not state.startswith("Z") for state in listed.stdout.split())


def _two_free_ports() -> tuple[int, int]:
    with socket.create_server((HOST, 0)) as one, socket.create_server((HOST, 0)) as other:
        return int(one.getsockname()[1]), int(other.getsockname()[1])


class Account:
    """One account on a Dovecot, with an INBOX of its own."""

    password = PASSWORD

    def __init__(self, server: Dovecot, username: str) -> None:
        self.server = server
        self.host = HOST
        self.port = server.port
        self.username = username
        self.maildir = server.home / "mail" / username
        for each in ("tmp", "new", "cur"):
            (self.maildir / each).mkdir(parents=True)
        server.own(self.maildir)
        self._names = count(1)

    def start(self) -> None:
        """Start the whole server again."""
        self.server.start()

    def stop(self) -> None:
        """Stop the whole server."""
        self.server.stop()

    def deliver(self, raw: bytes) -> None:
        """Deliver one mail as a delivery agent does: write it to `tmp`, then rename it into place."""
        name = f"{time.time():.6f}.M{next(self._names)}.test"
        path = self.maildir / "tmp" / name
        path.write_bytes(raw)
        self.server.own(path)
        path.rename(self.maildir / "new" / name)

    def renumber(self) -> None:
        """Give INBOX another UIDVALIDITY, as a restored or moved server does; call it while stopped."""
        for index in self.maildir.glob("dovecot.index*"):
            index.unlink()
        listing = self.maildir / "dovecot-uidlist"
        text = listing.read_text()
        listing.write_text(re.sub(r"V(\d+)", lambda match: f"V{int(match[1]) + 1}", text, count=1))
