"""The first packet of RDP: read strictly, and rebuilt without its routing token."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.errors import BadQuestion
from countersign.gates.rdp_packet import LARGEST_BYTES, FirstPacket, length_of, read

TOKEN = "cs_rdp_" + "0" * 72
ROUTING = f"Cookie: msts={TOKEN}\r\n".encode()
# TLS and CredSSP, as FreeRDP and mstsc ask for.
NEGOTIATION = bytes.fromhex("0100080003000000")
WITH_ID = bytes.fromhex("0108080003000000") + bytes.fromhex("06002400") + bytes(32)


def packet(rest: bytes, **changed: int) -> bytes:
    """A Connection Request, with these fields of its headers changed."""
    fields = {"version": 3, "length": 11 + len(rest), "size": 6 + len(rest), "kind": 0xE0, "to": 0, "class_": 0}
    fields |= changed
    tpkt = struct.pack(">BBH", fields["version"], 0, fields["length"])
    return tpkt + struct.pack(">BBHHB", fields["size"], fields["kind"], fields["to"], 0, fields["class_"]) + rest


def whole(sent: bytes) -> FirstPacket:
    assert length_of(sent[:4]) == len(sent)
    return read(sent)


@pytest.mark.parametrize("rest", [b"", NEGOTIATION, WITH_ID])
def test_the_token_is_read_and_the_rest_goes_on_as_it_came(rest: bytes) -> None:
    found = whole(packet(ROUTING + rest))
    assert (found.token, found.without_token) == (TOKEN, packet(rest))


@pytest.mark.parametrize(
    "sent",
    [
        packet(ROUTING, version=2),
        packet(ROUTING, length=10),
        packet(ROUTING, length=LARGEST_BYTES + 1),
        packet(ROUTING, size=5),
        packet(ROUTING, size=255),
        packet(ROUTING, kind=0xD0),
        packet(ROUTING, to=1),
        packet(ROUTING, class_=2),
        packet(b""),
        packet(NEGOTIATION),
        packet(b"Cookie: mstshash=alice\r\n" + NEGOTIATION),
        packet(b"tsv://something\r\n" + NEGOTIATION),
        packet(ROUTING.removesuffix(b"\r\n")),
        packet(b"Cookie: msts=" + b"0" * 201 + b"\r\n"),
        packet(b"Cookie: msts=\xc3\xa4\r\n"),
        packet(b"Cookie: msts=a\x00b\r\n"),
        packet(b"Cookie: msts=a\rb\r\n"),
        packet(ROUTING + b"x"),
        packet(ROUTING + NEGOTIATION + b"x"),
        packet(ROUTING + ROUTING),
        packet(ROUTING + NEGOTIATION[:-1]),
        packet(ROUTING + b"\x02" + NEGOTIATION[1:]),
        packet(ROUTING + WITH_ID[:-1]),
        packet(ROUTING + WITH_ID[:8]),
        packet(ROUTING + WITH_ID[:8] + b"\x07" + WITH_ID[9:]),
        b"GET / HTTP/1.1\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        bytes(11),
    ],
)
def test_anything_else_is_refused_with_a_remedy(sent: bytes) -> None:
    with pytest.raises(BadQuestion, match=r"use an RDP client|open a file"):
        whole(sent)


@given(st.binary(min_size=11, max_size=300))
def test_whatever_comes_is_read_or_refused(sent: bytes) -> None:
    try:
        found = read(sent)
    except BadQuestion:
        return
    assert found.token.isascii()


@given(st.integers(0, len(ROUTING + WITH_ID) - 1), st.integers(0, 255))
def test_one_byte_that_differs_never_brings_more_through(place: int, byte: int) -> None:
    rest = bytearray(ROUTING + WITH_ID)
    rest[place] = byte
    try:
        found = read(packet(bytes(rest)))
    except BadQuestion:
        return
    assert found.rest in (bytes(rest[len(ROUTING) :]), b"")
