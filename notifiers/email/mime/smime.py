"""The mail inside an S/MIME wrapper that is signed and not encrypted (RFC 8551, section 3.5.2)."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from itertools import islice

from notifiers.email import limits
from notifiers.email.mime.parts import Part, read_parts

TYPES = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_CONSTRUCTED, _IDENTIFIER, _OCTETS = 0x20, 0x06, 0x04
# RFC 5652, sections 4 and 5.1: signedData that holds data, 1.2.840.113549.1.7.2 and .1.
_SIGNED_DATA = [bytes.fromhex("2a864886f70d010702"), bytes.fromhex("2a864886f70d010701")]


def unwrapped(mail: Part) -> Part:
    """What a signed wrapper holds; the mail itself where it is none, or holds what only its key can open.

    Whether the signature is good is not looked at, as with any signature within a mail: DMARC or DKIM vouch for it.
    """
    if mail.type not in TYPES or mail.is_cut:
        return mail
    encoding = mail.fields.first("content-transfer-encoding").strip().lower()
    try:
        content = _signed(binascii.a2b_base64(mail.body) if encoding == "base64" else mail.body)
    except (ValueError, IndexError):  # cut off, or no ASN.1
        return mail
    return read_parts(content) if content else mail


def _signed(data: bytes) -> bytes:
    """The content of a signedData, which other elements follow; b"" of anything else (RFC 5652, section 5.1)."""
    kinds: list[bytes] = []
    pieces: list[bytes] = []
    for depth, tag, content in islice(_elements(data), limits.MOST_ELEMENTS):
        if depth == 3 and kinds[1:]:
            return b"".join(pieces) if kinds == _SIGNED_DATA else b""
        if tag == _IDENTIFIER and depth in (1, 4):
            kinds.append(content)
        elif tag == _OCTETS and kinds[1:]:
            pieces.append(content)
    return b""


def _elements(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """How deep each element of BER lies, its tag, and what it holds if it holds no others (X.690, section 8.1)."""
    at = 0
    ends: list[int] = []  # of the elements around; -1 where the length is indefinite
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size > 0x80:
            size, at = int.from_bytes(data[at : at + size - 0x80]), at + size - 0x80
        elif size == 0x80:
            size = -1 - at
        if (tag, size) == (0, 0):
            ends.pop()
            continue
        if (size < 0 and not tag & _CONSTRUCTED) or (ends and at + size > ends[-1] >= 0):
            raise ValueError("an element has no end, or goes beyond that of the one around it")
        yield len(ends), tag, b"" if tag & _CONSTRUCTED else data[at : at + size]
        if tag & _CONSTRUCTED:
            ends.append(at + size)
        else:
            at += size
        while ends and at >= ends[-1] >= 0:
            ends.pop()
