"""Mail that no person wrote just now: automatic replies, bounces, receipts, lists. None of it is an answer."""

import re
from collections.abc import Callable
from typing import NamedTuple

from notifiers.email import limits
from notifiers.email.folding import MACHINES
from notifiers.email.header_values import addresses_anywhere, keyword, without_comments
from notifiers.email.machines.bounces import is_report, is_report_of
from notifiers.email.machines.subjects import kind_by_subject
from notifiers.email.mime.charset import beginning
from notifiers.email.mime.parts import Part
from notifiers.email.people import one_sender
from notifiers.email.token import in_message_id

Test = Callable[[Part], bool]

_BULK = ("bulk", "junk", "auto_reply", "auto-reply")
_NO = ("", "no", "false", "none", "0")
MOST_HOPS = 50  # Received fields; RFC 5321, section 6.3, asks for at least 100 before a loop is assumed, on the way
_CALENDARS = ("text/calendar", "application/ics")
# What attendees send; RFC 5546, section 3.2. An invitation among the files of a mail is nobody's answer.
_ANSWERS = ("reply", "counter", "refresh")
_METHOD = re.compile(rb"^METHOD(?:;[^:\n]{0,100})?:[ \t]*(?:REPLY|COUNTER|REFRESH)\b", re.MULTILINE | re.IGNORECASE)
_FOLD = re.compile(rb"\r?\n[ \t]")  # RFC 5545, section 3.1


class Sign(NamedTuple):
    """What a kind of machine is known by; where it is only `guessed`, a person's mail may bear it, too."""

    kind: str
    sign: str
    shows: Test
    guessed: bool = False


def machine(mail: Part) -> Sign | None:
    """The sign that a machine wrote this mail, which is guessed where all are; None where a person may have."""
    shown = [each for each in _SIGNS if each.shows(mail)]
    return shown[0]._replace(guessed=all(each.guessed for each in shown)) if shown else None


def is_from_mail_server(mail: Part) -> bool:
    """Whether a mail has the shape of a server's own about delivery: by itself no proof, but no person's either.

    It is such a report as a whole (RFC 3464), comes from a daemon, or was sent with the empty return path that keeps
    bounces from being bounced (RFC 5321, section 4.5.5); the topmost Return-Path is that of the last server.
    """
    null = re.fullmatch(r"<\s*>", mail.fields.first("return-path").strip()) is not None
    is_whole = is_report_of("delivery-status", mail)
    return is_whole or null or one_sender(mail.fields).rpartition("@")[0] in MACHINES["daemons"]


def _has(*names: str) -> Test:
    """Whether one of these fields says anything but no."""
    return lambda mail: any(keyword(value) not in _NO for name in names for value in mail.fields.all(name))


def _bears(*names: str) -> Test:
    return lambda mail: any(map(mail.fields.first, names))


def _value(name: str, *prefixes: str) -> Test:
    return lambda mail: any(keyword(value).startswith(prefixes) for value in mail.fields.all(name))


def _is_from(users: tuple[str, ...]) -> Test:
    pattern = re.compile(rf"(?<![\w.-])(?:{'|'.join(users)})@", re.IGNORECASE)
    return lambda mail: bool(pattern.search(mail.fields.first("from")[: limits.LONGEST_STRUCTURED]))


def _holds(*types: str) -> Test:
    return lambda mail: any(part.type in types for part in mail.walk())


def _is_receipt(mail: Part) -> bool:
    kind = "disposition-notification"
    return _holds(f"message/{kind}")(mail) or any(is_report_of(kind, part) for part in mail.walk())


def _answers_invitation(mail: Part) -> bool:
    """Whether a mail is a calendar's, or holds the answer to an invitation anywhere: no yes to a request (RFC 5546)."""
    outlooks = keyword(mail.fields.first("content-class")) == "urn:content-classes:calendarmessage"
    return outlooks or mail.type in _CALENDARS or any(map(_is_answer, mail.walk()))


def _is_answer(part: Part) -> bool:
    """By the parameter that must repeat it (RFC 6047, section 2.4), on whatever part, or by the calendar itself."""
    calendar = beginning(part, limits.LARGEST_CALENDAR) if part.type in _CALENDARS else b""
    said = _FOLD.sub(b"", calendar.replace(b"\0", b""))  # as UTF-16 has them
    return keyword(part.params.get("method", "")) in _ANSWERS or bool(_METHOD.search(said))


