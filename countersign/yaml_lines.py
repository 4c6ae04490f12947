"""Reads YAML into plain data, with the place of everything in it. Hostile files cost little and run nothing.

Every scalar stays the text it was written as, or None for a plain null, so that an id like `007`, `1e3` or `no` is that
id; the models read numbers and booleans out of the text.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from yaml import (
    AliasEvent,
    CSafeLoader,
    MappingEndEvent,
    MappingStartEvent,
    Mark,
    MarkedYAMLError,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from countersign.errors import BadPolicy
from countersign.yaml_errors import SECOND_DOCUMENT, forbidden_character, plain_message

LARGEST_FILE_BYTES = 2 * 1024 * 1024
# Counted with every alias written out: a few lines of aliases of aliases can stand for billions of values.
MOST_VALUES = 250_000
DEEPEST = 12
MOST_PROBLEMS = 200
LONGEST_SHOWN = 60
NULLS = {"", "~", "null", "Null", "NULL"}
QUOTES = {"'", '"'}
TAG = "tag:yaml.org,2002:"
PLAIN_TAGS = {None, *(TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq"))}

Path = tuple[str | int, ...]
Plain = str | None | list["Plain"] | dict[str, "Plain"]


class Place(NamedTuple):
    """Where a value, or its key, begins, and the places of what is in it."""

    mark: Mark
    inside: dict[str, "Place"] | list["Place"] | None = None


Inside = dict[str, Place] | list[Place] | None


class Mistake(NamedTuple):
    """One mistake: where it stands, and a message that says what it is and what to do about it."""

    line: int
    column: int
    path: Path
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {dotted(self.path) or 'the file'}: {self.message}"


class Document(NamedTuple):
    """A YAML document as plain data, where everything in it stands, and the mistakes that did not end the reading."""

    value: Plain
    place: Place
    mistakes: list[Mistake]

    def mistake(self, path: Path, message: str) -> Mistake:
        """A mistake at this path, or at the nearest thing around it that was written."""
        place = self.place
        for part in path:
            inside = _step(place, part)
            if inside is None:
                break
            place = inside
        return _mistake(place.mark, path, message)


def text_of(raw: bytes) -> str:
    """The text of a file; BadPolicy if it is too large, or not UTF-8."""
    _must_be_small(len(raw))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line_start = raw.rfind(b"\n", 0, error.start) + 1
        column = len(raw[line_start : error.start].decode("utf-8-sig", "replace")) + 1
        what = "the file is UTF-16" if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} else "this byte is not UTF-8"
        raise BadPolicy(
            [at_place(raw.count(b"\n", 0, error.start) + 1, column, f"{what}; save the file as UTF-8")]
        ) from None


def read(text: str) -> Document:
    """Read one YAML document; BadPolicy names what makes it unreadable, with line, column and remedy."""
    _must_be_small(len(text.encode(errors="replace")))
    if found := forbidden_character(text):
        raise BadPolicy([at_place(*found)])
    reader = _Reader(CSafeLoader(text).get_event)
    try:
        return reader.document()
    except MarkedYAMLError as error:
        raise BadPolicy([at_place(*plain_message(error, text, reader.opened, reader.quoted))]) from None


def _must_be_small(size: int) -> None:
    if size > LARGEST_FILE_BYTES:
        raise BadPolicy([f"the file has {size} bytes; a policy may have {LARGEST_FILE_BYTES} (2 MiB) at most"])


class _Anchor(NamedTuple):
    """What an alias stands for, and how many values that is."""

    value: Plain
    values: int


@dataclass
class _Reader:
    next: Any
    mistakes: list[Mistake] = field(default_factory=list)
    # For messages: the places right after the open brackets and braces, innermost last, and the last text in quotes.
    opened: list[Mark] = field(default_factory=list)
    quoted: tuple[Mark, Mark] | None = None
    anchors: dict[str, _Anchor] = field(default_factory=dict)
    values: int = 0

    def document(self) -> Document:
        self.next()  # the stream's start
        if isinstance(self.next(), StreamEndEvent):
            raise BadPolicy(["line 1: the file is empty; begin with `users:`"])
        root = self.next()
        value, inside = self._node(root, ())
        self.next()  # the document's end
        if not isinstance(second := self.next(), StreamEndEvent):
            raise BadPolicy([_at(second.start_mark, SECOND_DOCUMENT)])
        return Document(value, Place(root.start_mark, inside), self.mistakes)

    def _child(self, event: Any, path: Path, part: str | int) -> tuple[Plain, Inside]:
        # Most of a file is plain scalars: this shortcut for them halves the time that it takes.
        if type(event) is ScalarEvent and event.tag is None and event.anchor is None and self.values < MOST_VALUES:
            self.values += 1
            return self._scalar(event), None
        return self._node(event, (*path, part))

    def _node(self, event: Any, path: Path) -> tuple[Plain, Inside]:
        kind = type(event)
        if kind is AliasEvent:
            return self._alias(event), None
        self._count(1, event)
        before, inside = self.values, None
        if event.tag not in PLAIN_TAGS:
            message = f"the tag {shown(event.tag)} is not allowed; remove it, or put the value in quotes"
            self.mistakes.append(_mistake(event.start_mark, path, message))
        value: Plain
        if kind is ScalarEvent:
            value = self._scalar(event)
        elif len(path) >= DEEPEST:
            raise BadPolicy([_at(event.start_mark, f"nested too deep; {DEEPEST} levels are the most")])
        elif kind is MappingStartEvent:
            value, inside = self._mapping(event, path)
        else:
            value, inside = self._sequence(event, path)
        # Known only from here on, so that no alias can stand for something that it is part of.
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchor(value, 1 + self.values - before)
        return value, inside

    def _count(self, values: int, event: Any) -> None:
        self.values += values
        if self.values > MOST_VALUES:
            raise BadPolicy(
                [_at(event.start_mark, f"too many values; {MOST_VALUES} are the most, aliases written out")]
            )

    def _alias(self, event: Any) -> Plain:
        meant = self.anchors.get(event.anchor)
        if meant is None:
            message = (
                f"`*{shown(event.anchor)}` refers to nothing above it; put the value in quotes if it begins with *"
            )
            raise BadPolicy([_at(event.start_mark, message)])
        self._count(meant.values, event)
        return meant.value

    def _scalar(self, event: Any) -> str | None:
        value: str = event.value
        if not event.style:
            return None if value in NULLS and event.tag is None else value
        if event.style in QUOTES:
            self.quoted = event.start_mark, event.end_mark
        return value

    def _mapping(self, start: Any, path: Path) -> tuple[Plain, Inside]:
        found: dict[str, Plain] = {}
        places: dict[str, Place] = {}
        self._open(start)
        while type(key := self.next()) is not MappingEndEvent:
            if type(key) is not ScalarEvent:
                self.mistakes.append(_mistake(key.start_mark, path, "this key is no plain word; write `name: value`"))
                self._child(key, path, "")
                self._child(self.next(), path, "")
                continue
            self._scalar(key)
            mark: Any = key.start_mark
            value, inside = self._child(self.next(), path, key.value)
            # Ids are folded to lower case, so `Grace` and `grace` would silently become one.
            name = folded(key.value)
            if name in places:
                message = f"stands here twice, first on line {places[name].mark.line + 1}; remove one"
                self.mistakes.append(_mistake(mark, (*path, key.value), message))
            else:
                places[name] = Place(mark, inside)
                found[key.value] = value
        self._close(start)
        return found, places

    def _sequence(self, start: Any, path: Path) -> tuple[Plain, Inside]:
        found: list[Plain] = []
        places: list[Place] = []
        self._open(start)
        while type(item := self.next()) is not SequenceEndEvent:
            value, inside = self._child(item, path, len(found))
            places.append(Place(item.start_mark, inside))
            found.append(value)
        self._close(start)
        return found, places

    def _open(self, start: Any) -> None:
        if start.flow_style:
            self.opened.append(start.end_mark)

    def _close(self, start: Any) -> None:
        if start.flow_style:
            self.opened.pop()


def messages_of(mistakes: Iterable[Mistake]) -> list[str]:
    """The mistakes in the order of the file, up to MOST_PROBLEMS, and how many more there are."""
    ordered = sorted(mistakes, key=lambda one: one[:2])
    shown, more = list(map(str, ordered[:MOST_PROBLEMS])), len(ordered) - MOST_PROBLEMS
    return shown if more <= 0 else [*shown, f"and {more} more; mend these first"]


def at_place(line: int, column: int, message: str) -> str:
    """A mistake in the YAML itself, as it is shown."""
    return f"line {line}, column {column}: {message}"


def dotted(path: Path) -> str:
    """A path as people read it, `approval_workflows[0].name`; a hostile key in it can't steer a terminal."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{shown(part)}" for part in path).lstrip(".")


def shown(word: str) -> str:
    """A word of the file that fits into a line and can't steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in word[:LONGEST_SHOWN])


def folded(key: str) -> str:
    """A key folded as ids are, to compare them."""
    return key.strip().lower()


def _step(place: Place, part: str | int) -> Place | None:
    if isinstance(place.inside, dict):
        found: Place | None = place.inside.get(folded(str(part)))
        return found
    if isinstance(place.inside, list) and isinstance(part, int) and part < len(place.inside):
        item: Place = place.inside[part]
        return item
    return None


def _mistake(mark: Mark, path: Path, message: str) -> Mistake:
    return Mistake(mark.line + 1, mark.column + 1, path, message)


def _at(mark: Mark, message: str) -> str:
    return at_place(mark.line + 1, mark.column + 1, message)
