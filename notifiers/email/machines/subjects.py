"""What stands before our subject: a mail client's "Re:", a gateway's label, or what an autoresponder puts there.

Who answers by hand leaves our subject as it is, behind their client's prefix; autoresponders put their own words before
it, in every language there is. So of a mail with our subject, whatever is no known prefix, no label, and no answer, and
longer than any client's prefix, was put there by a machine. The outermost prefix tells what was done last: "Re: Fwd:"
is a reply, "Fwd: Re:" was handed on.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from notifiers.email import limits
from notifiers.email.folding import MACHINES, any_of, loose
from notifiers.email.grammar import read_line

LONGEST_LABEL = 3  # words
LONGEST_UNKNOWN = 4  # columns of a prefix that no table has and that a client may write; a CJK character takes two

# As `compose` writes it, behind the name of the installation.
_OURS = re.compile(r"\w+ approval notification - #\d{1,12}")
_TAG = re.compile(
    r"\[[^\[\]]{0,80}\]|\([^()]{0,80}\)|\{[^{}]{0,80}\}|<[^<>]{0,80}>|【[^【】]{0,80}】|\*{2,9}[^*]{0,80}\*{2,9}"
)
_FORWARD_TAG = re.compile(r"[\[{(]fwd?[\]})]")  # RFC 5256, section 2.1: subj-fwd; pine writes it behind
_MACHINE = any_of(
    (*MACHINES["away_subjects"], *MACHINES["away"], *MACHINES["outlook_away"], *MACHINES["automatic_subjects"])
)
_SAYS_AUTO = re.compile(r"(?<![a-z])auto(?:(?![a-z])|mat(?!t|ion))")  # as many languages do; not "Automation"
_AWAY = any_of((*MACHINES["away_subjects"], *MACHINES["away"]))
_OUTLOOK = any_of(MACHINES["outlook_away"])

Kind = Literal["", "forward", "automatic"]


def kind_by_subject(subject: str) -> Kind:
    """Whether a decoded subject says that a mail was handed on, or that a machine wrote it."""
    before, ours = _split(subject)
    if _FORWARD_TAG.search(ours[-len("(fwd)") :]):
        return "forward"
    *prefixes, rest = before.split(":", limits.MOST_PREFIXES + 1)
    for prefix in prefixes[: limits.MOST_PREFIXES]:
        if _FORWARD_TAG.search(prefix):
            return "forward"
        if _is_machines(f"{prefix}:"):
            return "automatic"
        ends = _ends_with(_words(prefix))
        if ends:
            return "forward" if ends == "forward" else ""
        if not ours:
            return ""
        if not all(map(_may_stand_before_a_prefix, _TAG.sub(" ", prefix).split(" - "))):
            return "automatic"
    if ":" in rest:  # no client and no gateway writes so many
        return "automatic"
    if _FORWARD_TAG.search(rest):
        return "forward"
    return "automatic" if _is_machines(rest) or ours.startswith(MACHINES["outlook_away"]) else ""


def says_away(subject: str) -> bool:
    """Whether the subject of an automatic reply says that its author is away; Outlook's words do on a reply to us."""
    before, ours = _split(subject)
    return bool(
        _AWAY.search(before) or (ours and (_OUTLOOK.search(before) or ours.startswith(MACHINES["outlook_away"])))
    )


def _split(subject: str) -> tuple[str, str]:
    """What stands before our subject, and ours, both folded; all and "" where ours isn't there.

    Ours begins with the name of the installation, which may be any words ("Out of Office Ltd"): behind the last colon,
    bracket or dash before its fixed words.
    """
    text = loose(subject[: limits.LONGEST_SUBJECT]).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace(" :", ":")
    found = _OURS.search(text)
    if not found:
        return text, ""
    name = text[: found.start()].rstrip().removesuffix("-").rstrip()
    brackets = max(name.rfind(mark, 0, -1) for mark in "])}>】*")  # but "Acme (Test)" is a name
    dash = name.rfind(" - ")
    at = max(name.rfind(":") + 1, brackets + 1, dash + len(" - ") if dash >= 0 else 0)
    return text[:at], text[at:].lstrip()


def _is_machines(prefix: str) -> bool:
    return bool(_MACHINE.search(prefix) or _SAYS_AUTO.search(prefix))


def _words(prefix: str) -> list[str]:
    """The words of a prefix, without a count ("Re[2]") and the labels behind a client's own word ("RE [EXT]")."""
    words = re.findall(r"[^\W\d_]+", prefix)
    while len(words) > 1 and words[-1] in MACHINES["labels"]:
        words.pop()
    return words


def _ends_with(words: list[str]) -> Literal["", "reply", "forward"]:
    """What a client's word at the end of a prefix says, beside a gateway's label: "INTERNAL - FW", "P1 RE".

    Some are words of sentences as well ("Sjálfvirkt svar"): those say it alone, or beside known labels.
    """
    for size in (2, 1):
        last, before = " ".join(words[-size:]), words[:-size]
        if last in MACHINES["forward_prefixes"]:
            return "forward"
        labels = [word for word in before if word in MACHINES["labels"]]
        if last in MACHINES["reply_prefixes"] and (
            len(labels) == len(before) or (last in MACHINES["clients_own"] and len(before) <= LONGEST_LABEL)
        ):
            return "reply"
    return ""


def _may_stand_before_a_prefix(part: str) -> bool:
    """Whether this is a gateway's label, an answer written into the subject, or so short that it can be "Re"."""
    words = re.findall(r"\w+", part)
    is_label = {*MACHINES["labels"]} & {*words} and words[-1] not in MACHINES["reply_prefixes"]
    if not words or is_label or read_line(part).verdict != "none":
        return True
    columns = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in unicodedata.normalize("NFC", words[0]))
    return len(words) == 1 and columns <= LONGEST_UNKNOWN
