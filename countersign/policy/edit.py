"""Makes one change to the text of a policy; order, comments, quotes and line ends stay as they were written.

The value is replaced at the place that the YAML parser gives for it. Then the new text is read again: unless it is the
same policy with this one change, it is not returned, whatever the file looks like.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import yaml
from pydantic import Field, ValidationError
from yaml import CBaseLoader, MappingNode, Node, ScalarNode, SequenceNode

from countersign.directory import Policy
from countersign.errors import BadPolicy, Refused
from countersign.models import Model
from countersign.policy.file import load
from countersign.remedies import remedy
from countersign.yaml_lines import NULLS, dotted, folded, read, shown

UNKNOWN_LAYOUT = "{} is written in a way that can't be changed here; edit the text on the Policy page."
# Words that need no quotes, except those in NOT_TEXT: whatever reads a policy takes them for text.
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._@+-]*|[0-9]+[smhd]")
NOT_TEXT = {"true", "false", *NULLS}
# What stands before an entry of a list with one entry per line.
DASH = re.compile(r" *- +")


class PolicyEdit(Model):
    """One change: set a value at a path, such as `user_groups`, `engineers`, `require_managerial_approval`; or add an
    entry to the list there, or remove one. The value may be None if the field may be left out.
    """

    path: list[str] = Field(min_length=1, max_length=3)
    action: Literal["set", "add", "remove"]
    value: bool | int | str | None


class Splice(NamedTuple):
    """A part of the text, and what takes its place."""

    start: int
    end: int
    new: str


def edited(text: str, change: PolicyEdit) -> str:
    """The text with this change. The meaning of the changed policy is not checked.

    Raises BadPolicy for a text that isn't a policy, or a value that the field can't have; Refused if there is no such
    place, or the text is written in a way that can't be changed here.
    """
    policy = load(text)
    path = [folded(part) for part in change.path]
    if change.action != "set":
        change = change.model_copy(update={"value": folded(str(change.value))})
    wanted = _with(policy, path, change)
    if wanted == policy.model_dump(mode="json"):
        return text
    try:
        start, end, new = _Text(text, wanted).splice(path, change)
        changed = text[:start] + new + text[end:]
        document = read(changed)
        if document.mistakes or Policy.model_validate(document.value).model_dump(mode="json") != wanted:
            raise _unknown(path)
    except (BadPolicy, ValidationError):
        raise _unknown(path) from None
    return changed


def _with(policy: Policy, path: Sequence[str], change: PolicyEdit) -> dict[str, Any]:
    """The policy with this change, as it is stored."""
    document: dict[str, Any] = policy.model_dump(mode="json")
    holder: Any = document
    for part in path[:-1]:
        holder = holder.get(part) if isinstance(holder, dict) else None
    if not isinstance(holder, dict):
        raise Refused(f"There is no {shown(path[-2])} in the policy any more.")
    before = holder.get(path[-1])
    entries = before if isinstance(before, list) else []
    match change.action:
        case "set":
            holder[path[-1]] = change.value
        case "add":
            holder[path[-1]] = entries if change.value in entries else [*entries, change.value]
        case "remove":
            holder[path[-1]] = [one for one in entries if one != change.value]
    try:
        return Policy.model_validate(document).model_dump(mode="json")
    except ValidationError as error:
        problems = [f"{dotted(tuple(path))}: {remedy(one)}" for one in error.errors(include_url=False)]
        raise BadPolicy(problems[:1]) from None


def _unknown(path: Sequence[str]) -> Refused:
    return Refused(UNKNOWN_LAYOUT.format(dotted(tuple(path))))


class _Text:
    """The text, and the policy that it has to describe after the change."""

    def __init__(self, text: str, wanted: dict[str, Any]) -> None:
        self.text, self.wanted = text, wanted
        self.line_end = "\r\n" if "\r\n" in text else "\n"

    def splice(self, path: Sequence[str], change: PolicyEdit) -> Splice:
        """Where to change the text, and how."""
        self.path = path
        # The base loader doesn't work out the types of values, which aren't needed here.
        node: Any = yaml.compose(self.text, Loader=CBaseLoader)
        key: Any = node
        wanted: Any = self.wanted
        for depth, part in enumerate(path, 1):
            if not isinstance(node, MappingNode):
                raise _unknown(path)
            # The value that is set is written as it was given: `2h` and not 120.
            wanted = change.value if (depth, change.action) == (len(path), "set") else wanted[part]
            pair = next((one for one in node.value if folded(str(one[0].value)) == part), None)
            if pair is None:
                return self._inserted(node, f"{part}: {_written(wanted)}")
            key, node = pair
        if change.action == "set":
            return self._set(node, _written(change.value))
        if not isinstance(node, SequenceNode):
            raise _unknown(path)
        if change.action == "add":
            return self._added(node, _written(change.value))
        return self._removed(node, key, str(change.value))

    def _set(self, node: Node, value: str) -> Splice:
        if not isinstance(node, ScalarNode) or node.style in {"|", ">"}:
            raise _unknown(self.path)
        start, end = node.start_mark.index, node.end_mark.index
        return Splice(start, end, f" {value}" if start == end else value)

    def _added(self, node: SequenceNode, value: str) -> Splice:
        if not node.value:
            return Splice(*self._only(node, r"\[\s*\]"), f"[{value}]")
        last = node.value[-1]
        end = last.end_mark.index
        if node.flow_style:
            return Splice(end, end, f", {value}")
        place = self._end_of_line(self._end(last))
        return Splice(place, place, f"{self.line_end}{self._dash(last)}{value}")

    def _removed(self, node: SequenceNode, key: Node, value: str) -> Splice:
        at = next((n for n, one in enumerate(node.value) if folded(str(one.value)) == value), None)
        if at is None:
            raise _unknown(self.path)
        one = node.value[at]
        start, end = one.start_mark.index, one.end_mark.index
        if len(node.value) == 1:
            return Splice(start, end, "") if node.flow_style else self._emptied(key, end)
        if node.flow_style:
            if at + 1 < len(node.value):
                end = node.value[at + 1].start_mark.index
            else:
                start = node.value[at - 1].end_mark.index
            # A comment in the removed text may be about another entry.
            return self._without_comment(Splice(start, end, ""))
        dash = start - len(self._dash(one))
        after = self.text.find("\n", end) + 1
        return Splice(dash, after, "") if after else Splice(dash - len(self.line_end), len(self.text), "")

    def _emptied(self, key: Node, end: int) -> Splice:
        """Empties a list that has one entry per line, and only one."""
        start = key.end_mark.index
        if not re.fullmatch(r"\s*:\s*- +\S*", self.text[start:end]):
            raise _unknown(self.path)
        return Splice(start, end, ": []")

    def _inserted(self, node: MappingNode, entry: str) -> Splice:
        """Adds a field that is not in the text yet, as the last of its mapping."""
        if not node.value:
            return Splice(*self._only(node, r"\{\s*\}"), f"{{{entry}}}")
        end = self._end(node)
        if node.flow_style:
            end = self._end(node.value[-1][1])
            return Splice(end, end, f", {entry}")
        place = self._end_of_line(end)
        return Splice(place, place, f"{self.line_end}{' ' * node.value[0][0].start_mark.column}{entry}")

    def _only(self, node: Node, pattern: str) -> tuple[int, int]:
        """Where a node stands, if all of its text matches the pattern; Refused otherwise."""
        start, end = node.start_mark.index, node.end_mark.index
        if not re.fullmatch(pattern, self.text[start:end]):
            raise _unknown(self.path)
        return start, end

    def _end(self, node: Any) -> int:
        """Where a node ends. With one entry per line, the end that the parser gives is where the next node begins."""
        if isinstance(node, ScalarNode):
            if node.style in {"|", ">"}:
                raise _unknown(self.path)
        elif not node.flow_style and node.value:
            last = node.value[-1][1] if isinstance(node, MappingNode) else node.value[-1]
            return self._end(last)
        return int(node.end_mark.index)

    def _end_of_line(self, place: int) -> int:
        found = self.text.find(self.line_end, place)
        return len(self.text) if found < 0 else found

    def _dash(self, entry: Node) -> str:
        """What stands before this entry of a list with one entry per line."""
        start = entry.start_mark.index
        before = self.text[self.text.rfind("\n", 0, start) + 1 : start]
        if not DASH.fullmatch(before):
            raise _unknown(self.path)
        return before

    def _without_comment(self, splice: Splice) -> Splice:
        if "#" in self.text[splice.start : splice.end]:
            raise _unknown(self.path)
        return splice


def _written(value: Any) -> str:
    """A value as YAML, on one line."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case list():
            return f"[{', '.join(map(_written, value))}]"
        case dict():
            return f"{{{', '.join(f'{key}: {_written(one)}' for key, one in value.items())}}}"
        case str() if not PLAIN.fullmatch(value) or value.lower() in NOT_TEXT:
            return json.dumps(value, ensure_ascii=False)
    return str(value)
