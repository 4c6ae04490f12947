"""What was put before a subject: by a mail client that answers or hands on, by a gateway, or by an autoresponder.

Who is away is told in every language there is, so no table of words can know all autoresponders. But the subject of
our own mails is known, and others put only before it what tells: where that is longer than any client's "Re:", and is
neither a known prefix, nor a gateway's label, nor the answer itself, a machine put it there. The outermost prefix tells
what was done last: "Re: Fwd: ..." is a reply, "Fwd: Re: ..." was handed on. Within a prefix the client's word stands
last, whatever label a gateway put beside it: "INTERNAL - FW:" was handed on, "P1 RE:" is a reply.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, NamedTuple

from notifiers.email import limits
from notifiers.email.folding import MACHINES, any_of, loose
from notifiers.email.grammar import read_line

LONGEST_LABEL = 3  # words
SHORTEST_TELLING = 5  # columns: "Resp:" and its like are answers, whatever the language; a CJK character takes two

# `- Connection Approval Notification - #1042`, as `compose` writes it.
_OURS = re.compile(r"connection approval notification - #\d{1,12}")
_OURS_ALONE = re.compile(r"#\d{1,12}")
_BRACKETS = "[({<*【«"
_TAG = re.compile(
    r"(?:\[[^\[\]]{0,80}\]|\([^()]{0,80}\)|\{[^{}]{0,80}\}|<[^<>]{0,80}>|【[^【】]{0,80}】|\*{2,9}[^*]{0,80}\*{2,9}) ?"
)
# RFC 5256, section 2.1: subj-fwd-hdr, which wraps the subject; and the word alone.
_WRAPPED_FORWARD = re.compile(r"[\[{(](?:(?:fwd?|wg|tr) ?:|fwd?[\]})])")
_FORWARD_BEHIND = "(fwd)"  # the same, subj-trailer
# What parts a label from the prefix behind it, as in "INTERNAL - FW", "//SEC// RE"; and the count of "Re[2]", "Re^2".
_PARTING = re.compile(r"[-\[\](){}<>|/~#*_!?\"+]+")
_COUNT = re.compile(r"[ \[(^*-]{0,2}\d{1,3} ?[\])]?$")

Kind = Literal["", "reply", "forward", "automatic"]


class Heading(NamedTuple):
    """How a subject begins: what that makes of the mail, and, if its author is away, that."""

    kind: Kind
    away: bool = False


_AWAY = any_of((*MACHINES["away_subjects"], *(each for each in MACHINES["away"] if "*" not in each)))
_OUTLOOK = any_of(MACHINES["outlook_away"])
_AUTOMATIC = any_of(MACHINES["automatic_subjects"])
_SAYS_AUTO = re.compile(r"(?<![a-z])auto(?:(?![a-z])|mat(?!t|ion))")  # as many languages do; not "Automation"


def is_forward(subject: str) -> bool:
    """Whether a subject says that the mail hands another one on."""
    return heading(subject).kind == "forward"


def before_ours(subject: str) -> str:
    """What stands before our own subject, folded; all of it where ours isn't there.

    Ours begins with the name of the installation, which may be any words ("Out of Office Ltd"), and tells nothing.
    """
    text = _folded(subject)
    ours = _OURS.search(text)
    return text[: _begins(text, ours.start())] if ours else text


def heading(subject: str) -> Heading:
    """Read the prefixes of a decoded subject from the left, up to the first that tells."""
    text = _folded(subject)
    ours = _OURS.search(text)
    if text.endswith(_FORWARD_BEHIND):
        return Heading("forward")
    end = _begins(text, ours.start()) if ours else len(text)
    found = _read(text[:end], text[end:])
    if ours and not found.kind and text[end:].startswith(MACHINES["outlook_away"]):  # no installation is called so
        return Heading("automatic", away=True)
    if not ours and found.kind in ("", "automatic") and any(each in text for each in MACHINES["away_sentences"]):
        return Heading("automatic", away=True)
    return found


def _folded(subject: str) -> str:
    return loose(subject[: limits.LONGEST_SUBJECT]).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace(" :", ":")


def _begins(text: str, at: int) -> int:
    """Where our subject begins, whose fixed words stand at `at`: behind the last colon, bracket or dash before them."""
    name = text[:at].rstrip().removesuffix("-").rstrip()
    brackets = max(name.rfind(mark, 0, -1) for mark in "])}>】*")  # but "Acme (Test)" is a name
    dash = name.rfind(" - ")
    return max(name.rfind(":") + 1, brackets + 1, dash + len(" - ") if dash >= 0 else 0)


def _read(text: str, ours: str) -> Heading:
    unknown = False
    for _ in range(limits.MOST_PREFIXES):
        if told := _told(text, ours):
            return told
        if tag := _TAG.match(text):
            text = text[tag.end() :]
            continue
        prefix, colon, rest = text.partition(":")
        if not colon:
            return Heading("forward" if _WRAPPED_FORWARD.search(prefix) else "automatic" if unknown and ours else "")
        if told := _told_within(f"{prefix}:", rest, ours):
            return told
        kind, says_auto = _of_client(prefix), _SAYS_AUTO.search(prefix) is not None
        if kind and not (kind == "reply" and says_auto):
            return Heading(kind)
        unknown = unknown or says_auto or not _may_be_a_persons(prefix)
        text = rest.lstrip()
    return Heading("automatic")  # no client and no gateway writes so many


def _told(text: str, ours: str) -> Heading | None:
    """What the words at the beginning, in a bracket or not, say by themselves."""
    if _WRAPPED_FORWARD.match(text):
        return Heading("forward")
    opened = text.lstrip(_BRACKETS)
    if opened.startswith((*MACHINES["away_subjects"], *MACHINES["outlook_away"], *MACHINES["automatic_subjects"])):
        return _told_within(opened, opened.partition(":")[2], ours)
    return None


def _told_within(prefix: str, rest: str, ours: str) -> Heading | None:
    """The words of autoresponders, wherever they stand in a prefix: a gateway's label may stand before them."""
    if _AWAY.search(prefix):
        return Heading("automatic", away=True)
    if _OUTLOOK.search(prefix):
        return Heading("automatic", away=bool(ours or _OURS_ALONE.fullmatch(rest.strip())))
    return Heading("automatic") if _AUTOMATIC.search(prefix) else None


