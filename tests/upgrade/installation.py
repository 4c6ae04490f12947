"""An installation in processes of its own, which run the code of this checkout or of an earlier release.

Only what stays the same from release to release is used: programs, settings, the HTTP API, mails and SQL.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from sandbox.mail_server import MailServer
from sandbox.mail_settings import mail_settings, new_mail_keys
from sandbox.people import Person
from sandbox.temporal_server import HOST, free_port
from tests.http_clients import plain_client

ROOT = Path(__file__).parents[2]
PROGRAMS = {"worker": ["worker.py"], "portal": ["-m", "portal", "serve"]}
WAIT_SECONDS = 120.0  # a program may take a minute to start on a busy machine
STOP_SECONDS = 120.0
CALL_SECONDS = 120.0  # an answer waits for a worker for 20
POLL_SECONDS = 0.25
# We close a connection before an older portal does, after 5 seconds: what is sent in that moment is lost.
GIVEN_UP_SOON = httpx.Limits(keepalive_expiry=2.0)


class NoRelease(Exception):
    """The code of a release can't be had here; the text says why."""


def code_of(commit: str, folder: Path) -> Path:
    """The code of a commit, unpacked into the folder; raises NoRelease if git or the commit is missing here."""
    try:
        done = subprocess.run(["git", "archive", "--format=tar", commit], cwd=ROOT, capture_output=True, check=False)
    except FileNotFoundError:
        raise NoRelease("git is not installed") from None
    if done.returncode != 0:
        raise NoRelease(f"the history here lacks the commit {commit}: {done.stderr.decode().strip()}")
    folder.mkdir(parents=True)
    subprocess.run(["tar", "--extract"], cwd=folder, input=done.stdout, check=True)
    return folder


