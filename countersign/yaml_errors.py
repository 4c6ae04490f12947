"""Why a text isn't valid YAML, for whoever wrote it: where the mistake begins, what it is, and what to write."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from yaml import Mark, MarkedYAMLError

# What YAML does not allow (YAML 1.2, 5.1), line breaks that no editor shows as one, and what changes the direction of
# text: with these, somebody would see another file than the one that is read.
FORBIDDEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")
LONE_RETURN = re.compile("\r(?!\n)")
# `name:Grace`, but no address such as https://grace.
NO_SPACE = re.compile(r"([\w.@+-]+):[^\s/]")
SECOND_DOCUMENT = "a second document begins here; a policy is one document, so remove what divides them"

Found = tuple[int, int, str]


class Point(NamedTuple):
    """A place in the text; both count from 0, as the parser does."""

    line: int
    column: int

    @classmethod
    def at(cls, mark: Mark) -> "Point":
        """The place of one of the parser's marks."""
        return cls(mark.line, mark.column)


def forbidden_character(text: str) -> Found | None:
    """The first character that may not stand in a policy: line, column and message; None if there is none."""
    if not (found := FORBIDDEN.search(text) or LONE_RETURN.search(text)):
        return None
    line, start = text.count("\n", 0, found.start()) + 1, text.rfind("\n", 0, found.start()) + 1
    kind = "a control character" if ord(found[0]) < 0xA0 else "a character that does not show"
    return line, found.start() - start + 1, f"U+{ord(found[0]):04X} stands here, {kind}; remove it"


def plain_message(error: MarkedYAMLError, text: str, opened: Sequence[Mark], quoted: tuple[Mark, Mark] | None) -> Found:
    """Line, column and message for an error of the parser.

    `opened` are the places right after the brackets and braces that were still open; `quoted` is where the last text in
    quotes began and ended.
    """
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return 1, 1, f"not valid YAML: {error}"
    where, message = _Explanation(error, mark, text, opened, quoted).found()
    return where.line + 1, where.column + 1, message


