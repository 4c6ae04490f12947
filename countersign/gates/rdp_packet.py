"""The first packet of an RDP connection, and the routing token in it.

It is a Connection Request of X.224 in a packet of TPKT (MS-RDPBCGR, section 2.2.1.1; RFC 2126 and RFC 1006): headers of
11 bytes, then a routing token or a cookie, which ends with CR LF, then what the client says of encryption and, perhaps,
an id by which its logs and the server's are compared.
"""

import struct
from typing import NamedTuple

from countersign.errors import BadQuestion
from countersign.rdp import LONGEST_TOKEN, ROUTING

# The largest packet that is read; X.224 itself, whose length is one byte, allows for 259.
LARGEST_BYTES = 512
TPKT = struct.Struct(">BBH")  # version, reserved, length of all of it
X224 = struct.Struct(">BBHHB")  # length of what follows this byte, type, two references, class
HEADERS = TPKT.size + X224.size
TPKT_VERSION = 3
CONNECTION_REQUEST = 0xE0
# Type, flags, length and what is requested (2.2.1.1.1), and the id for logs (2.2.1.1.2).
NEGOTIATION = struct.Struct("<BBHI")
NEGOTIATION_REQUEST, HAS_CORRELATION = 0x01, 0x08
CORRELATION = struct.Struct("<BBH32s")
CORRELATION_INFO = 0x06
END = b"\r\n"


class FirstPacket(NamedTuple):
    """The routing token, and the rest of the packet as it came; `source` is the client's reference."""

    token: str
    source: int
    rest: bytes

    @property
    def without_token(self) -> bytes:
        """The packet as a client without a token sends it."""
        header = X224.pack(X224.size - 1 + len(self.rest), CONNECTION_REQUEST, 0, self.source, 0)
        return TPKT.pack(TPKT_VERSION, 0, HEADERS + len(self.rest)) + header + self.rest


def length_of(header: bytes) -> int:
    """How long the whole packet is, by its first four bytes. Raises BadQuestion."""
    version, _, length = TPKT.unpack(header)
    if version != TPKT_VERSION or not HEADERS <= length <= LARGEST_BYTES:
        raise BadQuestion("This is not an RDP connection; use an RDP client.")
    return int(length)


def read(packet: bytes) -> FirstPacket:
    """The parts of a whole packet. Raises BadQuestion for anything but a Connection Request with a routing token."""
    size, kind, destination, source, class_ = X224.unpack_from(packet, TPKT.size)
    if (size, kind, destination, class_) != (len(packet) - TPKT.size - 1, CONNECTION_REQUEST, 0, 0):
        raise BadQuestion("This is not an RDP connection; use an RDP client.")
    text, end, rest = packet[HEADERS:].partition(END)
    token = text.removeprefix(ROUTING.encode())
    is_text = token.isascii() and token.decode(errors="replace").isprintable()
    if not end or token == text or not is_text or len(token) > LONGEST_TOKEN:
        raise BadQuestion("There is no routing token; open a file that the request's page gave you.")
    if not _is_negotiation(rest):
        raise BadQuestion("What follows the routing token is not an RDP request; use an RDP client.")
    return FirstPacket(token.decode(), source, rest)


def _is_negotiation(rest: bytes) -> bool:
    """Whether it is empty, or a negotiation request, with an id for logs if it says so, and not one byte more."""
    if not rest:
        return True
    if len(rest) < NEGOTIATION.size:
        return False
    kind, flags, length, _ = NEGOTIATION.unpack_from(rest)
    correlation, announced = rest[NEGOTIATION.size :], bool(flags & HAS_CORRELATION)
    if (kind, length, bool(correlation)) != (NEGOTIATION_REQUEST, NEGOTIATION.size, announced):
        return False
    if not announced:
        return True
    is_whole = len(correlation) == CORRELATION.size
    return is_whole and CORRELATION.unpack(correlation)[::2] == (CORRELATION_INFO, CORRELATION.size)
