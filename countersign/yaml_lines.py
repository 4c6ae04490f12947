"""YAML to plain data and the line of everything in it. Hostile files cost little and run nothing.

Every scalar stays the text it was written as, or None for a plain null, so that an id like `007`, `1e3` or `no` is that
id; the models read numbers and booleans out of the text.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from countersign.errors import BadPolicy

LARGEST_FILE_BYTES = 2 * 1024 * 1024
# Counted with every alias written out: a few lines of aliases of aliases can stand for billions of values.
MOST_VALUES = 500_000
DEEPEST = 12
MOST_PROBLEMS = 200
LONGEST_SHOWN = 60
TAG = "tag:yaml.org,2002:"
PLAIN_TAGS = {TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq", "merge")}

Path = tuple[str | int, ...]
Plain = str | None | list["Plain"] | dict[str, "Plain"]


class Lines:
    """Where each value stands. Ids are found in any letter case, as the models fold them."""

    def __init__(self) -> None:
        self._lines: dict[Path, int] = {(): 1}

    def put(self, path: Path, line: int) -> None:
        """Remember where the value at this path begins, or its key."""
        self._lines[_folded(path)] = line

    def __contains__(self, path: Path) -> bool:
        return _folded(path) in self._lines

    def of(self, path: Path) -> int:
        """The line of this path, or of the nearest thing around it that was written."""
        folded = _folded(path)
        return next(self._lines[folded[:n]] for n in range(len(folded), -1, -1) if folded[:n] in self._lines)


def read(text: str) -> tuple[Plain, Lines]:
    """Read one YAML document; BadPolicy names every mistake of syntax with its line."""
    if len(text.encode(errors="replace")) > LARGEST_FILE_BYTES:
        raise BadPolicy([f"the file is larger than {LARGEST_FILE_BYTES} bytes; split off what is no policy"])
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadPolicy(
            [_at(mark.line + 1 if mark else 1, f"not valid YAML: {error.problem or error.context}")]
        ) from error
    except RecursionError as error:
        raise BadPolicy([f"line 1: nested too deep; a policy needs at most {DEEPEST} levels"]) from error
    except (YAMLError, ValueError) as error:
        raise BadPolicy([_at(1, f"not valid YAML: {' '.join(str(error).split())}")]) from error
    if root is None:
        raise BadPolicy(["line 1: the file is empty; begin with `users:`"])
    reader = _Reader()
    document = reader.value(root, ())
    if reader.problems:
        raise BadPolicy(first_of(reader.problems))
    return document, reader.lines


@dataclass
class _Reader:
    lines: Lines = field(default_factory=Lines)
    problems: list[str] = field(default_factory=list)
    values_left: int = MOST_VALUES

    def value(self, node: Node, path: Path) -> Plain:
        self.values_left -= 1
        if self.values_left < 0:
            raise BadPolicy([_at(_line(node), f"too many values; at most {MOST_VALUES}, aliases written out")])
        if len(path) > DEEPEST:
            raise BadPolicy([_at(_line(node), f"nested too deep; a policy needs at most {DEEPEST} levels")])
        if node.tag not in PLAIN_TAGS:
            self.problems.append(_at(_line(node), f"the tag {_shown(str(node.tag))} is not allowed; remove it"))
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return self._sequence(node, path)
        assert isinstance(node, ScalarNode)
        return None if node.tag == TAG + "null" else str(node.value)

    def _mapping(self, node: MappingNode, path: Path) -> Plain:
        found: dict[str, Plain] = {}
        for key, value in node.value:
            here = (*path, str(key.value))
            if not isinstance(key, ScalarNode):
                self.problems.append(_at(_line(key), "this key is no plain word; write `name: value`"))
            elif here in self.lines:
                words = f"{dotted(here)} stands here twice, first on line {self.lines.of(here)}; remove one"
                self.problems.append(_at(_line(key), words))
            else:
                self.lines.put(here, _line(key))
                found[key.value] = self.value(value, here)
        return found

    def _sequence(self, node: SequenceNode, path: Path) -> Plain:
        found: list[Plain] = []
        for n, item in enumerate(node.value):
            self.lines.put((*path, n), _line(item))
            found.append(self.value(item, (*path, n)))
        return found


def first_of(problems: list[str]) -> list[str]:
    """As many problems as anybody reads, and how many more there are: a hostile file has one a byte."""
    more = len(problems) - MOST_PROBLEMS
    return problems if more <= 0 else [*problems[:MOST_PROBLEMS], f"and {more} more; mend these first"]


def dotted(path: Path) -> str:
    """A path as people read it, `approval_workflows[0].name`; keys are hostile, so they can't steer a terminal."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{_shown(part)}" for part in path).lstrip(".")


def _shown(word: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in word[:LONGEST_SHOWN])


def _folded(path: Path) -> Path:
    return tuple(part.strip().lower() if isinstance(part, str) else part for part in path)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _at(line: int, words: str) -> str:
    return f"line {line}: {words}"