async def until(look: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Look again and again until there is something, and return it."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := await look()):
        assert time.monotonic() < deadline, f"never seen: {what}"
        await asyncio.sleep(POLL_SECONDS)
    return found


class Installation:
    """Worker and portal, whose logs are in `folder`; they end with the `async with` block."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        temporal_address: str,
        mail: MailServer,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.mail = mail
        self.tokens: dict[str, str] = {}
        self.replies = 0
        port = free_port()
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
        self.environment = {
            **kept,
            **mail_settings(mail.smtp_port, mail.imap_port, new_mail_keys()),
            "COUNTERSIGN_DATABASE_URL": database_url,
            "COUNTERSIGN_PORTAL_PORT": str(port),
            "TEMPORAL_ADDRESS": temporal_address,
            "LOGNAME": "operator",  # whoever runs the commands is on record
            **(settings or {}),
        }
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._http = plain_client(base_url=f"http://{HOST}:{port}", timeout=CALL_SECONDS, limits=GIVEN_UP_SOON)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        await self._http.aclose()
        for process in self._running.values():
            if process.returncode is None:
                process.kill()
                await process.wait()

    # --- its programs ------------------------------------------------------------------------------------------------

    async def start(self, code: Path, *names: str) -> None:
        """Start these programs with the code in a folder, and wait until they answer."""
        for name in names:
            with self.log(name).open("ab") as log:
                self._running[name] = await asyncio.create_subprocess_exec(
                    sys.executable, *PROGRAMS[name], cwd=code, env=self.environment, stdout=log, stderr=log
                )
        await until(self._answers, f"{' and '.join(names)} answer")

    async def stop(self, *names: str) -> None:
        """Stop these programs as an operator does, by SIGTERM; they have to end well."""
        for name in names:
            self._must_run(name)
            self._running[name].terminate()
        for name in names:
            async with asyncio.timeout(STOP_SECONDS):
                code = await self._running.pop(name).wait()
            assert code in (0, -signal.SIGTERM), f"{name} ended with {code}: {self.log(name).read_text()[-2000:]}"

    async def command(self, code: Path, *arguments: str) -> str:
        """Run a command with the code in a folder, such as `-m portal token list`; what it printed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=code, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, f"{arguments}: {err.decode()}"
        return out.decode().strip()

    async def set_up(self, code: Path, policy: Path, people: Iterable[str]) -> None:
        """Put the first policy in force, and make a token for each of these people."""
        await self.command(code, "-m", "portal", "policy", "apply", str(policy))
        await asyncio.gather(*(self.make_token(code, person) for person in people))

    async def make_token(self, code: Path, who: str, *options: str) -> None:
        """Make a token for a person, or for what the options say."""
        self.tokens[who] = await self.command(code, "-m", "portal", "token", "create", *(options or ("--person", who)))

    def log(self, name: str) -> Path:
        """The file with all output of a program."""
        return self.folder / f"{name}.log"

    def _must_run(self, name: str) -> None:
        code = self._running[name].returncode
        assert code is None, f"{name} ended by itself with {code}: {self.log(name).read_text()[-2000:]}"

    async def _answers(self) -> bool:
        for name in self._running:
            self._must_run(name)
        try:
            health = (await self._http.get("/api/v1/health")).json()
        except httpx.TransportError:
            return False
        return health["database"] and (health["worker"] or "worker" not in self._running)

    # --- what people do ----------------------------------------------------------------------------------------------

    async def get(self, who: str, path: str) -> Any:
        """What the API answers to somebody, whatever the status."""
        return (await self._http.get(f"/api/v1{path}", headers=self._headers(who))).json()

    async def post(self, who: str, path: str, key: str = "", **body: Any) -> httpx.Response:
        """Do something by the API, with an Idempotency-Key if one is given."""
        headers = self._headers(who) | ({"Idempotency-Key": key} if key else {})
        return await self._http.post(f"/api/v1{path}", json=body, headers=headers)

    async def post_text(self, who: str, path: str, text: str) -> httpx.Response:
        """Send a text, such as a policy."""
        return await self._http.post(f"/api/v1{path}", content=text, headers=self._headers(who))

    async def ask(self, who: str, device: str, **more: Any) -> int:
        """Ask for a connection by SSH; the number of the request."""
        reply = await self.post(who, "/requests", device=device, protocol="ssh", **more)
        assert reply.status_code in (200, 201), reply.text
        return int(reply.json()["approval_id"])

    async def do(self, who: str, what: str, number: int, **body: Any) -> None:
        """Decide, cancel, revoke or give back, which has to succeed; a worker that has just started may judge later."""
        reply = await self.post(who, f"/requests/{number}/{what}", **body)
        assert reply.status_code in (200, 202), reply.text

    async def view(self, number: int) -> Any:
        """A request as an admin sees it."""
        return await self.get("ada", f"/requests/{number}")

    async def reaches(self, number: int, **fields: Any) -> Any:
        """Wait until a request has these values, such as `status="Approved"` or `grant__status="Ended"`."""

        async def look() -> Any:
            view = await self.view(number)
            return view if all(_field(view, name) == value for name, value in fields.items()) else None

        try:
            return await until(look, f"#{number} with {fields}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it has {await self.get('ada', f'/requests/{number}/timeline')}") from None

    async def kinds(self, number: int) -> list[str]:
        """What happened to a request, oldest first."""
        return [one["kind"] for one in await self.get("ada", f"/requests/{number}/timeline")]

    # --- mail --------------------------------------------------------------------------------------------------------

    def person(self, name: str) -> Person:
        """Somebody with a mailbox."""
        return Person(name, self.mail.smtp_port, self.mail.imap_port)

    async def mail_to(self, name: str, number: int) -> EmailMessage:
        """The mail that asks somebody about a request, or else the newest about it."""
        return await asyncio.to_thread(self.person(name).wait_for_mail, number)

    async def inbox(self, name: str) -> list[EmailMessage]:
        """All mails to somebody."""
        return await asyncio.to_thread(self.person(name).inbox)

    async def reply(self, name: str, number: int, text: str) -> None:
        """Answer that mail."""
        self.replies += 1
        await asyncio.to_thread(self.person(name).reply, await self.mail_to(name, number), text)

    def _headers(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[who]}"}


def _field(view: Any, name: str) -> Any:
    for part in name.split("__"):
        view = (view or {}).get(part)
    return view
