"""A gRPC server over TLS that answers every call with one status, as Temporal Cloud answers a wrong API key.

It speaks just enough HTTP/2 (RFC 9113) for that: each call gets a response with trailers only, as gRPC refuses calls
(https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Responses").
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, SETTINGS, PING = 0x1, 0x4, 0x6
ACK = END_STREAM = 0x1
END_HEADERS = 0x4
# The indexed header field `:status: 200` (RFC 7541, appendix A).
STATUS_200 = b"\x88"
UNAUTHENTICATED, PERMISSION_DENIED = 16, 7


@asynccontextmanager
async def refusing(status: int, message: str, tls: ssl.SSLContext) -> AsyncIterator[int]:
    """Answer all calls with this gRPC status while the block runs; yields the port on localhost."""
    tls.set_alpn_protocols(["h2"])
    trailers = STATUS_200 + b"".join(
        _literal(name, value)
        for name, value in {
            "content-type": "application/grpc",
            "grpc-status": str(status),
            "grpc-message": message,
        }.items()
    )

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readexactly(len(PREFACE))
            writer.write(_frame(SETTINGS, 0, 0))
            while True:
                kind, flags, stream, payload = await _read(reader)
                if kind == HEADERS:
                    writer.write(_frame(HEADERS, END_HEADERS | END_STREAM, stream, trailers))
                elif kind in (SETTINGS, PING) and not flags & ACK:
                    writer.write(_frame(kind, ACK, 0, payload if kind == PING else b""))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]


def _literal(name: str, value: str) -> bytes:
    """A literal header field without indexing and without Huffman coding (RFC 7541, section 6.2.2)."""
    return b"\x00" + b"".join(bytes([len(text)]) + text.encode() for text in (name, value))


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


async def _read(reader: asyncio.StreamReader) -> tuple[int, int, int, bytes]:
    head = await reader.readexactly(9)
    kind, flags, stream = struct.unpack(">BBI", head[3:])
    return kind, flags, stream, await reader.readexactly(int.from_bytes(head[:3]))
