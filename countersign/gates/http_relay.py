"""Passes HTTP on from a reverse proxy to an application, and cuts it at the grant's end: WebSockets and downloads, too.

The proxy asks the portal about each request (forward auth), but can't end one that has begun. The headers that it sets
are believed only if the kernel says that the proxy's own account, or root, is connected to the Unix socket. Each
connection has one request, so that what one person sends is never taken for another's.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import h11
from pydantic import Field

from countersign.certificates import HostName
from countersign.errors import BadQuestion, CountersignError, NotAllowed, Refused, Unavailable, message_of
from countersign.gates.accounts import account_named
from countersign.gates.targets import opened, pass_on
from countersign.gates.tracking import GateSession, Wanted
from countersign.gates.unix_sockets import listening, uid_of
from countersign.models import Id, Model
from countersign.tasks import first_of, until_first

if TYPE_CHECKING:
    from countersign.gates.access import Access
    from countersign.gates.config import Target

PROTOCOL = "http"
FOLDER = Path("/run/countersign/http")
PORTAL = "127.0.0.1:8080"
# A host name or an address, and a port; it stands in the proxy's configuration.
HOST_AND_PORT = r"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$"
READ_BYTES = 64 * 1024
LARGEST_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 30.0
PERSON, ADDRESS = b"remote-user", b"x-forwarded-for"
# Headers about one connection, so never passed on (RFC 9110, 7.6.1); h11 writes its own.
HOP_BY_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade"}
CLOSE = (b"Connection", b"close")
# The only upgrade: within other protocols, such as HTTP/2, requests could pass unchecked.
WEBSOCKET = b"websocket"
NOT_TOLD = "The proxy has to pass on Remote-User and X-Forwarded-For, each once; docs/http.md says how."
NO_GRANT = "There is no access for this any more: load the page again."
Headers = list[tuple[bytes, bytes]]

log = logging.getLogger(__name__)


class HttpSection(Model):
    """The section `[http]` of gate.toml: the proxy's account, and the folder of the sockets, one for each device.

    The proxy's own files are written from the rest: `portal`, where it reaches the portal itself, and `applications`,
    the hosts of web applications, each with its device in the policy.
    """

    proxy_user: str
    folder: Path = FOLDER
    portal: Annotated[str, Field(pattern=HOST_AND_PORT)] = PORTAL
    applications: dict[HostName, Id] = {}

    def socket_of(self, device: str) -> Path:
        """Where the relay listens for what the proxy passes on for a device."""
        return self.folder / f"{device}.sock"


class Side:
    """One end of a connection, and the state of HTTP there."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, role: Any) -> None:
        self.reader, self.writer = reader, writer
        self.http = h11.Connection(role, max_incomplete_event_size=LARGEST_HEAD_BYTES)

    async def event(self) -> Any:
        """What it sends next."""
        while (event := self.http.next_event()) is h11.NEED_DATA:
            self.http.receive_data(await self.reader.read(READ_BYTES))
        return event

    async def send(self, event: h11.Event) -> None:
        """Send it, when there is room."""
        if data := self.http.send(event):
            self.writer.write(data)
            await self.writer.drain()

    async def disconnected(self) -> None:
        """Wait until it has ended the connection."""
        if data := await self.reader.read(READ_BYTES):
            self.http.receive_data(data)  # of the protocol that both go on with, if they do
            await asyncio.Future()

    def cut(self) -> None:
        """End the connection at once."""
        self.writer.transport.abort()


