"""Leaves malformed parts out of a policy, so that its other mistakes can be listed together with these."""

import difflib
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError

from countersign.directory import Policy
from countersign.models import canonical_id
from countersign.yaml_lines import LONGEST_SHOWN, Path, Plain

# Other sections refer to what stands in these: if it can't be read, every reference to it would seem wrong.
REFERRED_TO = ("users", "user_groups", "device_groups")
# What takes the place of a required field that is missing or wrong. The numbers make sure that no two are the same.
STAND_INS: dict[str, Callable[[int], Plain]] = {
    "name": lambda n: f"stand-in {n}",
    "email": lambda n: f"stand-in-{n}@example.invalid",
    "user_group": lambda n: f"stand-in-{n}",
    "device_group": lambda n: f"stand-in-{n}",
    "levels": lambda _: [{"approvers": ["line_manager"]}],
    "approvers": lambda _: ["line_manager"],
    "action": lambda _: "block",
    "include": lambda _: {"everyone": "true"},
}


def repaired(document: Plain, wrong: Iterable[Path], named_twice: Iterable[Path] = ()) -> Policy | None:
    """The policy with whatever is wrong left out or replaced; changes the document. None if too little is left.

    Also None if a name that others refer to stands twice (`named_twice`): one may have been meant as another name.
    """
    if any(len(path) == 2 and path[0] in REFERRED_TO for path in named_twice):
        return None
    for n, path in enumerate(wrong):
        if not isinstance(document, dict) or not path or _is_referred_to(document, path):
            return None
        _repair(document, path, n)
    try:
        return Policy.model_validate(document)
    except ValidationError:
        return None


def _is_referred_to(document: dict[str, Plain], path: Path) -> bool:
    """Whether others may refer to what is wrong: a whole section, perhaps with its name misspelt, or an id in one."""
    if len(path) == 1:
        return bool(difflib.get_close_matches(str(path[0])[:LONGEST_SHOWN], REFERRED_TO, 1))
    section = document.get(str(path[0]))
    return len(path) == 2 and path[0] in REFERRED_TO and isinstance(section, dict) and not _is_id(path[1])


def _is_id(key: str | int) -> bool:
    try:
        return bool(canonical_id(str(key)))
    except ValueError:
        return False


def _repair(document: dict[str, Plain], path: Path, n: int) -> None:
    if "approvers" in path[3:]:
        path = path[: path.index("approvers", 3) + 1]
    holder, key = _last_field(document, path)
    if len(path) == 2 and path[0] in REFERRED_TO:
        holder[key] = {name: STAND_INS[name](n) for name in ("name", "email")} if path[0] == "users" else {}
    elif key in STAND_INS and len(path) > 2:
        holder[key] = STAND_INS[key](n)
    else:
        holder.pop(key, None)


def _last_field(document: dict[str, Plain], path: Path) -> tuple[dict[str, Plain], str]:
    """The innermost mapping on the path, and the key in it that leads on."""
    found: tuple[dict[str, Plain], str] = document, str(path[0])
    node: Any = document
    for part in path:
        if isinstance(node, dict):
            found = node, str(part)
            node = node.get(str(part))
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:  # an earlier repair removed what is further in
            break
    return found
