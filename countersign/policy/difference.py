"""What differs between two texts of the policy, line by line: quick for a hundred thousand lines, too.

Python's own comparison takes minutes when thousands of lines differ. So the lines that occur exactly once in each text
are matched first (https://bramcohen.livejournal.com/73318.html), and Python compares only what is left between them.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import Match, SequenceMatcher
from itertools import groupby
from typing import Literal

from countersign.models import Model

# How many equal lines are shown around what differs.
CONTEXT = 3
# The largest part (old lines times new lines) that Python compares; the lines of a larger one are shown as replaced.
LARGEST_PART = 1_000_000

Pair = tuple[int, int]


class DifferentLine(Model):
    """One line, and its number in each text. `sign` is `-` if only the old text has it, `+` if only the new one."""

    sign: Literal[" ", "-", "+"]
    old: int | None = None
    new: int | None = None
    text: str


class PolicyDifference(Model):
    """What differs between two versions of the policy: each part with a few equal lines around it."""

    old: int
    new: int
    parts: list[list[DifferentLine]]


def difference(old: str, new: str) -> list[list[DifferentLine]]:
    """The parts that differ, in order; none if only line ends differ."""
    before, after = old.splitlines(), new.splitlines()
    matcher = _ByUniqueLines(before, after)
    return [
        [line for code in group for line in _lines(before, after, *code)]
        for group in matcher.get_grouped_opcodes(CONTEXT)
    ]


def unified(parts: Sequence[Sequence[DifferentLine]], old_name: str, new_name: str) -> list[str]:
    """The parts as `diff -u` prints them."""
    head = [f"--- {old_name}", f"+++ {new_name}"] if parts else []
    return head + [line for part in parts for line in _hunk(part)]


def _hunk(part: Sequence[DifferentLine]) -> Iterator[str]:
    yield f"@@ -{_range([one.old for one in part])} +{_range([one.new for one in part])} @@"
    yield from (f"{one.sign}{one.text}" for one in part)


def _range(numbers: Sequence[int | None]) -> str:
    known = [number for number in numbers if number is not None]
    return f"{known[0] if known else 0},{len(known)}"


def _lines(
    old: Sequence[str], new: Sequence[str], tag: str, i1: int, i2: int, j1: int, j2: int
) -> Iterator[DifferentLine]:
    if tag == "equal":
        for i, j in zip(range(i1, i2), range(j1, j2), strict=True):
            yield DifferentLine(sign=" ", old=i + 1, new=j + 1, text=old[i])
        return
    for i in range(i1, i2):
        yield DifferentLine(sign="-", old=i + 1, text=old[i])
    for j in range(j1, j2):
        yield DifferentLine(sign="+", new=j + 1, text=new[j])


class _ByUniqueLines(SequenceMatcher[str]):
    """Matches equal lines, starting from those that occur exactly once in each text."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__(None, old, new, autojunk=False)
        self.old, self.new = old, new

    def get_matching_blocks(self) -> list[Match]:
        """The runs of equal lines; the last is empty, as in the base class."""
        pairs = self._pairs()
        runs = [list(run) for _, run in groupby(enumerate(pairs), lambda one: (one[1][0] - one[0], one[1][1] - one[0]))]
        return [*(Match(*run[0][1], len(run)) for run in runs), Match(len(self.old), len(self.new), 0)]

    def _pairs(self) -> list[Pair]:
        found: list[Pair] = []
        start = 0, 0
        for anchor in [*self._anchors(), (len(self.old), len(self.new))]:
            found += [*self._between(start, anchor), anchor]
            start = anchor[0] + 1, anchor[1] + 1
        return found[:-1]

    def _anchors(self) -> list[Pair]:
        """The lines that occur exactly once in each text: as many of them as are in the same order in both."""
        counts, others = Counter(self.old), Counter(self.new)
        places = {line: i for i, line in enumerate(self.old) if counts[line] == 1}
        pairs = [(places[line], j) for j, line in enumerate(self.new) if line in places and others[line] == 1]
        return _longest_increasing(pairs)

    def _between(self, start: Pair, end: Pair) -> list[Pair]:
        (i, j), (last_i, last_j) = start, end
        first: list[Pair] = []
        while i < last_i and j < last_j and self.old[i] == self.new[j]:
            first.append((i, j))
            i, j = i + 1, j + 1
        last: list[Pair] = []
        while i < last_i and j < last_j and self.old[last_i - 1] == self.new[last_j - 1]:
            last_i, last_j = last_i - 1, last_j - 1
            last.append((last_i, last_j))
        return [*first, *self._compared((i, j), (last_i, last_j)), *reversed(last)]

    def _compared(self, start: Pair, end: Pair) -> Iterator[Pair]:
        (i, j), (last_i, last_j) = start, end
        if 0 < (last_i - i) * (last_j - j) <= LARGEST_PART:
            matcher = SequenceMatcher(None, self.old[i:last_i], self.new[j:last_j], autojunk=False)
            for a, b, size in matcher.get_matching_blocks():
                yield from ((i + a + n, j + b + n) for n in range(size))


def _longest_increasing(pairs: Sequence[Pair]) -> list[Pair]:
    """The longest series of the pairs in which both numbers increase (patience sorting)."""
    ends: list[int] = []
    last: list[int] = []
    before: list[int | None] = []
    for n, (i, _) in enumerate(pairs):
        place = bisect_left(ends, i)
        before.append(last[place - 1] if place else None)
        ends[place : place + 1], last[place : place + 1] = [i], [n]
    found: list[Pair] = []
    at = last[-1] if last else None
    while at is not None:
        found.append(pairs[at])
        at = before[at]
    return found[::-1]
