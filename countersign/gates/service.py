"""The gate service: it alone holds the gateway's token, and answers the gates of this host over a Unix socket.

Any account of the host may call, so nothing that it sends is believed; who calls is known from the kernel.
"""

import asyncio
import logging
import os
import resource
import signal
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from countersign.errors import BadQuestion, CountersignError, NotAllowed, NotFound, Refused, Unavailable, message_of
from countersign.gates import protocol
from countersign.gates.access import Access, GateSession
from countersign.gates.accounts import Accounts
from countersign.gates.certificates import CertificateAuthority
from countersign.gates.claims import ROOT, Claim, claim_of
from countersign.gates.clients import CLOSING_SECONDS, Client
from countersign.gates.config import GateConfig, portal, read_token
from countersign.gates.http_relay import relay
from countersign.gates.limits import Questions
from countersign.gates.logins import PAM, HostLogins
from countersign.gates.protocol import LONGEST_LINE_BYTES, Message
from countersign.gates.rdp import RdpGate
from countersign.gates.targets import connected, cut
from countersign.gates.tracking import Wanted
from countersign.gates.unix_sockets import listening
from countersign.gates.warpgate import WarpgateGate
from countersign.tasks import until_first

# Limits of connections: of one account, and of all. Each session has one, and another one to its target.
MOST_OF_ONE, MOST_IN_ALL = 512, 4096
# How long it may take to end what was let in, when the service stops.
STOPPING_SECONDS = 8.0
STOPPED = "The gate is being stopped."
# Shows that the service doesn't hang.
HEARD: Message = {"heard": True}
CODES: dict[type[CountersignError], int] = {
    Refused: protocol.NO,
    BadQuestion: protocol.BAD_INPUT,
    NotAllowed: protocol.NOT_ALLOWED,
    NotFound: protocol.NO,
}

Part = Callable[[], Coroutine[Any, Any, None]]

log = logging.getLogger(__name__)


