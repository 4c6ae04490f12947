"""What one segment of a line is: an answer, a courtesy, a greeting, a name, or something else."""

from __future__ import annotations

import re

from notifiers.email.grammar import tables
from notifiers.email.grammar.letters import ODD
from notifiers.email.grammar.names import MOST_NAME_WORDS, Names, is_harmless, is_titled

LONGEST_PHRASE = 8  # words
_HAN_GREETING = re.compile(r"(?P<dear>尊敬的|亲爱的|親愛的)?(?P<name>[a-z]{1,30}|[一-鿿]{1,6}?)(?P<hello>您好|你好)?")


def kind_of(segment: str, people: Names) -> str:
    """What one segment between full stops and commas is."""
    for kind, table in _TABLES:
        if segment in table:
            return kind
    if segment.count(" ") > LONGEST_PHRASE + MOST_NAME_WORDS:
        return "other"
    if is_titled(segment) or _greets_by_name(segment):
        return "address"
    return _with_name(segment, people) or _with_more(segment, people) or "other"


_ANSWERS = [
    ("approve order", tables.APPROVE_ORDERS),
    ("reject order", tables.REJECT_ORDERS),
    ("approve", tables.APPROVE),
    ("reject", tables.REJECT),
]
_TABLES = [
    *_ANSWERS,
    ("courtesy", tables.COURTESIES),
    ("request", tables.REQUESTS),
    ("closing", tables.CLOSINGS),
    ("regret", tables.REGRETS),
    ("own", tables.OWN),
    ("greeting", tables.GREETINGS),
]


def _greets_by_name(segment: str) -> bool:
    """Whether a greeting and a name stand together without a space, as in 王经理您好 or 尊敬的Alice."""
    match = _HAN_GREETING.fullmatch(segment)
    if not match or not (match["dear"] or match["hello"]):
        return False
    return is_harmless(match["name"])


def _with_name(segment: str, people: Names) -> str | None:
    spoken = segment.split(" ")
    if len(spoken) <= MOST_NAME_WORDS and all(map(people.knows, spoken)):
        return "name"
    if len(spoken) > MOST_NAME_WORDS and spoken[0] not in tables.OPENING_WORDS:
        return None
    for count in range(len(spoken) - 1, 0, -1):
        opening, name = " ".join(spoken[:count]), spoken[count:]
        if opening in tables.GREETINGS:
            return _greeted(name, people)
        if opening in tables.COURTESIES and _is_thanked(name, people):
            return "courtesy"
        if opening in tables.CLOSINGS and len(name) <= MOST_NAME_WORDS and all(map(people.knows, name)):
            return "closing"
    return "address" if _is_person(spoken, people) and not tables.TITLES.isdisjoint(spoken) else None


def _greeted(name: list[str], people: Names) -> str | None:
    """What a greeting with these words behind it is; one in letters that are not ours greets, and does no more."""
    name = [word for word in name if word not in tables.AND] if len(name) > 1 else name
    if _is_person(name, people):
        return "address" if tables.DOUBTFUL_NAMES.isdisjoint(name) or all(map(people.knows, name)) else "stranger"
    if len(name) == 1 and name[0].startswith(ODD) and is_harmless(name[0]):
        return "stranger"
    return None


def _is_person(name: list[str], people: Names) -> bool:
    if len(name) > MOST_NAME_WORDS or not all(map(people.may_be, name)):
        return False
    titles = sum(word in tables.TITLES for word in name)
    certain = sum(word in people.written or people.knows(word) for word in name if word not in tables.TITLES)
    return certain + titles == len(name) or len(name) - titles == 1


def _is_thanked(name: list[str], people: Names) -> bool:
    return len(name) == 1 and (people.knows(name[0]) or (name[0] in people.written and people.may_be(name[0])))


def _with_more(segment: str, people: Names) -> str | None:
    """An answer and what may stand beside it unparted, or two that say yes ("yes approved").

    Two that say no may cancel out ("no rechazar"), and two of different languages may mean something else in one.
    """
    spoken = segment.split(" ")
    if tables.WORDS_OF_ANSWERS.isdisjoint(spoken):
        return None
    for count in range(1, len(spoken)):
        opening, rest = " ".join(spoken[:count]), " ".join(spoken[count:])
        if _says_yes_twice(opening, rest):
            return "approve"
        for said, beside, after in ((opening, rest, True), (rest, opening, False)):
            kind = _kind_of_answer(said)
            if kind and _goes_with(kind, beside, people, after=after):
                asks = beside in tables.REQUESTS and said in tables.BARE_VERBS
                return f"{kind} order" if asks else kind
    return None


def _kind_of_answer(phrase: str) -> str:
    return next((kind for kind, table in _ANSWERS if phrase in table), "")


def _goes_with(kind: str, beside: str, people: Names, *, after: bool) -> bool:
    if beside in tables.OWN:
        return True
    if beside in tables.REGRETS:
        return kind.startswith("reject")
    if not after:
        return False
    if beside in tables.REQUESTS:
        return not kind.endswith("order")
    return beside in tables.COURTESIES or beside in tables.CLOSINGS or _with_name(beside, people) == "courtesy"


def _says_yes_twice(one: str, other: str) -> bool:
    if one in tables.NEVER_JOINED or other in tables.NEVER_JOINED:
        return False
    return any(
        (one in table or one in tables.NEUTRAL) and (other in table or other in tables.NEUTRAL)
        for table in tables.APPROVE_BY_LANGUAGE.values()
    )
