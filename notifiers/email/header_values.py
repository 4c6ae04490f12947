"""What header values are made of: quoted strings, comments, addresses, Message-IDs (RFC 5322, sections 3.2 to 3.6).

And what they say of a mail: who it is from, whom it is to, and which of our mails it answers.
"""

import re
from collections.abc import Iterator
from email.errors import MessageError
from email.header import decode_header, make_header

from countersign.fields import folded_address
from notifiers.email import limits
from notifiers.email.mime.parts import Fields
from notifiers.email.token import Ids, in_address, in_message_id

_TOKEN = re.compile(r'(?P<text>(?:[^"()\\]++|\\(?!["();\\]))+)|(?P<quoted>"(?:[^"\\]++|\\.)*")|(?P<open>.)', re.DOTALL)
_IN_COMMENT = re.compile(r"\\.|[()]", re.DOTALL)
# Without groups, routes and quoted local parts, which no approver's mail client writes.
_ADDRESS = r"[^\s<>()\[\]:;@\\,\"\x00-\x20]{1,64}@[^\s<>()\[\]:;@\\,\"\x00-\x20]{1,255}"
# A comment is a NUL here, which no header holds, and a quoted string a quotation mark, which no address here holds.
_MAILBOX = re.compile(rf"(?:[^<>,;:]*+<\s?(?P<named>{_ADDRESS})\s?>|\s*(?P<bare>{_ADDRESS}))[\s\0]*")
# Whatever looks like an address in a value, with its tag, as it is written; and the Message-IDs in it, in order.
addresses_anywhere = re.compile(r"(?<![^\s<>\",;:()@])[^\s<>\",;:()@]{1,200}+@[^\s<>\",;:()@]{1,255}").findall
_message_ids = re.compile(r"<[^<>\s]{1,400}>").findall
_RECIPIENTS = ("to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to")


def tokens(value: str) -> Iterator[tuple[str, str]]:
    """The value in pieces, in time linear in its length: "text", "quoted" strings and "comment"s, nested or not.

    "open" is a bracket or a backslash out of place, or all the rest where a quoted string or a comment isn't closed.
    """
    at = 0
    while found := _TOKEN.match(value, at):
        kind, text = str(found.lastgroup), found[0]
        if text == "(" and (end := _end_of_comment(value, at)):
            kind, text = "comment", value[at:end]
        elif text in ("(", '"'):
            text = value[at:]
        yield kind, text
        at += len(text)


def _end_of_comment(value: str, at: int) -> int:
    depth = 0
    for mark in _IN_COMMENT.finditer(value, at):
        depth += {"(": 1, ")": -1}.get(mark[0], 0)
        if depth == 0:
            return mark.end()
    return 0


def keyword(value: str) -> str:
    """The one word a value says, in lower case, without comments, quotes and parameters."""
    return without_comments(value).partition(";")[0].strip().strip('"').strip().lower()


def without_comments(value: str) -> str:
    """The value without its comments; an unclosed one extends to the end."""
    pieces = tokens(value[: limits.LONGEST_KEYWORD])
    return "".join(text for kind, text in pieces if kind != "comment" and text[:1] != "(").strip()


def one_address(value: str) -> str:
    """The one address of a From or a Sender, folded; "" where there is none, more than one, or two ways to read it."""
    pieces = list(tokens(value[: limits.LONGEST_STRUCTURED + 1]))
    if len(value) > limits.LONGEST_STRUCTURED or any(kind == "comment" and "<" in text for kind, text in pieces):
        return ""
    return _mailbox("".join({"comment": "\0", "quoted": '"'}.get(kind, text) for kind, text in pieces))


def addresses(value: str) -> list[str]:
    """The addresses of a To, folded; none if a quoted string or comment isn't closed, or its end is hard to see."""
    pieces = list(tokens(value))
    bare = "".join({"comment": " ", "quoted": '"'}.get(kind, text) for kind, text in pieces)
    if "\\" in bare or any(kind == "open" or (kind == "comment" and "(" in text[1:]) for kind, text in pieces):
        return []
    return list(filter(None, map(_mailbox, re.split("[,;]", bare)[: limits.MOST_ADDRESSES])))


def _mailbox(text: str) -> str:
    found = _MAILBOX.fullmatch(text)
    return folded_address(found["named"] or found["bare"]) if found else ""


def decoded(value: str) -> str:
    """A header's text, cut at the cap, with RFC 2047's encoded words decoded unless they are broken."""
    cut = value[: limits.LONGEST_SUBJECT]
    try:
        return str(make_header(decode_header(cut)))
    except (MessageError, LookupError, ValueError, TypeError):
        return cut


def one_sender(fields: Fields) -> str:
    """The one From address, folded; "" where there is none, more than one, or one that can be read two ways."""
    values = fields.all("from")
    return one_address(values[0]) if len(values) == 1 else ""


def sender_differs(fields: Fields, sender: str) -> bool:
    """Whether a Sender field names somebody other than From: then another person pressed send.

    A sub-address (RFC 5233) or a host within the domain is still the same person: Exim and other old Unix programs put
    the user and the machine there. An empty field names nobody.
    """
    own, _, domain = sender.rpartition("@")
    person = own.partition("+")[0]
    named = [one_address(value).rpartition("@") for value in fields.all("sender") if value.strip()]
    return any(user.partition("+")[0] != person or not f".{host}".endswith(f".{domain}") for user, _, host in named)


def answered_ids(fields: Fields) -> list[str]:
    """The ids a mail says it answers, nearest first: In-Reply-To, then References from its end."""
    found = [*reversed(_message_ids(fields.first("in-reply-to"))), *reversed(_message_ids(fields.first("references")))]
    return list(dict.fromkeys(found))[: limits.MOST_ADDRESSES]


def ids_named(fields: Fields) -> list[Ids]:
    """Which level of which request a mail answers; more than one if its headers disagree.

    The tag of the address it was sent to says so, and In-Reply-To must agree; without a tag, the nearest of our ids.
    """
    written = [addresses_anywhere(value)[: limits.MOST_ADDRESSES] for name in _RECIPIENTS for value in fields.all(name)]
    tagged = [ids for each in written for ids in map(in_address, each) if ids]
    nearest = [ids for ids in map(in_message_id, answered_ids(fields)) if ids and ids.token]
    replied_to = [ids for ids in map(in_message_id, _message_ids(fields.first("in-reply-to"))) if ids and ids.token]
    return list(dict.fromkeys([*tagged, *replied_to])) if tagged else nearest[:1]