class GateService:
    """Serves the gates of this host."""

    def __init__(self, config: GateConfig, access: Access, parts: Sequence[Part] = ()) -> None:
        """`parts`: what else runs until the service ends, such as gates that listen themselves."""
        self._config, self.access, self._parts = config, access, parts
        self._accounts = Accounts()
        folder = config.socket.parent
        self.logins = HostLogins(access, config.pam, config.grace, folder, self._accounts) if config.pam else None
        self._authority = CertificateAuthority(config.ssh) if config.ssh else None
        self._questions = Questions(config.questions_a_minute)
        self._connections: Counter[int] = Counter()
        self._serving: set[asyncio.Task[None]] = set()
        self._stopping: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def stop(self) -> None:
        """Have `run` end: those who wait are told so, and all sessions end except those that PAM let in."""
        if not self._stopping.done():
            self._stopping.set_result(None)

    async def run(self) -> None:
        """Serve until `stop` is called, or an exception ends it; BadQuestion if it can't listen."""
        server = await self._listen(self._config.socket)
        if self.logins:
            self.logins.sessions.resume()
        running = [asyncio.create_task(run()) for run in (self.access.run, *self._parts)]
        try:
            await asyncio.wait({*running, self._stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.stop()
            server.close()
            for part in running:
                part.cancel()
            if self.logins:
                await self.logins.sessions.close()
            self.access.end_all(STOPPED)
            await asyncio.wait({*running, *self._serving}, timeout=STOPPING_SECONDS)
            self._config.socket.unlink(missing_ok=True)
        for part in running:
            if part.done() and not part.cancelled():
                part.result()

    async def _listen(self, path: Path) -> asyncio.Server:
        listens = BadQuestion(f"A gate service is already listening at {path}: stop it first.")
        try:
            protocol.Service(str(path)).close()
        except BlockingIOError:  # it hangs
            raise listens from None
        except OSError:
            pass
        else:
            raise listens
        return await listening(path, self._serve, LONGEST_LINE_BYTES, MOST_OF_ONE)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(reader, writer)
        self._connections[client.uid] += 1
        task = asyncio.current_task()
        assert task
        self._serving.add(task)
        try:
            await self._answer(client)
        except CountersignError as error:
            client.send({"no": message_of(error), "code": CODES.get(type(error), protocol.UNAVAILABLE)})
        except (OSError, EOFError):
            log.debug("A client of uid %s is gone.", client.uid)
        except Exception:
            log.exception("A client could not be served.")
            client.send({"no": "The gate has a fault; its log has the details.", "code": protocol.FAULT})
        finally:
            self._serving.discard(task)
            self._connections[client.uid] -= 1
            await client.close()

    async def _answer(self, client: Client) -> None:
        too_many = self._connections.total() > MOST_IN_ALL or self._connections[client.uid] > MOST_OF_ONE
        if too_many and client.uid != ROOT:
            raise Unavailable("Too many connections of this account are open here; end some, and try again.")
        first = await client.first()
        client.send(HEARD)
        if first.get("gate") == PAM:
            return await self._log_in(client, first)
        claim = await self._accounts(partial(claim_of, first, client.uid, self._config))
        self._questions.count(claim.wanted.person)
        disconnected = asyncio.create_task(client.disconnected())
        try:
            asking = self.access.ask(claim.wanted, client.say)
            session = await self._asked(asking, claim.wanted, disconnected)
            if session is not None:
                answer = self._certify if claim.public_key else self._connect
                try:
                    await answer(client, claim, session, disconnected)
                finally:
                    session.close()
        finally:
            disconnected.cancel()

    async def _log_in(self, client: Client, first: Message) -> None:
        """Answer PAM: the session is the host's, and lasts longer than this connection."""
        if self.logins is None:
            raise Unavailable("Nobody is let in: gate.toml has no section [pam]. An administrator has to add it.")
        question = self.logins.read(first, client.uid)
        login = await self.logins.identify(question)
        if login is None:
            return client.send({"yes": {}})
        wanted = login.wanted
        if question.type == "account" and not login.within:
            self._questions.count(wanted.person)
        disconnected = asyncio.create_task(client.disconnected())
        try:
            if session := await self._asked(self.logins.admit(question, login, client.say), wanted, disconnected):
                client.send(_yes(Claim(wanted), session))
        finally:
            disconnected.cancel()

    async def _asked(
        self, ask: Coroutine[Any, Any, GateSession], wanted: Wanted, disconnected: asyncio.Task[bool]
    ) -> GateSession | None:
        """The session once a grant permits it; None if the client is gone before that."""
        asking = asyncio.create_task(ask)
        first: set[asyncio.Future[Any]] = {asking, disconnected, self._stopping}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if asking.done():
            return asking.result()
        asking.cancel()
        with suppress(asyncio.CancelledError, CountersignError):
            (await asking).close()
        if not disconnected.done():
            raise Unavailable(f"{STOPPED} Try again in a minute.")
        if disconnected.result():
            self.access.asker_withdrew(wanted)
        return None

    async def _connect(
        self, client: Client, claim: Claim, session: GateSession, disconnected: asyncio.Task[bool]
    ) -> None:
        """Connect to the target, and pass the connection on; it is cut when the session ends."""
        target = await connected(claim.wanted.device, claim.address, claim.port)
        try:
            if session.is_over:
                raise Refused(await session.ended())
            await client.pass_on(_yes(claim, session), target)
            await self._until_over(client, session, disconnected)
        finally:
            cut(target)

    async def _certify(
        self, client: Client, claim: Claim, session: GateSession, disconnected: asyncio.Task[bool]
    ) -> None:
        """Send a certificate for the client's key."""
        assert self._authority
        key, now = claim.public_key, datetime.now(UTC)
        certificate = self._authority.sign(key, claim.wanted, session.approval_id, session.ends_at, now)
        client.send(_yes(claim, session) | {"certificate": certificate})
        await self._until_over(client, session, disconnected)

    async def _until_over(self, client: Client, session: GateSession, disconnected: asyncio.Task[bool]) -> None:
        async with until_first(session.ended(), disconnected) as (ended, _):
            if ended.done():
                client.send({"end": ended.result()})
                await asyncio.wait({disconnected}, timeout=CLOSING_SECONDS)


def _yes(claim: Claim, session: GateSession) -> Message:
    yes = {"approval_id": session.approval_id, "ends_at": session.ends_at.isoformat()}
    return {"yes": yes | ({"address": claim.address, "port": claim.port} if claim.address else {})}


async def serve(config: GateConfig) -> None:
    """Serve as the configuration says, until SIGTERM or SIGINT; BadQuestion if it is wrong."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.umask(0o077)
    loop = asyncio.get_running_loop()
    with portal(config) as api:
        access = Access(api, config.grace.total_seconds(), config.retry_within.total_seconds())
        parts: list[Part] = [RdpGate(config.rdp, config.devices, access, api).run] if config.rdp else []
        if config.warpgate and config.warpgate.enabled:
            parts.append(WarpgateGate(config.warpgate, access, read_token(config.warpgate.token_file)).run)
        if config.http:
            parts.append(partial(relay, config.http, config.devices, access))
        service = GateService(config, access, parts)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, service.stop)
        await service.run()