class HttpRelay:
    """Passes on what comes for one device."""

    def __init__(self, access: "Access", device: str, target: "Target", proxy: int) -> None:
        """`proxy` is the number of the account that the proxy runs as."""
        self._access, self._device, self._target, self._proxy = access, device, target, proxy
        # All connections of a person from one address share a session; it is here from when it is looked for until it
        # has ended.
        self._sessions: dict[Wanted, asyncio.Task[GateSession | None]] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on."""
        client = Side(reader, writer, h11.SERVER)
        if not self._is_proxy(writer):
            log.debug("An account other than the proxy's has connected for %s.", self._device)
            client.cut()
            return
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                request = await client.event()
            if isinstance(request, h11.Request):
                await self._pass_on(client, request)
        except CountersignError as error:
            with suppress(OSError, h11.LocalProtocolError):
                await _refuse(client, error)
        except (OSError, EOFError, TimeoutError, h11.ProtocolError) as error:
            log.debug("A connection to %s has ended: %s", self._device, type(error).__name__)
            client.cut()
        except Exception:
            log.exception("A connection to %s could not be passed on.", self._device)
            client.cut()
        finally:
            writer.close()

    def _is_proxy(self, writer: asyncio.StreamWriter) -> bool:
        """Whether the proxy, or root, has connected; checked before reading, lest others keep connections open."""
        return uid_of(writer.get_extra_info("socket")) in {0, self._proxy}

    async def _pass_on(self, client: Side, request: h11.Request) -> None:
        session = await self._session(request.headers)
        target = Side(*await opened(self._device, self._target.address, self._target.ports[PROTOCOL]), h11.CLIENT)
        if session.is_over:  # it ended while we connected
            target.cut()
            raise Refused(NO_GRANT)
        try:
            async with until_first(_relayed(client, target, request), session.ended()) as (passing, _):
                if passing.done():
                    passing.result()
                else:
                    client.cut()
        finally:
            target.cut()

    async def _session(self, headers: Iterable[tuple[bytes, bytes]]) -> GateSession:
        """The session that a grant permits for these headers; no request is opened."""
        named = {name: [value for one, value in headers if one == name] for name in (PERSON, ADDRESS)}
        if any(len(values) != 1 for values in named.values()):
            raise NotAllowed(NOT_TOLD)
        person, address = (named[name][0].decode("latin-1") for name in (PERSON, ADDRESS))
        wanted = Wanted(person, self._device, PROTOCOL, address.rpartition(",")[2].strip(), wait=False)
        self._sessions = {one: its for one, its in self._sessions.items() if _lasts(its)}
        if wanted not in self._sessions:
            self._sessions[wanted] = asyncio.create_task(self._access.resume(wanted, lambda sentence: None))
        # Others wait for it, too, and go on when this one's client has gone.
        session = await asyncio.shield(self._sessions[wanted])
        if session is None:
            raise Refused(NO_GRANT)
        return session


def _lasts(session: "asyncio.Task[GateSession | None]") -> bool:
    """Whether a session goes on, or is looked for."""
    if not session.done():
        return True
    if session.cancelled() or session.exception():
        return False
    found = session.result()
    return found is not None and not found.is_over


async def _relayed(client: Side, target: Side, request: h11.Request) -> None:
    """Pass on a request and its response; after an agreed upgrade, whatever both send."""
    await target.send(h11.Request(method=request.method, target=request.target, headers=_request_headers(request)))
    async with until_first(_send_body(client, target), _send_response(target, client)) as (_, receiving):
        if not receiving.done():
            raise EOFError  # the client has gone
        is_upgraded = receiving.result()
    if is_upgraded:
        await first_of(_copy(client, target), _copy(target, client))


async def _send_body(client: Side, target: Side) -> None:
    """Pass the body on; returns when the client has gone."""
    while isinstance(event := await client.event(), h11.Data | h11.EndOfMessage):
        over = isinstance(event, h11.EndOfMessage)
        with suppress(OSError):  # an application may answer, and end the connection, before it has read all
            # Without trailers: an application could take one for a header that the proxy sets.
            await target.send(h11.EndOfMessage() if over else event)
        if over:
            await client.disconnected()
            return


async def _send_response(target: Side, client: Side) -> bool:
    """Pass the response on; returns whether both ends switch to another protocol."""
    while True:
        event = await target.event()
        if isinstance(event, h11.InformationalResponse):
            switches = event.status_code == 101
            await client.send(
                event
                if switches
                else h11.InformationalResponse(status_code=event.status_code, headers=_kept(event.headers))
            )
            if switches:
                return True
        elif isinstance(event, h11.Response):
            headers = [*_kept(event.headers), CLOSE]
            await client.send(h11.Response(status_code=event.status_code, headers=headers, reason=event.reason))
        elif isinstance(event, h11.Data | h11.EndOfMessage):
            await client.send(event)
            if isinstance(event, h11.EndOfMessage):
                return False
        else:
            raise EOFError


async def _copy(source: Side, to: Side) -> None:
    """Pass on all bytes in one direction, beginning with those that came after the last message of HTTP."""
    to.writer.write(source.http.trailing_data[0])
    await pass_on(source.reader, to.writer)


def _request_headers(request: h11.Request) -> Headers:
    """The headers for the application, without those with a _, which it may take for a -."""
    upgrades = [value.lower() for name, value in request.headers if name == b"upgrade"] == [WEBSOCKET]
    connection = [(b"Connection", b"Upgrade"), (b"Upgrade", WEBSOCKET)] if upgrades else [CLOSE]
    return [*((name, value) for name, value in _kept(request.headers) if b"_" not in name), *connection]


def _kept(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return [(name, value) for name, value in headers if name not in HOP_BY_HOP]


async def _refuse(client: Side, error: CountersignError) -> None:
    body = f"{message_of(error)}\n".encode()
    status = 503 if isinstance(error, Unavailable) else 403
    headers = [(b"Content-Type", b"text/plain; charset=utf-8"), (b"Content-Length", b"%d" % len(body)), CLOSE]
    await client.send(h11.Response(status_code=status, headers=headers))
    await client.send(h11.Data(data=body))
    await client.send(h11.EndOfMessage())


async def relay(section: HttpSection, devices: Mapping[str, "Target"], access: "Access") -> None:
    """Relay until cancelled."""
    async with relaying(section, devices, access):
        await asyncio.Future()


@asynccontextmanager
async def relaying(section: HttpSection, devices: Mapping[str, "Target"], access: "Access") -> AsyncIterator[None]:
    """Listen for each device that has http until the block ends; BadQuestion if that is not possible."""
    proxy = account_named(section.proxy_user)
    if proxy is None:
        raise BadQuestion(f"http.proxy_user {section.proxy_user[:40]!r} is no account here; name the proxy's.")
    sockets = {name: section.socket_of(name) for name, one in devices.items() if PROTOCOL in one.ports}
    servers = []
    try:
        for name, path in sockets.items():
            serve = HttpRelay(access, name, devices[name], proxy.pw_uid).serve
            servers.append(await listening(path, serve, LARGEST_HEAD_BYTES))
        yield
    finally:
        for server in servers:
            server.close()
        for path in sockets.values():
            path.unlink(missing_ok=True)