class _Explanation:
    """Explains libyaml's message by the text there; `began` is where libyaml began to read what it could not finish."""

    def __init__(
        self,
        error: MarkedYAMLError,
        mark: Mark,
        text: str,
        opened: Sequence[Mark],
        quoted: tuple[Mark, Mark] | None,
    ) -> None:
        self.problem, self.context = error.problem or "", error.context or ""
        self.mark, self.began = Point.at(mark), Point.at(error.context_mark or mark)
        self.quoted = quoted
        self.lines = text.split("\n")
        # An anchor or a tag may stand before the bracket; a pair in a list, such as `[a: b]`, is a mapping without one.
        begins = [Point(one.line, one.column - 1) for one in opened]
        self.opened = [one for one in begins if self._line(one.line)[one.column : one.column + 1] in {"[", "{"}]
        self.line = self._line(mark.line)
        self.before, self.rest = self.line[: mark.column], self.line[mark.column :]

    def found(self) -> tuple[Point, str]:
        """The place and the message of the first explanation that fits."""
        explanations = (self._scanned(), self._quote(), self._colon(), self._bracket(), self._block())
        return next(filter(None, explanations), (self.began, f"not valid YAML: {self.problem}"))

    def _line(self, n: int) -> str:
        return self.lines[n] if n < len(self.lines) else ""

    def _scanned(self) -> tuple[Point, str] | None:
        """The mistakes that the parser's message, or the text at its place, makes clear."""
        if self.rest.startswith("\t"):
            return self.mark, "a tab stands here; indent with spaces"
        if "cannot start any token" in self.problem:
            return self.mark, f"a value can't begin with `{self.rest[:1]}`; put it in quotes"
        if self.context.endswith(("alias", "anchor")):
            first = self._line(self.began.line)[self.began.column : self.began.column + 1]
            return self.began, f"a value can't begin with `{first}`; put it in quotes"
        if "mapping keys are not allowed" in self.problem:
            return self.mark, "a value can't begin with `? `; put it in quotes"
        if "block scalar" in self.context:
            return self.began, "a `|` or `>` begins a text of many lines; put a value that begins so in quotes"
        if "directive" in self.context or "incompatible" in self.problem:
            return self.began, "a line that begins with % speaks to the YAML parser; remove it"
        if "<document start>" in self.problem and "..." in self.lines[: self.mark.line]:
            return self.mark, SECOND_DOCUMENT
        if "nesting depth" in self.problem:
            return self.mark, "nested too deep; a policy needs a few levels"
        return None

    def _quote(self) -> tuple[Point, str] | None:
        if "escape" in self.problem or "expected hexdecimal" in self.problem:
            return self.mark, "in double quotes a backslash begins an escape; write two, or use single quotes"
        if "quoted scalar" in self.context:
            return self.began, "the quote that opens here is never closed; close it where the value ends"
        if self.quoted is None:
            return None
        start, end = map(Point.at, self.quoted)
        if not self._follows(end):
            return None
        if start.line < end.line:
            return (
                start,
                f"the quote that opens here is closed on line {end.line + 1} only; close it where the value ends",
            )
        return start, "the quote that opens here is closed before the value ends; use the other kind of quote around it"

    def _follows(self, end: Point) -> bool:
        """Whether nothing but space stands between this place and the mistake."""
        return end.line == self.mark.line and not self.line[end.column : self.mark.column].strip()

    def _colon(self) -> tuple[Point, str] | None:
        if "could not find expected ':'" in self.problem:
            return self.began, "this line is neither `name: value` nor `- entry`; write the colon that is missing"
        if self.rest.startswith(":") and self.opened and "expected ',' or" in self.problem:
            return self._unless_open_above() or (
                self.mark,
                "a colon can't stand here; put a value that holds one in quotes, or write the comma that is missing",
            )
        if "mapping values are not allowed" not in self.problem:
            return None
        if re.search(r":\s", self.before):
            return self.mark, "a colon can't stand here; put a value that holds one in quotes"
        return self._line_above()

    def _line_above(self) -> tuple[Point, str]:
        """This line was read as part of the value above, which lacks something; or it is indented too deep."""
        n = next((n for n in range(self.mark.line - 1, -1, -1) if self._line(n).split("#")[0].strip()), None)
        above = self._line(n or 0).split(" #")[0].rstrip()
        if n is None or re.search(r":\s|[:,\[{]$", above):
            return self.mark, "this line is indented deeper than the value above it allows; indent both alike"
        bare = above.lstrip(" -")
        where = Point(n, len(above) - len(bare))
        if no_space := NO_SPACE.match(bare):
            return where, f"a space is missing behind the colon of `{no_space[1][:40]}:`; write one"
        return where, "this line is neither `name: value` nor `- entry`; write the colon that is missing"

    def _unless_open_above(self) -> tuple[Point, str] | None:
        """The bracket that an earlier line left open: the parser notices it only lines later."""
        if not self.opened or self.opened[-1].line == self.mark.line:
            return None
        opening = self._line(self.opened[-1].line)[self.opened[-1].column]
        closing = {"[": "]", "{": "}"}[opening]
        return (
            self.opened[-1],
            f"the `{opening}` that opens here is not closed; write `{closing}`, and a comma between entries",
        )

    def _bracket(self) -> tuple[Point, str] | None:
        if self.opened:
            message = "a comma or a closing bracket is missing here, or a comma is too many; write each entry once"
            return self._unless_open_above() or (self.mark, message)
        if self.rest[:1] in {"]", "}", ","}:
            return (
                self.mark,
                f"nothing is open that `{self.rest[0]}` would belong to; remove it, or put the value in quotes",
            )
        return None

    def _block(self) -> tuple[Point, str] | None:
        if "<document start>" in self.problem:
            return self.mark, "what begins here belongs to nothing; a policy is lines of the form `name: value`"
        if "block" not in self.context:
            return None
        entry = re.match(r"-(\s|$)", self.rest) is not None
        if self.mark.column == self.began.column and entry != ("'-'" in self.problem):
            one, many = ("`- entry`", "`name: value`") if entry else ("`name: value`", "`- entry`")
            return self.mark, f"{one} can't stand among lines of the form {many}; indent it below what it belongs to"
        return self.mark, "this line is indented like none above it; indent it like the lines that it belongs with"
