"""What a mail says: the texts a mail client would show of it, and the one answer they give together."""

import re
from typing import NamedTuple

from countersign.models import LONGEST_COMMENT, without_controls
from notifiers.email import limits
from notifiers.email.folding import DISPLACED, UNSURE, fold_case
from notifiers.email.grammar import QUESTION_MARKS, Line, read_line
from notifiers.email.grammar.doubt import begins_with_doubt, word_of_doubt
from notifiers.email.grammar.lexicon import Lexicon
from notifiers.email.grammar.segments import Names
from notifiers.email.mime.charset import part_text
from notifiers.email.mime.parts import Part
from notifiers.email.mime.shown import shown_texts
from notifiers.email.own_text import Own, own_lines_of
from notifiers.email.own_text.signatures import signed, without_notices

_POSTSCRIPT = re.compile(r"\s{0,9}p\.? ?s\b", re.IGNORECASE)
# Codes of first lines that are no answer but may ask something; the others are answers gone wrong, or say nothing.
_MAY_ASK = {"question", "unclear", "turned", "both"}
_WORDS_THAT_ASK = 3


class MailVerdict(NamedTuple):
    """The answer of a mail or of one of its texts: a verdict or why there is none, what followed, the line read.

    `doubt` is the word below an approval that put it in doubt. `text` is all that its sender wrote; it `asks` if it is
    no answer but may be a question for somebody else.
    """

    verdict: str
    code: str
    comment: str = ""
    line: str = ""
    doubt: str = ""
    text: str = ""
    asks: bool = False


class Context(NamedTuple):
    """What is needed of a mail and its request to read each of its texts; the texts share the limits."""

    names: Names
    words: Lexicon
    number: int | None = None
    texts: int = 1


def read_mail(mail: Part, about: Context) -> MailVerdict:
    """What the mail answers. Raises Unreadable where there is no text to read, or where one is ambiguous."""
    shown = shown_texts(mail)
    about = about._replace(texts=len(shown.ways) + len(shown.further))
    answers = [_read_text(part, about) for part in shown.ways if part_text(part).strip()]
    if not answers:
        return MailVerdict("none", "empty")
    verdicts = {answer.verdict for answer in answers}
    further = {_read_text(part, about).verdict for part in shown.further} - {"none"}
    differ = len(verdicts) > 1 or (verdicts != {"none"} and not further <= verdicts)
    return MailVerdict("none", "bodies_differ") if differ else answers[0]


def _read_text(part: Part, about: Context) -> MailVerdict:
    """What one text answers: its first line that says anything, whole; what follows is the comment."""
    own = own_lines_of(part, about.texts)
    if own.forwarded:
        return MailVerdict("none", "forwarded")
    lines, signature = signed(own.lines, about.words)
    reading = _read_lines(own, lines, signature, about)
    text = _comment(lines, [], about)
    return reading._replace(text=text, asks=reading.code in _MAY_ASK and _asks(text, lines, about))


def _asks(text: str, lines: list[str], about: Context) -> bool:
    """Whether a text that is no answer is for people to read: it is a question or long enough, and no line answers."""
    is_asked = ";" in text or not QUESTION_MARKS.isdisjoint(text)  # Greek types its question mark as a semicolon
    if not is_asked and len(text.split()) < _WORDS_THAT_ASK:
        return False
    looked_at = lines[: limits.MOST_BELOW // about.texts]
    return all(read_line(each, about.names, about.words).verdict == "none" for each in looked_at)


def _read_lines(own: Own, lines: list[str], signature: list[str], about: Context) -> MailVerdict:
    first, line = _first_that_says(lines, about)
    shown = "".join(lines[first : first + 1])
    at, clean = _first_clean(lines, first, about) if line.code == "disguised" else (first, line)
    if clean.verdict == "reject":
        return MailVerdict("reject", "answer", _comment([clean.behind, *lines[at + 1 :]], signature, about), lines[at])
    if line.verdict == "none":
        reason = _comment(lines[first + 1 :], signature, about) if line.code == "undo" else ""
        return MailVerdict("none", line.code, reason, shown.replace(DISPLACED, ""))
    if any(DISPLACED in each for each in own.lines):
        return MailVerdict("none", "disguised", line=shown)
    if shown in own.foreign:
        return MailVerdict("none", "below_a_quote", line=shown)
    rest, most = lines[first + 1 :], limits.MOST_BELOW // about.texts
    marked = [each.rstrip(" ?？") for each in own.marked]  # a question there is the one that is answered
    unread = rest[most].strip() or "..." if len(rest) > most else ""
    if doubt := unread or _doubt([*rest, *marked], signature, line, about):
        return MailVerdict("none", "doubted", line=shown, doubt=doubt)
    return MailVerdict(line.verdict, line.code, _comment(rest, signature, about), shown)


def _doubt(rest: list[str], signature: list[str], line: Line, about: Context) -> str:
    """The word below an approval that puts it in doubt; text that may not be shown counts as well."""
    below = [without_controls(each.replace(UNSURE, " ")) for each in [*rest, *_postscript(signature)]]
    signed_by = without_notices(signature)[: limits.MOST_BELOW // about.texts]
    bare = (without_controls(each.replace(UNSURE, " ")) for each in signed_by)
    in_signature = (each for each in bare if begins_with_doubt(each, about.names, about.words))
    return word_of_doubt(below, line.phrase, about.names, about.words) or next(in_signature, "").strip()


def _postscript(signature: list[str]) -> list[str]:
    """The postscript in a signature: its lines from "P.S." on."""
    at = next((n for n, line in enumerate(signature) if _POSTSCRIPT.match(line)), len(signature))
    return signature[at:]


def _comment(rest: list[str], signature: list[str], about: Context) -> str:
    """What follows the answer, without the names it ends in."""
    rest = [line.replace(UNSURE, "").replace(DISPLACED, "").replace("\N{NO-BREAK SPACE}", " ") for line in rest]
    while rest:
        spoken = rest[-1][: limits.LONGEST_LINE].replace(".", " ").split()
        is_name = 0 < len(spoken) < 6 and all(map(about.names.knows, spoken))
        if rest[-1].strip() and not is_name:
            break
        rest.pop()
    text = "\n".join(line.rstrip() for line in [*rest, "", *_postscript(signature)])
    return text.strip()[:LONGEST_COMMENT].strip()


def _first_that_says(lines: list[str], about: Context) -> tuple[int, Line]:
    """The first line that is neither blank nor a mere greeting."""
    read, signs = Line("none", "empty"), False
    for at, text in enumerate(lines):
        line = read_line(text, about.names, about.words, number=about.number, spoken_to=read.phrase != "")
        if line.code not in ("empty", "greeting"):
            return at, Line("none", "name") if signs and line.verdict != "none" and " " not in text.strip() else line
        if line.code == "greeting":
            read = Line("none", "greeting", line.phrase or read.phrase)
            # "Thanks,", "Grant"
            signs = text.rstrip().endswith(",") and fold_case(text).strip(" ,") in about.words.thanks
    return len(lines), read


def _first_clean(lines: list[str], first: int, about: Context) -> tuple[int, Line]:
    """The first line from here on that is surely shown; below text that may not be shown, no line approves."""
    clean = (n for n in range(first, len(lines)) if lines[n].strip() and not {UNSURE, DISPLACED} & {*lines[n]})
    at = next(clean, len(lines))
    return at, read_line("".join(lines[at : at + 1]), about.names, about.words, number=about.number)
