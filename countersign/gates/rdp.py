"""The gate for RDP clients that can't tunnel: it knows whose connection it is by a one-time token in the first packet.

It reads nothing but that packet, and sends nothing before it has found the grant; then it passes bytes on both ways as
they are, so RDP's encryption is between the client and the host. If anything is wrong, it just closes the connection.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from countersign.errors import BadQuestion, CountersignError, Refused, Unavailable
from countersign.gates.access import Access, GateSession, Wanted
from countersign.gates.calls import Calls
from countersign.gates.feed import now
from countersign.gates.limits import source_of
from countersign.gates.rdp_packet import FirstPacket, length_of, read
from countersign.gates.targets import BUFFER_BYTES, opened, pass_on
from countersign.http import Api
from countersign.models import Model
from countersign.rates import PerMinute
from countersign.rdp import VARIANT, RoutedConnection, RoutingToken
from countersign.tasks import until_first
from countersign.views import AuditEventView, RequestView

if TYPE_CHECKING:
    from countersign.gates.config import Target

# How long the whole first packet may take, from the connection on.
FIRST_PACKET_SECONDS = 10.0
# Limits of connections that no grant has let in yet: of one source, and in all. Expected sources may exceed the second.
MOST_OF_ONE, MOST_IN_ALL = 8, 256
# Limits of tokens a minute: of one source, and of all that aren't expected. A token costs a call to the portal, and all
# gates of a host share what it allows.
TOKENS_OF_ONE, TOKENS_OF_OTHERS = 60, 240
# The portal's event when somebody is handed a file, which is valid for two minutes. After a person's tenth file within
# an hour it reports no more of them.
FILE_MADE, EXPECTED_SECONDS = "rdp_file_made", 62 * 60.0
MOST_REDEEMING = 16

log = logging.getLogger(__name__)


class RdpSection(Model):
    """The section `[rdp]` of gate.toml: the address and port to listen at."""

    listen: Annotated[str, StringConstraints(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$")] = Field(
        description="HOST:PORT, such as 0.0.0.0:3389"
    )

    @property
    def place(self) -> tuple[str, int]:
        """The host and the port."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class ExpectedSources:
    """Sources where somebody was handed a file lately. Valid tokens come from there, floods mostly from elsewhere."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def hear(self, event: AuditEventView) -> None:
        """A file was handed out."""
        self._until = {one: until for one, until in self._until.items() if until > now()}
        self._until[source_of(event.proof.get("from", ""))] = now() + EXPECTED_SECONDS

    def __contains__(self, source: str) -> bool:
        """Whether a file was handed out there lately."""
        return self._until.get(source, 0.0) > now()


class RdpGate:
    """Lets connections of RDP through to the devices of this host's configuration."""

    def __init__(self, section: RdpSection, devices: "Mapping[str, Target]", access: Access, api: Api) -> None:
        self._section, self._devices, self._access = section, devices, access
        self._api = api
        self._calls = Calls(MOST_REDEEMING)
        self._expected = ExpectedSources()
        access.listen(FILE_MADE, self._expected.hear)
        self._tokens, self._tokens_of_others = PerMinute(TOKENS_OF_ONE), PerMinute(TOKENS_OF_OTHERS)
        self._waiting: Counter[str] = Counter()
        self._serving: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until this is cancelled, which closes all connections. BadQuestion if it can't listen."""
        host, port = self._section.place
        try:
            server = await asyncio.start_server(self._serve, host, port, limit=BUFFER_BYTES, backlog=MOST_IN_ALL)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or "there is no such port"
            raise BadQuestion(
                f"listen of [rdp] is {self._section.listen}, but the gate can't listen there: {why}."
            ) from None
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            server.close()
            for task in self._serving:
                task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._serving.add(task)
        source = str(writer.get_extra_info("peername")[0])
        try:
            await self._through(source, reader, writer)
        except (CountersignError, TimeoutError) as error:
            log.info("A connection of RDP from %s is closed: %s", source, error or "it sent no first packet.")
        except (OSError, EOFError):
            log.debug("A client at %s is gone.", source)
        except Exception:
            log.exception("A connection of RDP could not be served.")
        finally:
            self._serving.discard(task)
            writer.close()

    async def _through(self, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source = source_of(address)
        is_full = source not in self._expected and self._waiting.total() >= MOST_IN_ALL
        if is_full or self._waiting[source] >= MOST_OF_ONE:
            raise Unavailable("too many wait to be let in.")
        self._waiting[source] += 1
        try:
            async with asyncio.timeout(FIRST_PACKET_SECONDS):
                packet = await _first(reader)
            self._count_token(source)
            token = RoutingToken(token=packet.token, source_address=address)
            routed, request = await self._calls(partial(self._redeem, token))
            session = self._session(routed, request, address)
        finally:
            self._waiting[source] -= 1
            self._waiting += Counter()  # which forgets those that have none
        try:
            await self._relay(routed, session, packet, reader, writer)
        finally:
            session.close()

    def _count_token(self, source: str) -> None:
        if self._tokens.take(source):
            raise Unavailable("too many tokens came from there within a minute.")
        if source not in self._expected and self._tokens_of_others.take(""):
            raise Unavailable("too many tokens came within a minute from where nobody was handed a file.")

    def _redeem(self, token: RoutingToken) -> tuple[RoutedConnection, RequestView]:
        """Whose connection it is, and the request whose grant lets it in.

        Both are read in one turn, however long that takes to come: the token is used up, and there is no second try.
        """
        routed = self._api.redeem_rdp_token(token)
        return routed, self._api.request(routed.approval_id)

    def _session(self, routed: RoutedConnection, request: RequestView, source: str) -> GateSession:
        wanted = Wanted(routed.person, routed.device, VARIANT, source)
        session = self._access.session_by(request, wanted, lambda _: None)
        if session is None:
            raise Refused(f"#{routed.approval_id} no longer lets {routed.person} in.")
        return session

    async def _relay(
        self,
        routed: RoutedConnection,
        session: GateSession,
        packet: FirstPacket,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Pass bytes on until either side closes, or the grant has ended."""
        target = self._devices.get(routed.device)
        if target is None or VARIANT not in target.ports:
            raise Refused(f"{routed.device} has no port for RDP in this gate's configuration.")
        host_reader, host_writer = await opened(routed.device, target.address, target.ports[VARIANT])
        if session.is_over:
            host_writer.close()
            raise Refused(await session.ended())
        who = f"{routed.person} to {routed.device}, #{session.approval_id}"
        log.info("RDP of %s from %s is let in.", who, session.source_address)
        host_writer.write(packet.without_token)
        ways = pass_on(reader, host_writer), pass_on(host_reader, writer)
        try:
            async with until_first(session.ended(), *ways) as (ended, *_):
                log.info("RDP of %s has ended: %s", who, ended.result() if ended.done() else "it was closed.")
                if ended.done():  # what is on its way is not delivered any more
                    writer.transport.abort()
                    host_writer.transport.abort()
        finally:
            host_writer.close()


async def _first(reader: asyncio.StreamReader) -> FirstPacket:
    """Read the first packet, and not one byte more. Raises BadQuestion."""
    header = await reader.readexactly(4)
    return read(header + await reader.readexactly(length_of(header) - len(header)))
