"""Read what one Authentication-Results header says (RFC 8601), each of its results on its own.

Servers write much that the grammar doesn't know: bare IPv6 addresses and URLs, words that are no property, an empty
last result. And senders choose some of what is written: the address on the envelope, a signature's domain. So the
header is cut at the semicolons that stand outside quotes and comments, and what can't be read then spoils its own
result only. Where two programs could cut in two places, the whole header is Unreadable.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from notifiers.email.parts import Unreadable

LONGEST_RESULTS = 8_000  # characters of one header
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
# A quoted string, or other characters up to the next comment, quote or semicolon. A backslash has no meaning outside
# quotes and comments; what it stands before there may have one.
_PLAIN = re.compile(rf'{_QUOTED}|(?:[^"();\\]|\\(?!["();\\]))++')
_IN_COMMENT = re.compile(r'\\.|["()]')
_WORD = re.compile(rf"{_QUOTED}|[^ \t\"]+")
_NAME = re.compile(r"[ \t]*([a-z0-9_-]*)", re.IGNORECASE)
# method[/version]=result; a word ends at white space or at the end, so that nothing is read of `pass"x"`.
_METHOD = re.compile(r"[ \t]*([a-z0-9_-]++)[ \t]*(?:/[ \t]*1[ \t]*)?=[ \t]*([a-z0-9_-]++)(?![^ \t])", re.IGNORECASE)
# type.property=value, the type optional; the value is an address, whose local part may be quoted, or anything else.
_PROPERTY = re.compile(
    r"[ \t]*+([a-z0-9_-]++)[ \t]*+(?:\.[ \t]*+([a-z0-9_.-]++)[ \t]*+)?=[ \t]*+"
    rf'({_QUOTED}(?:@[^ \t"]*+)?|[^ \t"]*+)(?![^ \t])',
    re.IGNORECASE,
)


class Result(NamedTuple):
    """One result: the method, what came of it ("" where the result can't be read), and its `header.` properties."""

    method: str
    value: str
    header: dict[str, str]


def cut(text: str) -> list[str]:
    """The pieces between semicolons, comments taken out: who checked (see `server_of`), then the results."""
    if len(text) > LONGEST_RESULTS:
        raise Unreadable("malformed", "the topmost Authentication-Results is too long")
    if _CONTROL.search(text):
        raise Unreadable("malformed", "the topmost Authentication-Results holds control characters")
    pieces, at = [""], 0
    while at < len(text):
        if text[at] == ";":
            pieces.append("")
            at += 1
        elif text[at] == "(":
            pieces[-1] += " "
            at = _end_of_comment(text, at)
        elif plain := _PLAIN.match(text, at):
            pieces[-1] += plain[0]
            at = plain.end()
        else:
            raise _unbalanced()
    return pieces


def server_of(piece: str) -> str:
    """The authserv-id that the first piece names, in lower case; "" where it says anything else (but a version 1)."""
    words = _WORD.findall(piece)
    if not words or words[1:] not in ([], ["1"]):
        return ""
    return _unquoted(words[0]).lower()


def read_result(piece: str) -> Result:
    """Read one piece; the method is told even where the rest can't be read."""
    name = _NAME.match(piece)
    unread = Result(name[1].lower() if name else "", "", {})
    says = _METHOD.match(piece)
    if not says:
        return unread
    header: dict[str, str] = {}
    at = says.end()
    while piece[at:].strip(" \t"):
        one = _PROPERTY.match(piece, at)
        if not one:
            return unread
        kind, what, value = one[1].lower(), (one[2] or "").lower(), _unquoted(one[3])
        if kind == "header" and what in header:  # two readings
            return unread
        if kind == "header":
            header[what] = value
        at = one.end()
    return Result(says[1].lower(), says[2].lower(), header)


def _end_of_comment(text: str, at: int) -> int:
    depth, quoted = 0, False
    for mark in _IN_COMMENT.finditer(text, at):
        if mark[0] == '"':
            quoted = not quoted
        elif mark[0] in ("(", ")"):
            # Quotes mean nothing in a comment; but a server may have copied an address into it, quoted as it came.
            if quoted:
                raise _unbalanced()
            depth += 1 if mark[0] == "(" else -1
            if depth == 0:
                return mark.end()
    raise _unbalanced()


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    end = value.rindex('"')
    return re.sub(r"\\(.)", r"\1", value[1:end]) + value[end + 1 :]


def _unbalanced() -> Unreadable:
    return Unreadable("malformed", "the quotes or comments of the topmost Authentication-Results are not balanced")
