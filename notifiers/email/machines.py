"""Mail that no person wrote just now: automatic replies, bounces, receipts, lists. None of it is an answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from countersign.directory import folded_address
from notifiers.email import caps
from notifiers.email import machines_words as words
from notifiers.email.parts import Fields, Part, Unreadable, read_fields
from notifiers.email.people import decoded

_DELIVERY_STATUS = ("message/delivery-status", "message/global-delivery-status")
MOST_HOPS = 50  # Received fields; RFC 5321, section 6.3, asks for at least 100 before a loop is assumed, on the way


class Machine(NamedTuple):
    """What kind of machine wrote a mail, and the sign it was known by."""

    kind: str
    sign: str


def machine(mail: Part) -> Machine | None:
    """The machine that wrote this mail, or None where a person may have."""
    for kind, sign, shows in _SIGNS:
        if shows(mail):
            return Machine(kind, sign)
    return None


def is_away(mail: Part, text: str) -> bool:
    """Whether an automatic reply says that its sender is out of office."""
    said = " ".join(f"{_subject(mail)} {text[:2000]}".casefold().split())
    return _subject_says(words.AWAY_SUBJECTS)(mail) or any(phrase in said for phrase in words.AWAY)


def is_forward(subject: str) -> bool:
    """Whether a subject says that the mail hands another one on."""
    return bool(re.match(rf"\s*(?:{words.FORWARD_PREFIXES})\s?[:：]", subject[:100].casefold()))


def failed_recipient(mail: Part) -> str:
    """The address that a bounce says can't be reached for good (RFC 3464), case-folded, or ""."""
    for value in mail.fields.all("x-failed-recipients"):
        return _address(value)
    for part in mail.walk():
        if part.type in _DELIVERY_STATUS:
            return next(filter(None, map(_failed_in, _blocks(part))), "")
    return _qmails_failed(mail)


def _qmails_failed(mail: Part) -> str:
    """qmail names the address in its text, as `<address>:`, below a sentence of its own (QSBMF)."""
    _, sign, rest = mail.body[:20_000].decode("ascii", "replace").partition("qmail-send")
    found = re.search(r"^<([^\s<>@]{1,64}@[^\s<>@]{1,255})>:", rest, re.MULTILINE)
    return found[1].casefold() if sign and found else ""


def returned_fields(mail: Part) -> Fields | None:
    """The header of the mail that a bounce returns, if it does."""
    for part in mail.walk():
        if part.type in ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers"):
            try:
                return read_fields(part.body.lstrip(b"\r\n"))
            except Unreadable:
                return None
    return None


def _blocks(part: Part) -> list[Fields]:
    blocks = []
    for piece in re.split(rb"\r?\n\r?\n", part.body[:20_000])[:50]:
        try:
            blocks.append(read_fields(piece.strip(b"\r\n")))
        except Unreadable:
            continue
    return blocks


def _failed_in(block: Fields) -> str:
    if block.first("action").strip().lower() != "failed":
        return ""
    return _address(block.first("original-recipient")) or _address(block.first("final-recipient"))


def _address(value: str) -> str:
    match = re.search(r"[^\s<>;,@]{1,64}@[^\s<>;,@]{1,255}", value[:400])
    return folded_address(match[0]) if match else ""


def _subject(mail: Part) -> str:
    return decoded(mail.fields.first("subject"))


def _has(*names: str) -> Callable[[Part], bool]:
    return lambda mail: any(mail.fields.all(name) for name in names)


def _value(name: str, *prefixes: str) -> Callable[[Part], bool]:
    return lambda mail: any(value.strip().lower().startswith(prefixes) for value in mail.fields.all(name))


def _report(kind: str) -> Callable[[Part], bool]:
    def shows(mail: Part) -> bool:
        return any(
            p.type == "multipart/report" and p.params.get("report-type", "").lower() == kind for p in mail.walk()
        )

    return shows


def _holds(*types: str) -> Callable[[Part], bool]:
    return lambda mail: any(part.type in types for part in mail.walk())


def _is_from(users: tuple[str, ...]) -> Callable[[Part], bool]:
    pattern = re.compile(rf"(?<![\w.-])(?:{'|'.join(users)})@", re.IGNORECASE)
    return lambda mail: bool(pattern.search(mail.fields.first("from")[: caps.LONGEST_STRUCTURED]))


def _resent(mail: Part) -> bool:
    return any(name.startswith("resent-") for name, _ in mail.fields.pairs)


def _null_sender(mail: Part) -> bool:
    return any(
        re.match(r"<\s*>|<?mailer-daemon", value.strip(), re.IGNORECASE) for value in mail.fields.all("return-path")
    )


def _submitted_by_machine(mail: Part) -> bool:
    return any(
        value.strip().lower().partition(";")[0].strip() not in ("no", "") for value in mail.fields.all("auto-submitted")
    )


def _subject_says(phrases: tuple[str, ...]) -> Callable[[Part], bool]:
    return lambda mail: " ".join(_subject(mail).casefold().split()).startswith(phrases)


# In order: what says more comes first. Each sign with its source.
_SIGNS: list[tuple[str, str, Callable[[Part], bool]]] = [
    ("receipt", "it is a read receipt (RFC 8098)", _report("disposition-notification")),
    ("receipt", "it is a read receipt (RFC 8098)", _holds("message/disposition-notification")),
    ("bounce", "it is a delivery report (RFC 3464)", _report("delivery-status")),
    ("bounce", "it is a delivery report (RFC 3464)", _holds(*_DELIVERY_STATUS)),
    ("bounce", "it names failed recipients", _has("x-failed-recipients")),
    ("bounce", "a mail server wrote it", _is_from(words.DAEMONS)),
    ("auto_reply", "another report of a machine", lambda mail: mail.type == "multipart/report"),
    ("auto_reply", "Auto-Submitted says so (RFC 3834)", _submitted_by_machine),
    ("auto_reply", "a machine's address wrote it", _is_from(words.ROBOTS)),
    ("auto_reply", "its subject is that of an out-of-office reply", _subject_says(words.AWAY_SUBJECTS)),
    ("auto_reply", "its subject is that of an automatic reply", _subject_says(words.AUTOMATIC_SUBJECTS)),
    ("auto_reply", "its headers are those of an automatic reply", _has(*words.AUTOMATIC_HEADERS)),
    ("auto_reply", "Precedence says so", _value("precedence", "bulk", "junk", "auto_reply", "auto-reply")),
    ("auto_reply", "Precedence says so", _value("x-precedence", "bulk", "junk", "auto_reply", "auto-reply")),
    ("auto_reply", "it was delivered by an autoresponder", _value("delivered-to", "autoresponder")),
    ("bounce", "its return path is empty (RFC 5321)", _null_sender),
    ("list", "it came through a mailing list", _has(*words.LIST_HEADERS)),
    ("list", "it came through a mailing list", _value("precedence", "list")),
    ("loop", "it went round in circles", _has("x-loop")),
    ("loop", "it went round in circles", lambda mail: len(mail.fields.all("received")) > MOST_HOPS),
    ("calendar", "it answers an invitation", lambda mail: mail.type == "text/calendar"),
    ("resent", "it was sent again by somebody (RFC 5322, 3.6.6)", _resent),
]  # fmt: skip