def _null_sender(mail: Part) -> bool:
    paths = mail.fields.all("return-path")
    return any(re.match(r"\s*(?:<\s*>|<?mailer-daemon)", value, re.IGNORECASE) for value in paths)


def _submitted_by_machine(mail: Part) -> bool:
    """RFC 3834, section 5, allows comments; a value that is nothing else, or is never closed, is no "no"."""
    return any(value.strip() and keyword(value) != "no" for value in mail.fields.all("auto-submitted"))


def _looped_by_sender(mail: Part) -> bool:
    """procmail's autoresponders (procmailex(5)) and Exchange's rules mark what they send with their owner's address."""
    return one_sender(mail.fields) in _named(mail, "x-loop") | _named(mail, "x-ms-exchange-inbox-rules-loop")


def _came_back(mail: Part) -> bool:
    """Our own mail, or one marked by who it was sent to: it has been here before."""
    return bool(in_message_id(mail.fields.first("message-id"))) or bool(_named(mail, "x-loop") & _named(mail, "to"))


def _named(mail: Part, name: str) -> set[str]:
    """The addresses a field names, without comments and the tag behind `+`, folded."""
    values = (without_comments(value) for value in mail.fields.all(name))
    return {re.sub(r"\+[^@]*", "", each).lower() for value in values for each in addresses_anywhere(value)}


_AUTOMATIC = "its headers are those of an automatic reply"
_LIST = "it came through a mailing list (RFC 2919, RFC 2369)"
_SUBJECT = "its subject begins like that of one. Reply with the subject left as it is"
# In order: what says more comes first. Each sign with its source. What forwarders and scanners put on what they pass
# on, and add-ins on what people write, is guessed.
_SIGNS = [
    Sign("receipt", "it is a read receipt (RFC 8098)", _is_receipt),
    Sign("receipt", "Content-Class says it is a receipt", _value("content-class", "urn:content-classes:mdn")),
    Sign("bounce", "it is a delivery report (RFC 3464)", is_report),
    Sign("bounce", "it names failed recipients", _bears("x-failed-recipients")),
    Sign("bounce", "a mail server wrote it", _is_from(MACHINES["daemons"])),
    Sign("calendar", "it answers an invitation (RFC 5546)", _answers_invitation),
    Sign("auto_reply", "another report of a machine", _holds("multipart/report", "message/feedback-report")),
    Sign("auto_reply", "Auto-Submitted says so (RFC 3834)", _submitted_by_machine),
    Sign("auto_reply", "a machine's address wrote it", _is_from(MACHINES["robots"])),
    Sign("auto_reply", _SUBJECT, lambda mail: kind_by_subject(mail) == "automatic", guessed=True),
    Sign("auto_reply", _AUTOMATIC, _has(*MACHINES["automatic_headers"])),
    Sign("auto_reply", _AUTOMATIC, _value("x-post-messageclass", "9")),
    Sign("list", _LIST, _bears(*MACHINES["list_headers"])),
    Sign("list", _LIST, _value("precedence", "list")),
    Sign("auto_reply", "Precedence says so", _value("precedence", *_BULK)),
    Sign("auto_reply", "X-Precedence says so", _value("x-precedence", *_BULK)),
    Sign("auto_reply", "it was delivered by an autoresponder", _value("delivered-to", "autoresponder")),
    Sign("auto_reply", "its sender's own program marked it against loops", _looped_by_sender),
    Sign("bounce", "its return path is empty (RFC 5321)", _null_sender),
    Sign("loop", "it has been here before", _came_back),
    Sign("loop", "it went round in circles", lambda mail: len(mail.fields.all("received")) > MOST_HOPS),
    Sign("loop", "X-Loop marks it against loops", _bears("x-loop"), guessed=True),
    Sign("list", "List-Unsubscribe marks it as bulk mail (RFC 2369)", _bears("list-unsubscribe"), guessed=True),
    Sign(
        "resent",
        "it was sent again by somebody (RFC 5322, 3.6.6)",
        lambda mail: any(name.startswith("resent-") for name, _ in mail.fields),
    ),
]