def _of_client(prefix: str) -> Kind:
    """What the last word before a colon says.

    Behind other words "svar" is a noun ("Sjálfvirkt svar"), but "RE" is a client's, and the words are a label; unless
    they are as many as a sentence has.
    """
    before, last = _last(prefix)
    if last in MACHINES["forward_prefixes"]:
        return "forward"
    labels = [word for word in before if word in MACHINES["labels"]]
    fits = len(labels) == len(before) or (last in MACHINES["clients_own"] and (labels or len(before) <= LONGEST_LABEL))
    return "reply" if fits and last in MACHINES["reply_prefixes"] else ""


def _last(prefix: str) -> tuple[list[str], str]:
    """The known prefix that a part of a subject ends with, labels aside, and the words that nothing parts from it."""
    parts = [part for part in map(_words, _PARTING.split(_COUNT.sub("", prefix))) if part]
    while parts and parts[-1][-1] in MACHINES["labels"] and (len(parts) > 1 or len(parts[-1]) > 1):
        parts[-1].pop()
        parts = [part for part in parts if part]
    last = parts[-1] if parts else []
    for size in (2, 1):
        if (phrase := " ".join(last[-size:])) in (*MACHINES["reply_prefixes"], *MACHINES["forward_prefixes"]):
            return last[:-size], phrase
    return [], ""


def _words(text: str) -> list[str]:
    """The words of a text, bare of what stands around them: dots, quotes, emoji."""
    return [bare for word in text.split() if (bare := re.sub(r"^\W+|\W+$", "", word))]


def _may_be_a_persons(prefix: str) -> bool:
    """Whether each part is a gateway's label, an answer written into the subject, or so short that it can be "Re"."""
    parts = prefix.split(" - ")
    return len(parts) <= limits.MOST_PREFIXES and all(map(_is_harmless, parts))


def _is_harmless(part: str) -> bool:
    if set(MACHINES["labels"]) & set(re.findall(r"\w+", part)) and not _last(part)[1]:
        return True
    if read_line(part).verdict != "none":
        return True
    columns = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in unicodedata.normalize("NFC", part))
    return " " not in part and columns < SHORTEST_TELLING
