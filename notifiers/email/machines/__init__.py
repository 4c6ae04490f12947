"""Mail that no person wrote just now: automatic replies, bounces, receipts, lists. None of it is an answer."""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from notifiers.email import limits
from notifiers.email.folding import MACHINES, any_of, loose
from notifiers.email.header_values import addresses_anywhere, keyword, one_sender, without_comments
from notifiers.email.machines.bounces import is_report, says_report
from notifiers.email.machines.subjects import kind_by_subject, says_away
from notifiers.email.mime.charset import beginning
from notifiers.email.mime.parts import Part, Unreadable
from notifiers.email.mime.shown import shown_texts
from notifiers.email.own_text import own_lines_of
from notifiers.email.token import in_message_id

Test = Callable[[Part], bool]

MOST_HOPS = 50  # Received fields; RFC 5321, section 6.3, asks for at least 100 before a loop is assumed, on the way
_REPORTS = ("multipart/report", "message/feedback-report")
_CALENDARS = ("text/calendar", "application/ics")
# What attendees send; RFC 5546, section 3.2. An invitation among the files of a mail is nobody's answer.
_ANSWERS = ("reply", "counter", "refresh")
_METHOD = re.compile(rb"^METHOD(?:;[^:\n]{0,100})?:[ \t]*(?:REPLY|COUNTER|REFRESH)\b", re.MULTILINE | re.IGNORECASE)
_NO_PATH = re.compile(r"\s*(?:<\s*>|<?mailer-daemon)", re.IGNORECASE)
_AWAY = any_of(MACHINES["away"])
_FOLD = re.compile(rb"\r?\n[ \t]")  # RFC 5545, section 3.1


class Sign(NamedTuple):
    """A mark that mail of one kind of machine has. `guessed`: people's mail may have it too."""

    kind: str
    sign: str
    shows: Test
    guessed: bool = False


def machine(mail: Part) -> Sign | None:
    """The sign that a machine wrote this mail, guessed only if all its signs are; None if there is no sign."""
    shown = [each for each in _SIGNS if each.shows(mail)]
    return shown[0]._replace(guessed=all(each.guessed for each in shown)) if shown else None


def is_from_mail_server(mail: Part) -> bool:
    """Whether a mail looks like a server's own about delivery: no proof that it is one, but people's mail never does.

    It is such a report as a whole (RFC 3464), comes from a daemon, or was sent with the empty return path that keeps
    bounces from being bounced (RFC 5321, section 4.5.5); the last server wrote the topmost Return-Path.
    """
    is_null = re.fullmatch(r"<\s*>", mail.fields.first("return-path")) is not None
    return (
        is_null
        or says_report(mail, "delivery-status")
        or one_sender(mail.fields).rpartition("@")[0] in MACHINES["daemons"]
    )


def is_away(mail: Part) -> bool:
    """Whether an automatic reply says that its author is away: by its marks or its subject, or else by its own words.

    The marks are those of Sieve (RFC 5230 has a comment in RFC 3834's field), Zimbra, `vacation` and Exchange. Quoted
    text doesn't count, as our mail may be quoted, which tells of other people's absence.
    """
    fields = mail.fields
    submitted = " ".join(fields.all("auto-submitted")).lower()
    by_rule = "auto-" in submitted and fields.first("x-ms-exchange-inbox-rules-loop")  # out of office is such a rule
    by_agent = "mailbox rules agent" in fields.first("x-ms-exchange-generated-message-source").lower()
    if by_rule or by_agent or "vacation" in submitted or any(map(fields.first, ("x-vacation", "x-away"))):
        return True
    own: list[str] = []
    with suppress(Unreadable):
        own = own_lines_of(shown_texts(mail).ways[0]).lines
    return says_away(mail) or bool(_AWAY.search(loose("\n".join(own)[: limits.LONGEST_ABSENCE])))


def _has(*names: str, no: tuple[str, ...] = ("no", "false", "none", "0")) -> Test:
    """Whether one of these fields says anything but no.

    RFC 3834, section 5, allows comments; a value that is only a comment, closed or not, isn't "no".
    """
    return lambda mail: any(value and keyword(value) not in no for name in names for value in mail.fields.all(name))


def _bears(*names: str, begins: tuple[str, ...] = ("",)) -> Test:
    """Whether one of these fields is there, with a value that begins with one of `begins`."""
    return lambda mail: any(
        value and keyword(value).startswith(begins) for name in names for value in mail.fields.all(name)
    )


def _is_from(users: tuple[str, ...]) -> Test:
    pattern = re.compile(rf"(?<![\w.-])(?:{'|'.join(users)})@", re.IGNORECASE)
    return lambda mail: bool(pattern.search(mail.fields.first("from")[: limits.LONGEST_STRUCTURED]))


