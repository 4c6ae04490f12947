"""The mailboxes of the sandbox: pymap's in-memory backend, where an account exists as soon as somebody writes to it."""

import asyncio
from argparse import Namespace
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast

from proxyprotocol.reader import ProxyProtocolReader
from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import Config, Login
from pymap.backend.dict.filter import FilterSet
from pymap.backend.dict.mailbox import MailboxData, MailboxSet
from pymap.concurrent import Event, Subsystem
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage
from pymap.selected import SelectedMailbox
from pymap.user import UserMetadata
from pysasl import SASLAuth
from pysasl.creds.server import ServerCredentials
from pysasl.hashing import Cleartext

TAG_SEPARATOR = "+"

# pymap looks through all installed packages for ways to log in, at each connection.
_ways_to_log_in = cache(SASLAuth.defaults)


class Mailboxes:
    """Accounts, their one shared password, and their mail, which outlives a restart of the servers in front of it."""

    def __init__(self, password: str, aliases: dict[str, str], greeting: str) -> None:
        self.password = password
        self._aliases = aliases
        self._config = _Config(greeting)
        self._login = _Login(self._config, self)
        self._connections: set[asyncio.Task[None]] = set()

    def account(self, local_part: str) -> str:
        """Name the account behind a local part: without its plus-tag, aliases followed."""
        base = local_part.partition(TAG_SEPARATOR)[0].lower()
        return self._aliases.get(base, base)

    def names_of(self, account: str) -> set[str]:
        """List the local parts an account may call its own: its name and the aliases that lead to it."""
        return {account, *(alias for alias, target in self._aliases.items() if target == account)}

    async def deliver(self, account: str, raw: bytes, came: datetime | None = None) -> None:
        """Put a mail into an account's INBOX, as one that came now or at that time, and wake clients idling on it."""
        inbox = await self.open(account).get_mailbox("INBOX")
        await inbox.append(AppendMessage(raw, came or datetime.now(UTC)), recent=True)

    def open(self, account: str) -> MailboxSet:
        """Return an account's mailboxes, which are made when they are first asked for."""
        if account not in self._config.set_cache:
            self._login.users_dict[account] = UserMetadata(self._config, account, password=self.password)
            self._config.set_cache[account] = (_MailboxSet(), FilterSet())
        return self._config.set_cache[account][0]

    def forget(self, accounts_kept: set[str]) -> None:
        """Delete the mail of all other accounts."""
        for account in set(self._config.set_cache) - accounts_kept:
            del self._config.set_cache[account]

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Serve IMAP."""
        answer = IMAPServer(self._login, self._config)

        async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: SocketInfo) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
            await answer(reader, cast(asyncio.StreamWriter, _WholeResponses(writer)), peer)

        callback = ProxyProtocolReader(self._config.proxy_protocol).get_callback(connection)
        return await asyncio.start_server(callback, host, port)

    async def disconnect(self) -> None:
        """End every IMAP connection with a BYE, as a server that shuts down does."""
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


class _Config(Config):
    def __init__(self, greeting: str) -> None:
        super().__init__(
            Namespace(passlib_cfg=None, proxy_protocol=None),
            host=None,
            port=0,
            demo_data=False,
            demo_user="",
            demo_password="",
            tls_enabled=False,
            hash_context=Cleartext(),
            cpu_subsystem=Subsystem.for_asyncio(),
            invalid_user_sleep=0.0,
            reject_dnsbl=False,
        )
        self._greeting = greeting

    @property
    def greeting(self) -> bytes:
        # pymap's own asks the resolver for this machine's name, which can take seconds.
        return self._greeting.encode("ascii")

    @property
    def tls_auth(self) -> SASLAuth:
        return _ways_to_log_in()


class _Login(Login):
    def __init__(self, config: Config, mailboxes: Mailboxes) -> None:
        super().__init__(config)
        self._mailboxes = mailboxes

    async def authenticate(self, credentials: ServerCredentials) -> Any:
        self._mailboxes.open(credentials.authcid)
        return await super().authenticate(credentials)


class _WholeResponses:
    """A writer that sends a response as a whole: pymap writes small pieces, and a client that idles expects lines."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._waiting = bytearray()

    def write(self, data: bytes) -> None:
        self._waiting += data

    async def drain(self) -> None:
        self._writer.write(bytes(self._waiting))
        self._waiting.clear()
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()


class _MailboxSet(MailboxSet):
    def __init__(self) -> None:
        super().__init__()
        self._inbox = _Inbox(self._content_cache, self._thread_cache)


class _Inbox(MailboxData):
    async def update_selected(self, selected: SelectedMailbox, *, wait_on: Event | None = None) -> SelectedMailbox:
        # pymap's event reaches only clients that wait already; mail that came just before the wait would go unnoticed.
        if selected.mod_sequence != self._mod_sequences.highest:
            wait_on = None
        return await super().update_selected(selected, wait_on=wait_on)
