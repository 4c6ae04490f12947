"""Which texts of a mail a mail client shows, and which of them are the same text in another form."""

from typing import NamedTuple

from notifiers.email import limits
from notifiers.email.mime.charset import part_text
from notifiers.email.mime.parts import Part, Unreadable

_TEXTS = ("text/plain", "text/html")
_ENCRYPTED = ("multipart/encrypted", "application/pgp-encrypted")
_SMIME = ("application/pkcs7-mime", "application/x-pkcs7-mime")  # the text within is encrypted, or in its signature
# Files by their type: messages that were collected (RFC 2046, section 5.1.5), a Macintosh file (RFC 1740).
_FILES = ("multipart/digest", "multipart/appledouble")
_TNEF = ("application/ms-tnef", "application/vnd.ms-tnef")


class Shown(NamedTuple):
    """The texts of a mail. Each of `ways` is the mail as some client shows it; all clients show `further` too."""

    ways: list[Part]
    further: list[Part]


def shown_texts(mail: Part) -> Shown:
    """The texts a mail client shows, in order. Raises Unreadable where there are none, and says why."""
    shown = _shown(mail)
    if not shown.ways:
        raise _why_no_text(mail)
    return shown


def _shown(part: Part) -> Shown:
    if part.is_file or part.type in (*_FILES, *_ENCRYPTED):
        return Shown([], [])
    if part.type in _TEXTS:
        return Shown([part], [])
    of_type = {"multipart/alternative": _alternatives, "multipart/signed": _signed}
    shown = of_type.get(part.type, _in_turn)(part)
    if len(shown.ways) + len(shown.further) > limits.MOST_TEXTS:
        raise Unreadable("too_many_parts", "The mail has too many texts.")
    return shown


def _signed(part: Part) -> Shown:
    """There must be exactly two parts: the first was signed, and the second is its signature (RFC 1847, 2.1)."""
    if len(part.parts) != 2 or _shown(part.parts[1]).ways:
        raise Unreadable("malformed", "The mail says that it is signed, but has no signature.")
    return _shown(part.parts[0])


def _alternatives(part: Part) -> Shown:
    """Every alternative is one way to show the mail; one that can't be read might say anything."""
    shown = list(map(_shown, part.parts))
    if not all(each.ways for each in shown):
        raise Unreadable("unknown_alternative", "The mail has a version of its text that can't be read here.")
    return Shown([way for each in shown for way in each.ways], [more for each in shown for more in each.further])


def _in_turn(part: Part) -> Shown:
    """Where parts are shown one after another, the mail begins with the first that has any text."""
    root = part.params.get("start", "").strip()
    if part.type == "multipart/related" and root and part.parts[0].fields.first("content-id").strip() != root:
        raise Unreadable("malformed", "The mail begins somewhere else than at its first part.")
    opening = Shown([], [])
    opened = False
    for each in part.parts:
        shown = _shown(each)
        if opened:
            opening.further.extend([*shown.ways, *shown.further])
        elif shown.ways:
            opening = Shown(shown.ways, [*shown.further])
            opened = any(part_text(way).strip() for way in shown.ways)
    return opening


def _why_no_text(mail: Part) -> Unreadable:
    types = {part.type for part in mail.walk()}
    if types & {*_ENCRYPTED}:
        return Unreadable("encrypted", "The mail is encrypted, so it can't be read here.")
    if types & {*_SMIME}:
        message = "What the mail says is inside an S/MIME file, which isn't read here. Sign it as clear text."
        return Unreadable("encrypted", message)
    if types & {*_TNEF}:
        return Unreadable("tnef", "The mail is in a format of Outlook's own (TNEF), which can't be read here.")
    return Unreadable("no_text", "The mail has no text of its own.")
