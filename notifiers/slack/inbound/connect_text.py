"""Reads what somebody typed after `/connect`: from Slack's markup back to plain text, and then to a question."""

import re
from typing import Any

USAGE = "/connect DEVICE PROTOCOL [60m] [ticket:ABC-1] REASON"

# https://docs.slack.dev/interactivity/implementing-slash-commands#escaping_users_warning: links, people and channels.
_MARKUP = re.compile(r"<([^<>|]{1,2000})(?:\|([^<>]{0,2000}))?>")
_SCHEME = re.compile(r"(?:https?://|mailto:|tel:)")
_NAMED = {
    "ticket": re.compile(r"(?<!\S)ticket:(\S{1,200})\s?", re.IGNORECASE),
    # It does not match in a reason such as "a copy from:backup".
    "source_address": re.compile(
        r"(?<!\S)from:((?:[0-9]{1,3}\.|[0-9a-f]{0,4}:)[0-9a-f.:]{1,40})(?:\s|$)", re.IGNORECASE
    ),
}
_MINUTES = re.compile(r"(?=\d)(?:(\d{1,9})h)?(?:(\d{1,9})m(?:in)?)?", re.IGNORECASE)
# Quotation marks, also the typographic ones that keyboards make.
_QUOTES = "\"'`“”„‟«»‘’‚‛″′"


def as_typed(text: str) -> str:
    """The text without Slack's markup: a link that Slack made of an address is the address again."""
    plain = _MARKUP.sub(_unwrapped, text)
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def typed_fields(text: str) -> dict[str, Any]:
    """The typed fields of a question, without the requester and without those that were left out.

    The order is device, protocol, minutes, reason; a ticket and a source address may be anywhere. Nothing is validated
    here.
    """
    plain = as_typed(text)
    found: dict[str, Any] = {}
    for name, pattern in _NAMED.items():
        if named := pattern.search(plain):
            found[name] = named[1].strip(_QUOTES)
            plain = plain[: named.start()] + plain[named.end() :]
    for name in ("device", "protocol"):
        word, plain = _first(plain)
        if word:
            found[name] = word.strip(_QUOTES).lower()
    word, rest = _first(plain)
    if (minutes := minutes_in(word)) is not None:
        found["minutes"], plain = minutes, rest
    if reason := _unquoted(plain.strip()):
        found["reason"] = reason
    return found


def minutes_in(word: str) -> int | None:
    """The minutes of a word such as 60m, 2h or 1h30m; None for any other word."""
    found = _MINUTES.fullmatch(word.strip(_QUOTES))
    return int(found[1] or 0) * 60 + int(found[2] or 0) if found else None


def _first(text: str) -> tuple[str, str]:
    parts = text.split(maxsplit=1)
    return (parts[0] if parts else ""), (parts[1] if len(parts) > 1 else "")


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES
    return text[1:-1].strip() if quoted and not {text[0], text[-1]} & set(text[1:-1]) else text


def _unwrapped(found: re.Match[str]) -> str:
    target, label = found[1], found[2] or ""
    if target[0] in "@#!":
        return f"{'' if label[:1] in ('@', '#') or target[0] == '!' else target[0]}{label or target[1:]}"
    bare = _SCHEME.sub("", target, count=1)
    if not label or label.rstrip("/") in (bare.rstrip("/"), target.rstrip("/")):
        return label or target
    return f"{label} ({target})"