def _answers_invitation(part: Part) -> bool:
    """Whether a part answers an invitation, as its `method` parameter (RFC 6047, 2.4) or the calendar itself says."""
    calendar = beginning(part, limits.LARGEST_REPORT) if part.type in _CALENDARS else b""
    unfolded = _FOLD.sub(b"", calendar.replace(b"\0", b""))  # as UTF-16 has them
    return keyword(part.params.get("method", "")) in _ANSWERS or bool(_METHOD.search(unfolded))


def _looped_by_sender(mail: Part) -> bool:
    """procmail's autoresponders (procmailex(5)) and Exchange's rules mark what they send with their owner's address."""
    return one_sender(mail.fields) in _named(mail, "x-loop") | _named(mail, "x-ms-exchange-inbox-rules-loop")


def _came_back(mail: Part) -> bool:
    """Whether it is our own mail, or X-Loop names an address it was sent to: it has been here before."""
    return bool(in_message_id(mail.fields.first("message-id"))) or bool(_named(mail, "x-loop") & _named(mail, "to"))


def _named(mail: Part, name: str) -> set[str]:
    """The addresses a field names, without comments and the tag behind `+`, folded."""
    values = (without_comments(value) for value in mail.fields.all(name))
    return {re.sub(r"\+[^@]*", "", each).lower() for value in values for each in addresses_anywhere(value)}


_AUTOMATIC = "its headers are those of an automatic reply"
_LIST = "it came through a mailing list (RFC 2919, RFC 2369)"
_EMPTY_PATH = "its return path is empty (RFC 5321)"
_INVITATION = "it answers an invitation (RFC 5546)"
_RESENT = "it was sent again by somebody (RFC 5322, 3.6.6)"
_SUBJECT = "its subject begins like that of one. Reply with the subject left as it is"
# In order: what says more comes first. Many signs name their source. Those that forwarders and scanners put on what
# they pass on, and add-ins on what people write, are guessed.
_SIGNS = [
    Sign("receipt", "it is a read receipt (RFC 8098)", lambda mail: is_report(mail, "disposition-notification")),
    Sign("receipt", "Content-Class says it is a receipt", _bears("content-class", begins=("urn:content-classes:mdn",))),
    Sign("bounce", "it is a delivery report (RFC 3464)", lambda mail: is_report(mail, "delivery-status")),
    Sign("bounce", "it names failed recipients", _bears("x-failed-recipients")),
    Sign("bounce", "a mail server wrote it", _is_from(MACHINES["daemons"])),
    Sign("calendar", _INVITATION, lambda mail: mail.type in _CALENDARS or any(map(_answers_invitation, mail.walk()))),
    Sign("calendar", _INVITATION, _bears("content-class", begins=("urn:content-classes:calendarmessage",))),
    Sign("auto_reply", "another report of a machine", lambda mail: any(part.type in _REPORTS for part in mail.walk())),
    Sign("auto_reply", "Auto-Submitted says so (RFC 3834)", _has("auto-submitted", no=("no",))),
    Sign("auto_reply", "a machine's address wrote it", _is_from(MACHINES["robots"])),
    Sign("auto_reply", _SUBJECT, lambda mail: kind_by_subject(mail) == "automatic", guessed=True),
    Sign("auto_reply", _AUTOMATIC, _has(*MACHINES["automatic_headers"])),
    Sign("auto_reply", _AUTOMATIC, _bears("x-post-messageclass", begins=("9",))),
    Sign("list", _LIST, _bears(*MACHINES["list_headers"])),
    Sign("list", _LIST, _bears("precedence", begins=("list",))),
    Sign("auto_reply", "Precedence says so", _bears("precedence", "x-precedence", begins=MACHINES["bulk"])),
    Sign("auto_reply", "it was delivered by an autoresponder", _bears("delivered-to", begins=("autoresponder",))),
    Sign("auto_reply", "its sender's own program marked it against loops", _looped_by_sender),
    Sign("bounce", _EMPTY_PATH, lambda mail: any(map(_NO_PATH.match, mail.fields.all("return-path")))),
    Sign("loop", "it has been here before", _came_back),
    Sign("loop", "it went round in circles", lambda mail: len(mail.fields.all("received")) > MOST_HOPS),
    Sign("loop", "X-Loop marks it against loops", _bears("x-loop"), guessed=True),
    Sign("list", "List-Unsubscribe marks it as bulk mail (RFC 2369)", _bears("list-unsubscribe"), guessed=True),
    Sign("resent", _RESENT, lambda mail: any(name.startswith("resent-") for name, _ in mail.fields)),
]
