"""Slack's blocks in a terminal: what a person would see of a message, a form or a page, in a few lines."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from sandbox.slack.workspace import Json

# Times, mentions, links, bold and code, https://docs.slack.dev/messaging/formatting-message-text; we use no others.
MARKUP = re.compile(
    r"<!date\^[^|>]*\|(?P<time>[^>]*)>|<@(?P<person>\w+)>|<[^|>]+\|(?P<link>[^>]*)>"
    r"|\*(?P<bold>[^*\n]+)\*|`(?P<code>[^`\n]+)`"
)
STYLES = {"time": "", "person": "bold cyan", "link": "underline", "bold": "bold", "code": "cyan"}
BUTTONS = {"primary": "bold green", "danger": "bold red"}
EMPTY = " " * 20


def drawn(blocks: Sequence[Json], names: Mapping[str, str], filled: Mapping[str, str]) -> RenderableType:
    """The blocks. `names`: people's, by their Slack ids; `filled`: what was written into a form, by action ids."""
    lines = (line for block in blocks for line in _block(block, names, filled, is_first=block is blocks[0]))
    return Group(*lines)


def modal(view: Json, names: Mapping[str, str], filled: Mapping[str, str]) -> RenderableType:
    """A form, with its buttons."""
    below = Text(f"\n[ {view['close']['text']} ]  ") + Text(f"[ {view['submit']['text']} ]", "bold")
    return Group(drawn(view["blocks"], names, filled), below)


def text_of(text: Json, names: Mapping[str, str]) -> Text:
    """A text object: markup is read in `mrkdwn`, and plain text is shown as it is."""
    written = str(text["text"])
    if text["type"] == "plain_text":
        return Text(written)
    shown, at = Text(), 0
    for found in MARKUP.finditer(written):
        kind = str(found.lastgroup)
        content = f"@{names.get(found[kind], found[kind])}" if kind == "person" else found[kind]
        shown.append(html.unescape(written[at : found.start()])).append(html.unescape(content), STYLES[kind])
        at = found.end()
    return shown.append(html.unescape(written[at:]))


def texts_of(shown: object, names: Mapping[str, str]) -> str:
    """All texts of the blocks, one per line."""
    if isinstance(shown, list):
        return "\n".join(filter(None, (texts_of(one, names) for one in shown)))
    if not isinstance(shown, dict):
        return ""
    if shown.get("type") in ("mrkdwn", "plain_text"):
        return text_of(shown, names).plain
    return texts_of(list(shown.values()), names)


def buttons_of(blocks: Sequence[Json]) -> list[Json]:
    """What can be pressed."""
    return [one for block in blocks if block["type"] == "actions" for one in block["elements"]]


def _block(
    block: Json, names: Mapping[str, str], filled: Mapping[str, str], is_first: bool
) -> Iterator[RenderableType]:
    match block["type"]:
        case "header":
            yield Text.assemble("" if is_first else "\n", (block["text"]["text"], "bold underline"))
        case "section" if "fields" in block:
            yield _two_columns([text_of(one, names) for one in block["fields"]])
        case "section":
            yield text_of(block["text"], names)
        case "context":
            yield Text("\n").join(Text(text_of(one, names).plain, "bright_black") for one in block["elements"])
        case "actions":
            yield Text("  ").join(_button(one) for one in block["elements"])
        case "input":
            written = filled.get(block["element"]["action_id"], EMPTY)
            yield Text.assemble((block["label"]["text"], "bold"), f"\n[ {written} ]")
        case "divider":
            yield Rule(style="bright_black")
        case other:
            raise ValueError(f"nobody said yet how a block of type {other} is drawn")


def _two_columns(texts: Sequence[Text]) -> Table:
    """Facts, two in a row, as Slack lays them out."""
    table = Table.grid(padding=(0, 4))
    for at in range(0, len(texts), 2):
        table.add_row(*texts[at : at + 2])
    return table


def _button(element: Json) -> Text:
    return Text(f"[ {element['text']['text']} ]", BUTTONS.get(element.get("style", ""), "bold"))
