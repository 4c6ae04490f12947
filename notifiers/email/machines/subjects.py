"""What stands before our subject: a mail client's "Re:", a gateway's label, or what an autoresponder puts there.

People who answer by hand leave our subject as it is, behind their client's prefix; autoresponders put their own words
before it, in every language there is. So whatever stands before our subject, and is no known prefix, label or answer,
and longer than any client's prefix, was put there by a machine. The outermost prefix tells what was done last:
"Re: Fwd:" is a reply, "Fwd: Re:" was forwarded.
"""

import re
from typing import Literal

from notifiers.email import limits
from notifiers.email.folding import MACHINES, any_of, loose
from notifiers.email.grammar import read_line
from notifiers.email.header_values import decoded
from notifiers.email.mime.parts import Part

LONGEST_LABEL = 3  # words
LONGEST_UNKNOWN = 4  # columns of a prefix that no table has and that a client may write; a CJK character takes two

# As `compose` writes it, behind the name of the installation.
_OURS = re.compile(r"\w+ approval notification - #\d{1,12}")
_TAG = re.compile(
    r"\[[^\[\]]{0,80}\]|\([^()]{0,80}\)|\{[^{}]{0,80}\}|<[^<>]{0,80}>|【[^【】]{0,80}】|\*{2,9}[^*]{0,80}\*{2,9}"
)
_FORWARD_TAG = re.compile(r"[\[{(]fwd?[\]})]")  # RFC 5256, section 2.1: subj-fwd; pine writes it behind
_AWAY = any_of((*MACHINES["away_subjects"], *MACHINES["away"]))
_OUTLOOK, _AUTOMATIC = any_of(MACHINES["outlook_away"]), any_of(MACHINES["automatic_subjects"])
_SAYS_AUTO = re.compile(r"(?<![a-z])auto(?:(?![a-z])|mat(?!t|ion))")  # as many languages do; not "Automation"

Kind = Literal["", "forward", "automatic", "reply"]


def kind_by_subject(mail: Part) -> Kind:
    """What a mail is according to its subject; "" if that says nothing."""
    before, ours = _split(mail)
    if _FORWARD_TAG.search(ours[-len("(fwd)") :]):
        return "forward"
    *prefixes, rest = before.split(":", limits.MOST_PREFIXES + 1)
    for prefix in prefixes[: limits.MOST_PREFIXES]:
        if _is_machines(f"{prefix}:"):
            return "automatic"
        if kind := _kind_of_prefix(prefix):
            return kind if ours or kind != "automatic" else ""
    if ":" in rest:  # no client or gateway writes that many
        return "automatic"
    if _FORWARD_TAG.search(rest):
        return "forward"
    return "automatic" if _is_machines(rest) or ours.startswith(MACHINES["outlook_away"]) else ""


def says_away(mail: Part) -> bool:
    """Whether the subject of an automatic reply says that its author is away; Outlook's words only in a reply to us."""
    before, ours = _split(mail)
    by_outlook = ours and (_OUTLOOK.search(before) or ours.startswith(MACHINES["outlook_away"]))
    return bool(_AWAY.search(before) or by_outlook)


def _split(mail: Part) -> tuple[str, str]:
    """What stands in the subject before ours, and ours, both folded; all of it and "" if ours isn't there.

    Ours begins with the name of the installation, which may be any words ("Out of Office Ltd"): it starts behind the
    last colon, bracket or dash before its fixed words.
    """
    text = loose(decoded(mail.fields.first("subject"))).replace(" :", ":")
    found = _OURS.search(text)
    if not found:
        return text, ""
    name = text[: found.start()].rstrip().removesuffix("-").rstrip()
    # But "Acme (Test)" is a name.
    at = max(name.rfind(":") + 1, name.rfind(" - ") + 1, *(name.rfind(mark, 0, -1) + 1 for mark in "])}>】*"))
    return text[:at], text[at:].lstrip(" -")


def _is_machines(prefix: str) -> bool:
    return any(words.search(prefix) for words in (_AWAY, _OUTLOOK, _AUTOMATIC, _SAYS_AUTO))


def _kind_of_prefix(prefix: str) -> Kind:
    """What a prefix says, beside a gateway's label ("INTERNAL - FW", "RE [EXT]", "P1 RE") and a count ("Re[2]").

    Some of the clients' own words occur in no sentence: any label may stand before those.
    """
    if _FORWARD_TAG.search(prefix):
        return "forward"
    words = [word for word in re.findall(r"[^\W\d_]+", prefix) if word not in MACHINES["labels"]]
    last = "".join(words[-1:])
    if last in MACHINES["forward_prefixes"] or " ".join(words[-2:]) in MACHINES["forward_prefixes"]:
        return "forward"
    by_client = last in MACHINES["clients_own"] and len(words) <= LONGEST_LABEL + 1
    if by_client or " ".join(words) in MACHINES["reply_prefixes"]:
        return "reply"
    unknown = [each for each in _TAG.sub(" ", prefix).split(" - ") if not _may_stand_before_ours(each.strip())]
    return "automatic" if unknown else ""


def _may_stand_before_ours(part: str) -> bool:
    """Whether this is a gateway's label, an answer written into the subject, or so short that it can be "Re"."""
    words = re.findall(r"\w+", part)
    columns = len(part) + sum(char >= "\u1100" for char in part)
    is_label = {*MACHINES["labels"]} & {*words} and words[-1] not in MACHINES["reply_prefixes"]
    is_short = len(words) == 1 and columns <= LONGEST_UNKNOWN
    return not words or bool(is_label) or is_short or read_line(part).verdict != "none"
