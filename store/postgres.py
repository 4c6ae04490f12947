"""Connects to PostgreSQL so that, `patient` aside, nothing waits for ever for the server, a lock or the network."""

import socket
import ssl
import struct
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import URL, Dialect, Engine, NullPool, create_engine, event
from sqlalchemy.engine import ExceptionContext

# Seconds for the TCP connection, and for each answer while signing in.
CONNECT_SECONDS = 5.0
# How long a statement may wait for a lock: longer than a healthy transaction takes, shorter than anybody's patience.
LOCK_SECONDS = 4
# How long it may take in all.
STATEMENT_SECONDS = 10
# After this the server ends a transaction whose process has stopped in the middle of it, and releases its locks.
IDLE_IN_TRANSACTION_SECONDS = 10
# How long we wait for an answer of the server; it would itself end a statement before that.
READ_SECONDS = STATEMENT_SECONDS + 5.0
# A connection that is idle this long is probed this often; after this many unanswered probes it is given up.
KEEPALIVE_IDLE_SECONDS, KEEPALIVE_EVERY_SECONDS, KEEPALIVE_PROBES = 10, 5, 3
# A connection is given up if the far side's kernel has not acknowledged what was sent within this.
UNACKNOWLEDGED_MS = 20_000

# The OID of the type for times (https://www.postgresql.org/docs/current/catalog-pg-type.html). The driver's own parser
# for it is slow, so we parse them, and the server is told to write them as ISO 8601.
TIMESTAMPTZ = 1184

LIMITS = {
    "lock_timeout": LOCK_SECONDS,
    "statement_timeout": STATEMENT_SECONDS,
    "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_SECONDS,
}
# No statement reads enough to gain from parallel workers or from being compiled: either takes longer.
HOW = {"datestyle": "ISO", "max_parallel_workers_per_gather": "0", "jit": "off"}
TCP_OPTIONS = {
    # A long statement is sent in several parts. Otherwise the last would wait, for some 40 ms, until the server has
    # acknowledged the others (RFC 896, and RFC 1122, 4.2.3.2).
    "TCP_NODELAY": 1,
    "TCP_KEEPIDLE": KEEPALIVE_IDLE_SECONDS,
    "TCP_KEEPINTVL": KEEPALIVE_EVERY_SECONDS,
    "TCP_KEEPCNT": KEEPALIVE_PROBES,
    "TCP_USER_TIMEOUT": UNACKNOWLEDGED_MS,
}
# Asks the server for TLS (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL).
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
# The server's certificate is not checked. The driver's own context would first read all of the machine's authorities,
# for each connection.
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE


def limited(url: URL, **options: Any) -> Engine:
    """An engine whose connections keep the limits above. `options` go to SQLAlchemy."""
    engine = _engine(url, READ_SECONDS, **options)
    event.listen(engine, "connect", _limit)
    return engine


def patient(url: URL) -> Engine:
    """An engine that connects within the same time, but whose statements may take as long as they need."""
    return _engine(url, None, poolclass=NullPool)


def _engine(url: URL, read_seconds: float | None, **options: Any) -> Engine:
    engine = create_engine(url, hide_parameters=True, **options)
    event.listen(engine, "do_connect", partial(_connect, read_seconds))
    event.listen(engine, "handle_error", _give_up_broken)
    return engine


def _connect(read_seconds: float | None, dialect: Dialect, _record: object, _: object, options: dict[str, Any]) -> Any:
    host = options.get("host", "localhost")
    sock = socket.create_connection((host, options.get("port", 5432)), CONNECT_SECONDS)
    try:
        _set_options(sock)
        sock.sendall(SSL_REQUEST)
        if sock.recv(1) == b"S":
            sock = TLS.wrap_socket(sock, server_hostname=host)
        connection = dialect.loaded_dbapi.Connection(**options, sock=sock, ssl_context=False)
    except BaseException:
        sock.close()
        raise
    sock.settimeout(read_seconds)
    return connection


def _set_options(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in TCP_OPTIONS.items():
        if hasattr(socket, name):  # not every system has each
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _limit(connection: Any, _: object) -> None:
    connection.register_in_adapter(TIMESTAMPTZ, datetime.fromisoformat)
    cursor = connection.cursor()
    settings = HOW | {name: f"{seconds}s" for name, seconds in LIMITS.items()}
    cursor.execute("SELECT " + ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings.items()))
    cursor.close()
    connection.commit()


def _give_up_broken(context: ExceptionContext) -> None:
    # The driver does not wrap errors of the network, or of values that it can't send. They come in the middle of a
    # message, so what comes next on that connection could be anything.
    if not isinstance(context.original_exception, context.dialect.loaded_dbapi.Error):
        context.is_disconnect = True
