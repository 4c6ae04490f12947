"""Who a mail is from, whom it is to, and which of our mails it answers."""

from __future__ import annotations

import re
from email.errors import MessageError
from email.header import decode_header, make_header

from countersign.directory import folded_address
from notifiers.email import limits
from notifiers.email.machines.values import MACHINES
from notifiers.email.mime.parts import Fields
from notifiers.email.token import Ids, in_address, in_message_id

# RFC 5322, section 3.4, without groups, routes and lists, which no approver's mail client writes in From.
_COMMENT = r"(?:\s*\([^()\\]{0,200}\))?"
_ADDR_SPEC = r"[^\s<>()\[\]:;@\\,\"\x00-\x20]{1,64}@[^\s<>()\[\]:;@\\,\"\x00-\x20]{1,255}"
_BARE = re.compile(rf"\s*(?P<address>{_ADDR_SPEC}){_COMMENT}\s*")
_NAMED = re.compile(rf"(?P<name>[^<>]*+)<\s?(?P<address>{_ADDR_SPEC})\s?>{_COMMENT}\s*")
_QUOTED_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
_SMALL_COMMENT = re.compile(r"\([^()\\<>@]{0,200}\)")
_RECIPIENTS = ("to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to")
# A quoted string or a comment (RFC 5322, section 3.2), as far as it goes: left to right, so that neither opens in the
# other, and to the end where it is not closed, so that no mail is read twice. Comments within comments stay open.
_SET_APART = re.compile(r'"(?:[^"\\]|\\.)*+(?P<quoted>")?|\((?:[^()\\]|\\.)*+(?P<comment>\))?', re.DOTALL)
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,400}>")
_TAGGED = re.compile(r"[^\s<>\",;:()+]{1,64}\+[0-9]{1,12}-[0-9]{1,3}-[A-Za-z0-9]{28}@[^\s<>\",;:()@]{1,255}")


def one_sender(fields: Fields) -> str:
    """The one From address, folded; "" where there is none, more than one, or one that can be read two ways."""
    values = fields.all("from")
    if len(values) != 1 or len(values[0]) > limits.LONGEST_STRUCTURED:
        return ""
    match = _BARE.fullmatch(values[0]) or _NAMED.fullmatch(_without_quoted(values[0]))
    if not match or ("name" in match.groupdict() and any(c in match["name"] for c in ",;:")):
        return ""
    return folded_address(match["address"])


def sender_differs(fields: Fields, sender: str) -> bool:
    """Whether a Sender field names somebody else than From: then another person pressed send.

    A sub-address (RFC 5233) and a host of the domain are the same person's: Exim and other old Unix programs put the
    user and the machine there. So is an empty field nobody's.
    """
    for value in filter(str.strip, fields.all("sender")):
        match = _NAMED.fullmatch(_without_quoted(value[: limits.LONGEST_STRUCTURED])) or _BARE.fullmatch(value)
        if not match or not _is_same(folded_address(match["address"]), sender):
            return True
    return False


def _is_same(address: str, sender: str) -> bool:
    (user, _, host), (own, _, domain) = address.rpartition("@"), sender.rpartition("@")
    return user.partition("+")[0] == own.partition("+")[0] and f".{host}".endswith(f".{domain}")


def written_to(fields: Fields) -> list[str]:
    """The addresses in To, folded; none of a field that leaves open where a quoted string or a comment ends.

    To alone is surely what the sender said: it is signed where it stands (RFC 6376, section 5.4.1), and a reply has
    one; but a Cc could be put into a signed mail that had none, and Delivered-To and its like are words of servers.
    """
    value = fields.first("to")
    bare = _SET_APART.sub(_outside, value)
    if any(mark in bare for mark in '"()\\'):
        return []
    found = []
    for one in re.split("[,;]", bare)[: limits.MOST_ADDRESSES]:
        match = _BARE.fullmatch(one.strip()) or _NAMED.fullmatch(one.strip())
        if match and ":" not in match.groupdict().get("name", ""):
            found.append(folded_address(match["address"]))
    return found


def _outside(found: re.Match[str]) -> str:
    if found["quoted"]:
        return "\0"  # which no address may hold: what it is part of is none that is read here
    return " " if found["comment"] else found[0][0]


def from_mail_server(fields: Fields) -> bool:
    """Whether a mail has the shape of a server's own about delivery: by itself no proof, but no person's either.

    It is such a report as a whole (RFC 3464), comes from a daemon, or was sent with the empty return path that keeps
    bounces from being bounced (RFC 5321, section 4.5.5); the topmost Return-Path is that of the last server.
    """
    kind = fields.first("content-type").lower()
    report = kind.strip().startswith("multipart/report") and "delivery-status" in kind
    null = re.fullmatch(r"<\s*>", fields.first("return-path").strip()) is not None
    return report or null or one_sender(fields).rpartition("@")[0] in MACHINES["daemons"]


def decoded(value: str) -> str:
    """A header's text with RFC 2047's encoded words undone, cut at the cap; as it is where they are broken."""
    cut = value[: limits.LONGEST_SUBJECT]
    if "=?" not in cut:
        return cut
    try:
        return str(make_header(decode_header(cut)))
    except (MessageError, LookupError, ValueError, TypeError):
        return cut


def message_ids(fields: Fields) -> list[str]:
    """The ids a mail says it answers, nearest first: In-Reply-To, then References from its end."""
    found: list[str] = []
    for value in (*fields.all("in-reply-to")[:1], *fields.all("references")[:1]):
        found.extend(reversed(_MESSAGE_ID.findall(value)))
    return list(dict.fromkeys(found))[: limits.MOST_ADDRESSES]


def ids_named(fields: Fields) -> list[Ids]:
    """Which level of which request a mail answers; more than one where its headers disagree.

    The address it was sent to says so, and must agree with In-Reply-To; without a tag there, the nearest of our ids.
    """
    tagged: list[Ids] = []
    for name in _RECIPIENTS:
        for value in fields.all(name):
            tagged.extend(filter(None, map(in_address, _TAGGED.findall(value)[: limits.MOST_ADDRESSES])))
    answered = (in_message_id(each) for each in message_ids(fields))
    nearest = next((ids for ids in answered if ids and ids.token), None)
    replied_to = (in_message_id(each) for each in _MESSAGE_ID.findall(fields.first("in-reply-to")))
    tagged += [ids for ids in replied_to if tagged and ids and ids.token]
    return list(dict.fromkeys(tagged)) or ([nearest] if nearest else [])


def _without_quoted(value: str) -> str:
    """The value without its quoted strings and comments, in which anything may stand."""
    return _SMALL_COMMENT.sub("", _QUOTED_STRING.sub("", value))
