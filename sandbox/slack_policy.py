"""Policies that use Slack."""

from collections.abc import Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

WIDTH = 120


def with_slack(policy: str, rooms: Mapping[str, str] | None = None, **also: Any) -> str:
    """The policy with people asked in Slack as well; `rooms` by device group, `also` for the whole policy.

    Everything else stays as it was written, comments included.
    """
    yaml = YAML()
    yaml.width = WIDTH
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(policy)
    document["channels"]["slack"] = "decide"
    document.update(also)
    for group, room in (rooms or {}).items():
        document["device_groups"][group]["rooms"] = {"slack": room}
    written = StringIO()
    yaml.dump(document, written)
    return written.getvalue()
