"""What the lines below an approval do to it: a word of refusal, delay or condition puts it in doubt.

A rejection stands, whatever follows.
"""

import re

from notifiers.email.folding import fold_case
from notifiers.email.grammar import read_line
from notifiers.email.grammar.lexicon import LONGEST_PHRASE, WORD, Lexicon
from notifiers.email.grammar.segments import Names

LONGEST_COMMENT = 40_000  # characters below an approval
# The end of a sentence, captured if it asks. In a web address the question mark isn't at a word's end.
_ENDS = re.compile(r"([?？؟\u037e⁇⁈⁉]+(?![\w/&=%#-]))|[.!。！;…]+")
_GOES_ON = re.compile(r"\s*[,;:)、，；：](?![-)DP(])")  # except smileys


def word_of_doubt(lines: list[str], answer: str, names: Names, words: Lexicon) -> str:
    """The first word of refusal, delay or condition in the lines below `answer`, or ""."""
    text = " ".join(lines)
    if len(text) > LONGEST_COMMENT:  # nobody has read it all
        return text
    for line in lines:
        if read_line(line, names, words).verdict == "reject" or _asks(line, words) or _GOES_ON.match(line):
            return line.strip()
    forms = [words.below, *(words.below_in[code] for code in words.languages_of(answer))]
    spoken: list[str] = []
    starts = set[int]()  # of lines; a phrase may be wrapped over two of them
    for line in lines:
        starts.add(len(spoken))
        folded = fold_case(line)
        only_thanks = folded.strip(" ,.!") in words.closings or folded.strip(" ,.!") in words.thanks
        spoken += [] if only_thanks else [word.strip("'") for word in WORD.findall(folded)]
    at = 0
    while at < len(spoken):
        windows = [" ".join(spoken[at : at + size]) for size in range(min(LONGEST_PHRASE, len(spoken) - at), 0, -1)]
        windows = [f"^ {each}" for each in windows if at in starts] + windows
        if harmless := next((each for each in windows if each in words.harmless_below.plain), ""):
            at += harmless.removeprefix("^ ").count(" ") + 1
            continue
        numbers = spoken[at] == "no" and spoken[at + 1 : at + 2] and spoken[at + 1].isdigit()  # "Ticket No. 4711"
        found = (each for each in windows if any(form.holds(each) for form in forms) and not names.is_sender([each]))
        if doubt := next((each for each in found if each != "no" or not numbers), ""):
            return doubt.removeprefix("^ ")
        at += 1
    bare = fold_case(text)
    for sign in words.harmless_below.signs:
        bare = bare.replace(sign, " ")
    return words.below.sign_in(bare)


def _asks(line: str, words: Lexicon) -> bool:
    """Whether a question stands in a line, in whatever script."""
    pieces = _ENDS.split(line)  # sentences, and how each ends
    asked = (fold_case(each).strip(" ¿") for each, asks in zip(pieces[::2], pieces[1::2], strict=False) if asks)
    return any(each not in words.harmless_below.plain for each in asked)


def begins_with_doubt(line: str, names: Names, words: Lexicon) -> bool:
    """Whether a line in a signature rejects, or begins with a word of doubt that no number follows."""
    if read_line(line, names, words).verdict == "reject":
        return True
    spoken = WORD.findall(fold_case(line))
    windows = [" ".join(spoken[:size]) for size in range(1, LONGEST_PHRASE) if size <= len(spoken)]
    numbered = len(spoken) > 1 and spoken[1].isdigit()
    return not numbered and any(map(words.below.holds, windows)) and len(spoken) <= 12
