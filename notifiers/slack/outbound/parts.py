"""The parts of messages and views, each within Slack's limits: https://docs.slack.dev/reference/block-kit."""

from collections.abc import Mapping, Sequence
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ConfirmObject,
    ContextBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)

from countersign.notifications import RequestNotification
from countersign.views import RequestView
from notifiers.slack.inbound.payload_parts import short_run
from notifiers.slack.outbound import escaping
from notifiers.slack.outbound.render import label, markup, plain

MOST_FIELDS = 10
# So that all of them stay below the 3,000 characters of a section.
MOST_DETAILS = 20
LONGEST_DETAIL = 50


def header(text: str) -> Block:
    """The line in large type."""
    return HeaderBlock(text=plain_text(text))


def section(text: str) -> Block:
    """A paragraph in Slack's markup. Slack refuses an empty one, which a text of blanks would make."""
    return SectionBlock(text=_markup(text or "…"))


def fields(texts: Sequence[str]) -> list[Block]:
    """Facts in two columns; no block if there are none."""
    shown = [_markup(text) for text in texts[:MOST_FIELDS] if text]
    return [SectionBlock(fields=shown)] if shown else []


def context(text: str) -> Block:
    """A line in small type."""
    return ContextBlock(elements=[_markup(text)])


def quote(text: str, longest: int, title: str = "") -> list[Block]:
    """A person's text. Slack reads no markup in plain text, so it mentions, links and formats nothing.

    Every line is marked, so that none can pass for one of ours.
    """
    lines = escaping.several_lines(text, longest).splitlines()
    if not lines:
        return []
    marked = "\n".join(f"› {line}" for line in lines)
    return [*([section(f"*{title}*")] if title else []), SectionBlock(text=plain_text(marked))]


def details(about: RequestNotification | RequestView) -> list[Block]:
    """The table of what is asked: what has changed, or else all of it; equal values share a line."""
    every = about.question.details
    shown = [one for one in every if one.before is not None] or every
    labels: dict[tuple[str, str | None], list[str]] = {}
    for one in shown:
        labels.setdefault((one.value, one.before), []).append(one.label)
    lines = [
        (", ".join(names), *(escaping.marked_up(one or "", LONGEST_DETAIL) for one in values))
        for values, names in labels.items()
    ][:MOST_DETAILS]
    return [section(markup("details", lines=lines, more=len(every) - len(shown)))] if lines else []


def actions(buttons: Sequence[ButtonElement]) -> list[Block]:
    """A row of buttons; no block if there are none."""
    return [ActionsBlock(elements=list(buttons))] if buttons else []


def button(action: str, value: str, *, style: str | None = None, confirm: ConfirmObject | None = None) -> ButtonElement:
    """A button that tells us of a click; its label is the action's."""
    return ButtonElement(text=plain_text(label(action)), action_id=action, value=value, style=style, confirm=confirm)


def link_button(url: str, *, style: str | None = None) -> ButtonElement:
    """The button that opens the request's page."""
    return ButtonElement(text=plain_text(label("open")), action_id="open", url=url, style=style)


def sure_button(
    action: str,
    about: RequestNotification | RequestView,
    shown: Mapping[str, Any],
    *,
    style: str | None = None,
    sure_style: str | None = None,
) -> ButtonElement:
    """A button about a request that first asks whether it is meant; `shown` is all that its template may use."""
    title = plain("confirm/title", question=label(action), number=about.approval_id)
    yes, no = plain_text(label(action)), plain_text(label("go_back"))
    text = _markup(markup(f"confirm/{action}", **shown))
    sure = ConfirmObject(title=plain_text(title), text=text, confirm=yes, deny=no, style=sure_style or style)
    return button(action, value_of(about), style=style, confirm=sure)


def value_of(about: RequestNotification | RequestView) -> str:
    """The value of the buttons about a request, at the level that it shows."""
    return value(about.approval_id, about.level, about.token_run)


def value(approval_id: int, level: int, run: str) -> str:
    """The value of a button, so that an old message never answers another request or level.

    The run tells a request from an earlier one with the same number; it is empty if none is on record.
    """
    return f"{approval_id}:{level}:{short_run(run)}" if run else f"{approval_id}:{level}"


def as_json(blocks: Sequence[Block]) -> list[dict[str, Any]]:
    """The blocks as they are sent. Raises SlackObjectFormationError if one breaks a limit."""
    return [block.to_dict() for block in blocks]


def plain_text(text: str) -> PlainTextObject:
    """Text in which Slack reads no markup, and no emoji's name between colons."""
    return PlainTextObject(text=text, emoji=False)


def _markup(text: str) -> MarkdownTextObject:
    # Verbatim: otherwise Slack would look for links and names of its own in what people wrote.
    return MarkdownTextObject(text=text, verbatim=True)
