"""A real Dovecot for tests: unprivileged, on loopback, one throwaway folder, mail handed in through Maildir."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
USER = "countersign"
PASSWORD = "sandbox"
START_SECONDS = 20.0
STOP_SECONDS = 10.0
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
}}
service stats {{
  chroot =
}}
passdb {{
  driver = static
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


def dovecot_binary() -> str | None:
    """Find Dovecot; None where it isn't installed."""
    return shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:{WHERE_DEBIAN_HAS_IT}")


class Dovecot:
    """`with Dovecot() as server:`; the mail survives `stop` and `start`, the ports stay."""

    def __init__(self, *, prefix: str = "", separator: str = "/", more: str = "") -> None:
        self.host = HOST
        self.port = _free_port()
        self.tls_port = _free_port()
        self.username = USER
        self.password = PASSWORD
        self.prefix = prefix
        self.separator = separator
        self.more = more
        # A socket's path may have 107 characters, which a test's own folder soon uses up.
        self.home = Path(tempfile.mkdtemp(prefix="dovecot-", dir="/tmp"))
        self.account = pwd.getpwnam(UNPRIVILEGED) if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self._process: subprocess.Popen[bytes] | None = None
        self._names = count(1)

    @property
    def maildir(self) -> Path:
        """Where the account's mail lies."""
        return self.home / "mail" / USER

    def __enter__(self) -> Self:
        for folder in ("run", "mail", *(f"mail/{USER}/{each}" for each in ("tmp", "new", "cur"))):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def start(self) -> None:
        """Start, and wait until it answers."""
        binary = dovecot_binary()
        assert binary
        config = self.home / "dovecot.conf"
        config.write_text(self._config())
        self._own_everything()
        command = [binary, "-F", "-c", str(config)]
        if os.getuid() == 0:
            user, group = self.account.pw_uid, self.account.pw_gid
            self._process = subprocess.Popen(command, user=user, group=group, extra_groups=[])
        else:
            self._process = subprocess.Popen(command)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Dovecot did not start:\n{self.log()}")

    def stop(self) -> None:
        """Stop, hanging up on every client."""
        if self._process:
            self._process.terminate()
            self._process.wait(STOP_SECONDS)
            self._process = None

    def deliver(self, raw: bytes) -> None:
        """Hand in one mail as a delivery agent does: written aside, then renamed into place."""
        name = f"{time.time():.6f}.M{next(self._names)}.test"
        path = self.maildir / "tmp" / name
        path.write_bytes(raw)
        os.chown(path, self.account.pw_uid, self.account.pw_gid)
        path.rename(self.maildir / "new" / name)

    def renumber(self) -> None:
        """Give INBOX another UIDVALIDITY, as a server does that was restored or moved; call it while stopped."""
        for index in self.maildir.glob("dovecot.index*"):
            index.unlink()
        listing = self.maildir / "dovecot-uidlist"
        text = listing.read_text()
        listing.write_text(re.sub(r"V(\d+)", lambda match: f"V{int(match[1]) + 1}", text, count=1))

    def log(self) -> str:
        """What it wrote to its log."""
        path = self.home / "log"
        return path.read_text() if path.exists() else ""

    def _config(self) -> str:
        group = _group_name(self.account.pw_gid)
        return CONFIG.format(
            home=self.home,
            host=HOST,
            port=self.port,
            tls_port=self.tls_port,
            user=self.account.pw_name,
            group=group,
            password=PASSWORD,
            prefix=self.prefix,
            separator=self.separator,
            more=self.more,
            ssl="no",
            certificate="",
        )

    def _own_everything(self) -> None:
        for path in (self.home, *self.home.rglob("*")):
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                return connection.recv(4) == b"* OK"
        except OSError:
            return False


def _group_name(gid: int) -> str:
    import grp

    return grp.getgrgid(gid).gr_name


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])
