"""What machines write: header values that are one word with comments around it, and parts of which the top tells."""

from __future__ import annotations

import binascii
import re

from notifiers.email.folding import table
from notifiers.email.mime.parts import Part

MACHINES = table("machines")

LONGEST_VALUE = 400  # characters; what comes behind is not looked at
AN_ADDRESS = re.compile(r"[^\s<>\",;:()@]{1,200}+@[^\s<>\",;:()@]{1,255}")  # wherever one stands, with its tag

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))


def without_comments(value: str) -> str:
    """The value without its comments (RFC 5322, section 3.2.2), nested or not; one never closed takes all behind it."""
    kept: list[str] = []
    depth, quoted, escaped = 0, False, False
    for c in value[:LONGEST_VALUE]:
        was_escaped, escaped = escaped, c == "\\" and not escaped
        if not was_escaped and not depth and c == '"':
            quoted = not quoted
        if not was_escaped and not quoted and c == "(":
            depth += 1
        if not depth:
            kept.append(c)
        if not was_escaped and not quoted and c == ")":
            depth = max(0, depth - 1)
    return "".join(kept).strip()


def keyword(value: str) -> str:
    """The one word a value says, in lower case, without comments, quotes and parameters."""
    return without_comments(value).partition(";")[0].strip().strip('"').strip().lower()


def beginning(part: Part, most: int) -> bytes:
    """The first bytes of a part, its transfer encoding undone as far as it can be."""
    encoding = keyword(part.fields.first("content-transfer-encoding"))
    body = part.body[: 2 * most]
    if encoding == "base64":
        packed = body.translate(None, _NOT_BASE64)
        packed = packed[: len(packed) - (len(packed) % 4 == 1)]  # one character alone says nothing
        try:
            return binascii.a2b_base64(packed + b"=" * (-len(packed) % 4))[:most]
        except binascii.Error:
            return b""
    return (binascii.a2b_qp(body) if encoding == "quoted-printable" else body)[:most]
