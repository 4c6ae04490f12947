"""Whether one line, whole, is an answer.

A line approves only if everything on it is known: a phrase of the tables, and beside it at most a greeting, thanks, a
name or a sign that can't turn its meaning. Rejections are read more widely, since a missed no may let somebody in: a
line that begins with a rejecting word rejects, unless it also agrees.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from notifiers.email.folding import fold, fold_known, has_other_letters, is_blank
from notifiers.email.grammar.lexicon import Lexicon, is_eastern, lexicon
from notifiers.email.grammar.segments import Names, Reader

LONGEST_ANSWER = 120  # characters of a line that may still approve
LONGEST_NO = 500  # and of one that may still reject
MOST_SEGMENTS = 6  # between full stops and commas, as in "Hi Bob, yes, approved. Thanks, Grace"
MOST_OPENINGS, MOST_WORDS_OF_OPENING = 4, 4  # "Sorry, I have to": how many, and of how many words each
MOST_WORDS_OF_NO = 10  # of a rejecting phrase
YES_SIGNS = frozenset(["👍", "👌", "✅", "✔", "🙂", "😊", "😀", "😃", "😄", "🎉", "🙏", ":)", ":-)", "^^"])
NO_SIGNS = frozenset(["👎", "❌", "🚫", "⛔", "✖", "✗", "✘", "🙅"])

# Shown as nothing at the ends of a line; editors and web mail leave them there. Within a line they split words.
_EDGES = " \t\r\n\f\v\N{NO-BREAK SPACE}\u3000\u200b\ufeff\u2060"
_BULLET = re.compile(r"^[-*•–] +(?=\w)")
_QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»", "「": "」", "'": "'", "‘": "’", "*": "*", "_": "_"}
_NUMBER = re.compile(r" *(?:\brequest *)?#(\d{1,12})(?!\d)", re.IGNORECASE)
_TITLE_DOT = re.compile(r"(?<![^ ])(mr|mrs|ms|dr|prof|sr|sra|srta|sig|sigra|dott|ing|sn|m)\. ?(?=[^ .!,])")
_BREAK = re.compile(r" ?[.!,]+(?= |$)|,(?=[^\W\d])| [-–—]{1,2} ?(?=\w)|: ?$")
QUESTION_MARKS = frozenset("?？¿⁇⁈⁉؟\u037e")
_SIGN = "(?:" + "|".join(map(re.escape, sorted(YES_SIGNS | NO_SIGNS))) + ")[\ufe0f\U0001f3fb-\U0001f3ff]*"
_SIGNED = re.compile(rf"((?:{_SIGN} *)*)(.*?)((?: *{_SIGN})*)", re.DOTALL)
_PARTS_NO = re.compile(r" ?(?:[!,;:–—(]|\.(?! ?\d))| - ")  # but "No. 5"
_WORD = re.compile(r"[\w'+-]+")
_HARMLESS = frozenset({"thanks", "closing", "greeting", "address", "name", "please", "sorry", "own", "beside"})
_OPENS_LETTER = frozenset({"greeting", "address", "name", "thanks"})


class Line(NamedTuple):
    """What one line says: `verdict` is "approve", "reject" or "none", and `code` says why none."""

    verdict: str
    code: str
    phrase: str = ""  # the line folded, where it approves, or greets somebody by name
    behind: str = ""  # what stands behind a rejecting word: a comment


NO_NAMES = Names()


def read_line(
    line: str,
    names: Names = NO_NAMES,
    words: Lexicon | None = None,
    *,
    number: int | None = None,
    spoken_to: bool = False,
) -> Line:
    """Read one line, whole. `number` is that of the request; `spoken_to`: somebody was named above."""
    words = words or lexicon()
    shown = _bare(line)
    if len(shown) <= LONGEST_ANSWER and is_blank(shown):
        return Line("none", "empty")
    text, signs = _without_signs(shown[:LONGEST_NO])
    if not text and signs == {"reject"}:
        return Line("reject", "answer", shown)
    named = {int(each) for each in _NUMBER.findall(text)}
    text = _bare(_NUMBER.sub("", text) if named == {number} else text)
    folded = fold(text)
    if folded is None:
        return Line("none", "disguised")
    reader = Reader(words, names)
    # Parted at full stops, commas and dashes.
    parts = [part.strip(" ¡") for part in _BREAK.split(_TITLE_DOT.sub(r"\1 ", folded))]
    segments = [parts[0], *filter(None, parts[1:])]
    if len(shown) <= LONGEST_ANSWER and len(segments) <= MOST_SEGMENTS:
        kinds = _kinds(segments, reader)
        if names.is_sender(folded.split()) and kinds != ["name"]:
            return Line("none", "name")
        verdict = _verdict(kinds, signs, spoken_to=spoken_to)
        if verdict:
            return Line("none", "undo") if verdict == "undo" else Line(verdict, "answer", folded)
        if not signs and set(kinds) <= _OPENS_LETTER:
            return Line("none", "greeting", folded if {*kinds} & {"address", "name"} else "")
    if "approve" not in signs and (words_of_no := _rejects(folded, segments, reader)):
        return Line("reject", "answer", behind=_behind(text, words_of_no))
    return Line("none", _why_none(shown[:LONGEST_NO], folded, words))


def _bare(line: str) -> str:
    """A line without what may stand around an answer: spaces, a bullet, quotation marks, a colon."""
    shown = _BULLET.sub("", line.strip(_EDGES))
    inner = shown.rstrip(".!:,")
    while len(inner) > 2 and _QUOTES.get(inner[0]) == inner[-1]:
        shown = inner = inner[1:-1]
    return shown.strip(_EDGES)


def _without_signs(shown: str) -> tuple[str, frozenset[str]]:
    """The line without the signs at its ends, and what they say: "approve", "reject", both or nothing."""
    found = _SIGNED.fullmatch(shown)
    before, text, behind = found.groups() if found else ("", shown, "")
    signs = before + behind
    sides = {"approve" for sign in YES_SIGNS if sign in signs} | {"reject" for sign in NO_SIGNS if sign in signs}
    return text.strip(_EDGES), frozenset(sides)


def _kinds(segments: list[str], reader: Reader) -> list[str]:
    words = reader.lexicon
    kinds = [reader.kind_of(segment) for segment in segments]
    for at, segment in enumerate(segments):
        if kinds[at] in ("approve", "reject") and segment in words.bare_verbs and "please" in kinds[at:]:
            kinds[at] += " asked"  # "Hallo Alice, freigeben, bitte"
        if segment in words.conditions and "approve" in kinds[:at]:
            kinds[at] = "other"  # "oui, si" only begins a condition
    # "Tak" alone is thanks in another language.
    doubtful = ("reject", "approve") if kinds.count("approve") == 1 else ("reject",)
    known = zip(kinds, segments, strict=True)
    return ["other" if kind in doubtful and segment in words.ambiguous else kind for kind, segment in known]


def _verdict(kinds: list[str], signs: frozenset[str], *, spoken_to: bool) -> str:
    """The one answer that a line of such segments gives, or ""."""
    found = set(kinds)
    answers = found - _HARMLESS
    verdicts = {answer.split(" ")[0] for answer in answers} | signs
    if len(verdicts) != 1 or not answers or not verdicts <= {"approve", "reject", "undo"}:
        return ""
    verdict = verdicts.pop()
    first = next(at for at, kind in enumerate(kinds) if kind in answers)
    named = spoken_to or bool(found & {"address", "name"})
    asks_somebody = any(
        (answer.endswith(" order") and (named or "please" in found)) or (answer.endswith(" asked") and named)
        for answer in answers
    )
    turned = ("sorry" in found and verdict != "reject") or "please" in kinds[:first] or "address" in kinds[first:]
    return "" if asks_somebody or turned else verdict


def _rejects(folded: str, segments: list[str], reader: Reader) -> int:
    """How many words of a line a rejecting phrase takes up, with those before it; 0 if the line does not reject."""
    words = reader.lexicon
    for rest in _starts(folded, segments, reader):
        spoken = list(_WORD.finditer(rest))[: MOST_WORDS_OF_NO + 1]
        for count in range(min(len(spoken), MOST_WORDS_OF_NO), 0, -1):
            phrase = rest[: spoken[count - 1].end()]
            if phrase in words.reject and phrase not in words.ambiguous:
                before = len(_WORD.findall(folded[: len(folded) - len(rest)]))
                return before + count if _stands(phrase, rest[len(phrase) :], reader) else 0
    return 0


def _starts(folded: str, segments: list[str], reader: Reader) -> Iterator[str]:
    """Where in a line a refusal may begin: behind a greeting, a name, regret, "please" or "I have to"."""
    words = reader.lexicon
    rest = folded
    for segment in segments[:2]:
        if reader.kind_of(segment) not in ("greeting", "address", "name", "sorry") or segment in words.reject:
            break
        rest = rest[rest.find(segment) + len(segment) :].lstrip(" .!,:-–—")
    tables = (words.please, words.sorry, words.before_no)
    for _ in range(MOST_OPENINGS):
        yield rest
        spoken = rest.split(" ")[:MOST_WORDS_OF_OPENING]
        openings = [" ".join(spoken[:count]) for count in range(len(spoken) - 1, 0, -1)]
        openings += [each for each in words.before_no if is_eastern(each) and rest.startswith(each)]
        opening = next((each for each in openings if any(each.strip(",.") in table for table in tables)), "")
        if not opening:
            return
        rest = rest[len(opening) :].lstrip(" ,")


def _behind(text: str, count: int) -> str:
    """What stands behind the first `count` words of a line."""
    ends = [word.end() for word in _WORD.finditer(text)]
    return text[ends[count - 1] :].lstrip(" .,:;!-–—。，：、！") if count <= len(ends) else ""


def _stands(phrase: str, behind: str, reader: Reader) -> bool:
    """Whether a rejecting phrase really rejects, judged by what stands behind it on the line."""
    words = reader.lexicon
    sentence = re.split(r"[.!;:,–—]| - ", behind, maxsplit=1)[0]
    if not QUESTION_MARKS.isdisjoint(sentence) or any(unicodedata.category(c) in ("Mn", "Me") for c in behind):
        return False  # a question, or struck out
    if phrase in words.mere_no and behind.strip() and not _PARTS_NO.match(behind):
        return False
    spoken = list(map(fold_known, _WORD.findall(behind)))
    nearest = [" ".join(spoken[:count]) for count in range(1, 4)]
    if behind.startswith(" ") and any(each in words.no_reject for each in nearest):
        return False
    agrees = (" ".join(spoken[at : at + size]) for at in range(len(spoken)) for size in range(1, 5))
    agreeing = words.agreeing(phrase)
    return not any(
        any(each in table for table in agreeing) and not reader.names.is_sender([each])
        for each in {*agrees, *(f"{phrase} {each}" for each in nearest)}
    )


def _why_none(shown: str, folded: str, words: Lexicon) -> str:
    spoken = set(re.findall(r"[\w']+", fold_known(folded)))
    if has_other_letters(shown):
        return "disguised"
    if not spoken:
        return "no_words"
    if QUESTION_MARKS & set(shown):
        return "question"
    if spoken & words.approve.folded and spoken & words.reject.folded - words.mere_no.folded:
        return "both"
    return "turned" if spoken & words.below_words and spoken & words.answering_words else "unclear"
