"""What was put before a subject: by a mail client that answers or hands on, by a gateway, or by an autoresponder.

Who is away is told in every language there is, so no table of words can know all autoresponders. But the subject of
our own mails is known: where something stands before it that is longer than any client's "Re:", and is neither a known
prefix, nor a gateway's label, nor the answer itself, a machine put it there. The outermost prefix tells what was done
last: "Re: Fwd: ..." is a reply, "Fwd: Re: ..." was handed on.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, NamedTuple

from notifiers.email import caps
from notifiers.email import machines_words as words
from notifiers.email.folding import loose
from notifiers.email.grammar import read_line

MOST_PREFIXES = 20
SHORTEST_TELLING = 5  # columns: "Resp:" and its like are answers, whatever the language; a CJK character takes two

# `- Connection Approval Notification - #1042`, as `compose` writes it.
_OURS = re.compile(r"connection approval notification - #\d{1,12}")
_OURS_ALONE = re.compile(r"#\d{1,12}")
_BRACKETS = "[({<*【«"
_TAG = re.compile(
    r"(?:\[[^\[\]]{0,80}\]|\([^()]{0,80}\)|\{[^{}]{0,80}\}|<[^<>]{0,80}>|【[^【】]{0,80}】|\*{2,9}[^*]{0,80}\*{2,9}) ?"
)
# "Re", "Re[2]", "Re(2)", "Re^2", before the colon.
_PREFIX = re.compile(r"([^:]{1,100}?) ?(?:[\[(^*] ?\d{1,3} ?[\])]?)?: ?")
# RFC 5256, section 2.1: subj-fwd-hdr, which wraps the subject; and the word alone.
_WRAPPED_FORWARD = re.compile(r"[\[{(](?:(?:fwd?|wg|tr) ?:|fwd?[\]})])")
_FORWARD_BEHIND = "(fwd)"  # the same, subj-trailer

Kind = Literal["", "reply", "forward", "automatic"]


class Heading(NamedTuple):
    """How a subject begins: what that makes of the mail, and, if its author is away, that."""

    kind: Kind
    away: bool = False


def is_forward(subject: str) -> bool:
    """Whether a subject says that the mail hands another one on."""
    return heading(subject).kind == "forward"


def heading(subject: str) -> Heading:
    """Read the prefixes of a decoded subject from the left, up to the first that tells."""
    text = loose(subject[: caps.LONGEST_SUBJECT]).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace(" :", ":")
    if told := _told_behind(text):
        return told
    unknown = ""
    for _ in range(MOST_PREFIXES):
        if told := _told(text):
            return told
        if tag := _TAG.match(text):
            text = text[tag.end() :]
            continue
        prefix = _PREFIX.match(text)
        if not prefix:
            break
        if kind := _of_client(prefix[1]):
            return Heading(kind)
        unknown = unknown or ("" if _may_be_a_persons(prefix[1]) else prefix[1])
        text = text[prefix.end() :]
    return Heading("automatic" if unknown and _OURS.search(text) else "")


def _told(text: str) -> Heading | None:
    """What the words at the beginning, in a bracket or not, say by themselves."""
    if _WRAPPED_FORWARD.match(text):
        return Heading("forward")
    opened = text.lstrip(_BRACKETS)
    if opened.startswith(words.AWAY_SUBJECTS):
        return Heading("automatic", away=True)
    if opened.startswith(words.OUTLOOK_AWAY):
        rest = opened.partition(":")[2].strip()
        return Heading("automatic", away=bool(_OURS.search(rest) or _OURS_ALONE.fullmatch(rest)))
    return Heading("automatic") if opened.startswith(words.AUTOMATIC_SUBJECTS) else None


def _told_behind(text: str) -> Heading | None:
    """What stands behind our subject, or in the sentence that some write in its place."""
    ours = _OURS.search(text)
    if text.endswith(_FORWARD_BEHIND):
        return Heading("forward")
    if ours:
        told = _told(text[ours.end() :].lstrip(" -:"))
        return told if told and told.kind == "automatic" else None
    prefix = _PREFIX.match(text)
    if any(sentence in text for sentence in words.AWAY_SENTENCES) and not (prefix and _of_client(prefix[1])):
        return Heading("automatic", away=True)
    return None


def _of_client(prefix: str) -> Kind:
    word = prefix.strip(" .'\"*-_")
    if word in words.FORWARD_PREFIXES:
        return "forward"
    return "reply" if word in words.REPLY_PREFIXES else ""


def _may_be_a_persons(word: str) -> bool:
    """A gateway's label, an answer written into the subject, or so short that it can only mean "Re"."""
    if words.LABELS & set(re.findall(r"\w+", word)) or read_line(word, ()).verdict != "none":
        return True
    columns = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in unicodedata.normalize("NFC", word))
    return " " not in word and columns < SHORTEST_TELLING
