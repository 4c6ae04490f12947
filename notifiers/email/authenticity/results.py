"""Read what one Authentication-Results header says (RFC 8601), each of its results on its own.

Servers write much that the grammar doesn't know: bare IPv6 addresses and URLs, words that are no property, an empty
last result. And senders choose some of what is written: the address on the envelope, a signature's domain. So the
header is cut at the semicolons that stand outside quotes and comments, and what can't be read then spoils its own
result only. Where two programs could cut in two places, the whole header is Unreadable; a DMARC or DKIM result that
nothing divides from the one before it can't be read.
"""

import re
from typing import NamedTuple

from notifiers.email import limits
from notifiers.email.header_values import tokens
from notifiers.email.mime.parts import Unreadable

# The methods of the IANA registry (Email Authentication Parameters), and Microsoft's. No property has such a name.
METHODS = {
    "arc", "auth", "bimi", "compauth", "dkim", "dkim-adsp", "dkim-atps", "dmarc", "dnswl", "domainkeys", "iprev",
    "rrvs", "sender-id", "smime", "spf", "vbr",
}  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_QUOTED = r'"(?:[^"\\]++|\\.)*"'
_SERVER = re.compile(rf'[ \t]*+({_QUOTED}|[^ \t"]++)(?:[ \t]++1)?[ \t]*+')
_NAME = re.compile(r"[ \t]*([a-z0-9_-]*)", re.IGNORECASE)
# method[/version]=result; a word ends at white space or at the end, so that nothing is read of `pass"x"`.
_METHOD = r"[ \t]*([a-z0-9_-]++)[ \t]*(?:/[ \t]*1[ \t]*)?=[ \t]*([a-z0-9_-]++)(?![^ \t])"
# type.property=value, the type optional; the value is an address, whose local part may be quoted, or anything else.
_PROPERTY = (
    r"[ \t]*+([a-z0-9_-]++)[ \t]*+(?:\.[ \t]*+([a-z0-9_.-]++)[ \t]*+)?=[ \t]*+"
    rf'({_QUOTED}(?:@[^ \t"]*+)?|[^ \t"]*+)(?![^ \t])'
)
_ONE_PROPERTY = re.compile(_PROPERTY, re.IGNORECASE)
_RESULT = re.compile(rf"{_METHOD}(?P<properties>(?:{_PROPERTY})*)[ \t]*", re.IGNORECASE)
# What begins a DMARC or DKIM result, within another's piece.
_DECISIVE_WITHIN = re.compile(r"[ \t](dmarc|dkim)[ \t]*+[/=]", re.IGNORECASE)


class Result(NamedTuple):
    """One result: the method, what came of it ("" where the result can't be read), and its properties.

    These are called `type.property`, or `property` where a server writes no type (`action=none`, `d=example.com`).
    """

    method: str
    value: str
    properties: dict[str, str]


def cut(text: str) -> list[str]:
    """The pieces between semicolons, comments taken out: who checked (see `server_of`), then the results."""
    if len(text) > limits.LONGEST_RESULTS:
        raise Unreadable("malformed", "the topmost Authentication-Results is too long")
    if _CONTROL.search(text):
        raise Unreadable("malformed", "the topmost Authentication-Results holds control characters")
    pieces = [""]
    for kind, piece in tokens(text):
        # Quotes mean nothing in a comment; but a server may have copied an address into it, quoted as it came.
        if kind == "open" or (kind == "comment" and _quotes_a_bracket(piece)):
            raise Unreadable("malformed", "quotes or comments of the topmost Authentication-Results are not balanced")
        first, *more = piece.split(";") if kind == "text" else [" " if kind == "comment" else piece]
        pieces[-1] += first
        pieces += more
    return pieces


def _quotes_a_bracket(comment: str) -> bool:
    return any({*"()"} & {*quoted} for quoted in re.sub(r"\\.", "", comment).split('"')[1::2])


def server_of(piece: str) -> str:
    """The authserv-id that the first piece names, in lower case; "" if it says anything more than a version 1."""
    named = _SERVER.fullmatch(piece)
    return _unquoted(named[1]).lower() if named else ""


def read_result(piece: str) -> Result:
    """Read one piece; gives its method even where the rest can't be read.

    Raises Unreadable for a piece that can only be the end of an address: a server that copies `"a;b"@example.com`
    without its quotes lets the sender write results. (Where the text behind the semicolon is itself a whole result,
    this can't be seen; but then the server's own DMARC result contradicts it.)
    """
    if says := _RESULT.fullmatch(piece):
        found = [(f"{kind}.{name}" if name else kind, value) for kind, name, value in _ONE_PROPERTY.findall(says[3])]
        properties = {name.lower(): _unquoted(value) for name, value in found}
        if len(properties) == len(found) and METHODS.isdisjoint(properties):  # else two readings, or two results
            return Result(says[1].lower(), says[2].lower(), properties)
    first = _ONE_PROPERTY.match(piece)
    if not re.match(_METHOD, piece, re.IGNORECASE) and "@" in piece and not (first and first[2]):
        raise Unreadable("malformed", "the topmost Authentication-Results holds a piece of an address")
    # What can't be read is a result of its own method, or of DMARC or DKIM where these begin within it.
    name, within = _NAME.match(piece), {each.lower() for each in _DECISIVE_WITHIN.findall(piece)}
    return Result(max(within, default=name[1].lower() if name else ""), "", {})


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    end = value.rindex('"')
    return re.sub(r"\\(.)", r"\1", value[1:end]) + value[end + 1 :]
