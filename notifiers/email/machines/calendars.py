"""Answers to invitations (RFC 5546), which mail clients send as mails: yes to a meeting is no yes to a request."""

from __future__ import annotations

import re

from notifiers.email.machines.values import beginning, keyword
from notifiers.email.mime.parts import Part

MOST_LOOKED_AT = 20_000  # bytes; METHOD stands at the top of a calendar
_TYPES = ("text/calendar", "application/ics")
# What attendees send; RFC 5546, section 3.2. An invitation among the files of a mail is nobody's answer.
_ANSWERS = ("reply", "counter", "refresh")
_METHOD = re.compile(rb"^METHOD(?:;[^:\n]{0,100})?:[ \t]*([A-Za-z]{1,20})", re.MULTILINE | re.IGNORECASE)
_FOLD = re.compile(rb"\r?\n[ \t]")  # RFC 5545, section 3.1


def answers_invitation(mail: Part) -> bool:
    """Whether a mail is a calendar's, or holds the answer to an invitation anywhere."""
    outlooks = keyword(mail.fields.first("content-class")) == "urn:content-classes:calendarmessage"
    return outlooks or mail.type in _TYPES or any(_answers(part) for part in mail.walk())


def _answers(part: Part) -> bool:
    """By the parameter that must repeat it (RFC 6047, section 2.4), on whatever part, or by the calendar itself."""
    if keyword(part.params.get("method", "")) in _ANSWERS:
        return True
    if part.type not in _TYPES:
        return False
    calendar = beginning(part, MOST_LOOKED_AT).replace(b"\0", b"")  # as UTF-16 has them
    found = _METHOD.search(_FOLD.sub(b"", calendar))
    return found is not None and found[1].decode("ascii").lower() in _ANSWERS
