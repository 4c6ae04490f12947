"""What lines below an answer do to it: take it back, run on from it, close the letter.

They are the comment, which may say anything of anybody. So only what speaks of the answer itself counts: a no on its
own, an afterthought that ends in one, the answer turned, a sentence that isn't over at the end of its line, and a
condition that is no sentence without it.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from notifiers.email.grammar import tables
from notifiers.email.grammar.letters import fold_known
from notifiers.email.grammar.line import LONGEST_ANSWER, segments_of, sides_of_signs
from notifiers.email.grammar.names import Names

MOST_AFTERTHOUGHT = 10  # words
MOST_OF_A_CONDITION = 6  # words
LONGEST_WORD = 20  # letters; what is longer, such as an address, stands in a line of its own by itself
NARROWEST_WRAP = 60  # columns; programs break lines at 66, 72 or 76
_ASKING = frozenset({"why", "warum", "pourquoi", "perche", "waarom", "varfor", "dlaczego", "neden", "que"})
_NOES = (tables.NEGATIONS | tables.REJECT | tables.RETRACTIONS) - {"but", "unless", "without"}
_MERE_NOES = (tables.NEGATIONS & tables.REJECT) | {"nein", "nee", "neen", "nej", "nie", "いいえ", "いえ"}
_KNOWN = tables.AFTERTHOUGHTS | tables.WORDS_OF_ANSWERS | _NOES
_STOPS = (".", "!", "?", "。", "！", "？", "…")
_LEADING = " \t.-–—*•…([<{/\"'"
_GOING_ON = (",", ";", ":", "?", ")", "、", "，", "？", "；", "：")  # and no "/", as some sign: "/Anna"
_QUESTION_MARKS = frozenset("?？")
_SAYS_SOMETHING = frozenset(each for each in tables.ANSWERS if " " not in each) | tables.NEGATIONS


def takes_back(line: str) -> bool:
    """Whether a line below an approval takes it back."""
    if sides_of_signs(line) == {"reject"}:
        return True
    folded = fold_known(line[:LONGEST_ANSWER]).lstrip(_LEADING)
    if re.split(r" ?[(\[<*]", folded)[0] in tables.REJECT:  # "REJECT (delete as appropriate)"
        return True
    segments = segments_of(re.sub(r"[)\]}>\"';:]+(?= |$)", "", folded))
    # A mere "no" with more behind it may answer something else: "No, you need not call me."
    speaks_of_it = all(_is_known(segment.split()) for segment in segments) or segments[-1] in _MERE_NOES
    return any(_takes_back(segment) and (speaks_of_it or segment not in _MERE_NOES) for segment in segments)


def _takes_back(segment: str) -> bool:
    """Whether a segment speaks of the answer alone, in known words, and says no."""
    if segment in tables.REJECT or segment in tables.TAKEN_BACK:
        return True
    if not segment.isascii() and (_is_turned_sign(segment) or _bare_of_thoughts(segment) in tables.REJECT):
        return True
    spoken = segment.split()
    noes = [word for word in spoken if word in _NOES or _is_turned_within(word)]
    if not noes or len(spoken) > MOST_AFTERTHOUGHT or spoken[0] in _ASKING:
        return False
    return _is_known(spoken)


def _is_known(spoken: list[str]) -> bool:
    """Whether all words are of answers, or of second thoughts about them."""
    return all(word in _KNOWN or _is_turned_within(word) for word in spoken)


def _bare_of_thoughts(segment: str) -> str:
    for each in tables.AFTERTHOUGHT_SIGNS:
        segment = segment.replace(each, "")
    return segment.strip(" :,")


def _is_turned_within(word: str) -> bool:
    """Whether a word is an answer turned from within: "onaylamıyorum", "unapproved"."""
    if word in tables.ALL_WORDS:
        return False
    bare = (word.removeprefix(prefix) for prefix in tables.NEGATING_PREFIXES if word.startswith(prefix))
    return any(each in tables.ANSWER_WORDS for each in bare) or tables.TURKISH_NO.match(word) is not None


def _is_turned_sign(segment: str) -> bool:
    """Whether an answer is turned where words aren't parted: 承認できません, 我不批准."""
    holds = tables.SIGN_STEMS.are_in(segment)
    return holds and (segment.endswith(tables.TURNED_ENDINGS) or any(sign in segment for sign in "不没沒未别別勿"))


def runs_on(line: str, following: str) -> bool:
    """Whether a sentence runs on from one line into the next, where it would turn what the first one says."""
    said, more = line.rstrip(), following.strip()
    if not more or (said.endswith(_STOPS) and not more.startswith(_GOING_ON)):
        return False
    if not any(c.isalpha() for c in more):  # a rule or a smiley, if it asks nothing
        return not _QUESTION_MARKS.isdisjoint(more)
    if more.startswith(_GOING_ON):
        return True
    if more.lstrip(_LEADING)[:1].isupper():
        return False
    folded = fold_known(more[:LONGEST_ANSWER]).lstrip(_LEADING)
    if folded.endswith("?") or len(said) + 1 + min(LONGEST_WORD, len(more.split(" ")[0])) > NARROWEST_WRAP:
        return True
    bare = folded.rstrip(" .!)")
    return bare in tables.RUNNING_ON_SIGNS or any(
        bare == each or bare.startswith((each + " ", each + ",")) for each in tables.RUNNING_ON
    )


def is_condition(line: str) -> bool:
    """Whether a line below an answer is only a condition of it: "Only if Bob agrees"."""
    folded = fold_known(line[:LONGEST_ANSWER]).lstrip(_LEADING).rstrip(" .!)")
    if folded.startswith(tables.CONDITION_SIGNS):
        return not line.rstrip().endswith(_STOPS) and "," not in folded
    if "," in folded or folded.count(" ") >= MOST_OF_A_CONDITION:
        return False
    return any(folded.startswith(each + " ") for each in tables.CONDITIONS)


def speaks_to_somebody(line: str) -> bool:
    """Whether a salutation names somebody."""
    return fold_known(line[:LONGEST_ANSWER]).strip(" ,.!:") not in tables.GREETINGS


def holds_answer(text: str) -> bool:
    """Whether any word of a text could answer or negate, in whatever sense."""
    return not _SAYS_SOMETHING.isdisjoint(re.findall(r"[\w']+", fold_known(text)))


def is_closing(line: str) -> bool:
    """Whether a line ends a letter, as "Best regards," does."""
    return len(line) <= LONGEST_ANSWER and fold_known(line).rstrip(" ,.!") in tables.CLOSINGS


def is_name(line: str, names: Collection[str]) -> bool:
    """Whether a line is nothing but names that stand in the mail's headers."""
    spoken = fold_known(line[:LONGEST_ANSWER]).replace(".", " ").split()
    return bool(spoken) and all(Names(names).knows(word) for word in spoken)
