"""The forms that Slack opens over a message, and the app's Home page. Pure, like the messages."""

import json
from collections.abc import Sequence
from typing import Any

from slack_sdk.models.blocks import (
    Block,
    DividerBlock,
    InputBlock,
    Option,
    PlainTextInputElement,
    StaticSelectElement,
)
from slack_sdk.models.blocks.block_elements import InputInteractiveElement
from slack_sdk.models.views import View

from countersign.kinds.connection import ConnectionProtocol
from countersign.models import LONGEST_ID, LONGEST_REASON, Status, Verdict
from countersign.notifications import ProposedAnswer
from countersign.permissions import Action, Principal, why_not, why_not_answer
from countersign.views import Mine, MyList, RequestView
from notifiers.slack.config import CHANNEL
from notifiers.slack.inbound.payloads import Named
from notifiers.slack.outbound import escaping, parts
from notifiers.slack.outbound.render import label, markup, plain

# Slack's own limit on a field: https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element
LONGEST_INPUT = 3000
# The longest time as people write it, like 1h30m.
LONGEST_TIME = 20
# The most requests of each list on the Home page, so that it stays below 100 blocks.
MOST_LISTED = 10
LONGEST_QUOTE = 500
# The pages of the portal that show all of a list.
PAGES: dict[MyList, str] = {
    "waiting": "/approvals",
    "asked": "/requests",
    "active": "/approvals/all?status=Approved",
}


def answer_modal(about: Named, verdict: Verdict, request: RequestView | None = None) -> dict[str, Any]:
    """The form behind "Approve with comment" and "Reject": without `request` it says to wait.

    Its field is `comment`; `private_metadata` is JSON with `id`, `level`, `run` and `verdict`.
    """
    metadata = json.dumps(about._asdict() | {"verdict": verdict})
    title = plain("answer/title", verb=label(verdict), number=about.id)
    if request is None:
        return _modal("answer", title, [parts.section(label("loading"))], metadata)
    needs_reason = verdict is Verdict.REJECT and request.rejection_needs_reason
    name = "reason_needed" if needs_reason else "comment"
    blocks = [
        parts.section(markup("answer/sentence", verdict=verdict, **_shown(request))),
        *parts.quote(request.question.reason, LONGEST_REASON, label("why")),
        _text("comment", LONGEST_INPUT, optional=not needs_reason, multiline=True, name=name),
    ]
    return _modal("answer", title, blocks, metadata, submit=label(verdict))


def connect_modal() -> dict[str, Any]:
    """The form to ask for a connection, with the fields of a question that people fill in."""
    protocols = [Option(text=parts.plain_text(one.value.upper()), value=one.value) for one in ConnectionProtocol]
    blocks: list[Block] = [
        _text("device", LONGEST_ID, optional=False),
        _input("protocol", StaticSelectElement(action_id="protocol", options=protocols), optional=False),
        _text("minutes", LONGEST_TIME),
        _text("reason", LONGEST_REASON, multiline=True),
        _text("ticket", LONGEST_ID),
        _text("source_address", LONGEST_ID),
    ]
    return _modal("connect", label("connect_title"), blocks, "", submit=label("ask"))


def message_modal(message: str) -> dict[str, Any]:
    """A message in place of a form: why nothing can be answered, or the outcome of an answer."""
    return _modal("told", label("told_title"), [parts.section(escaping.marked_up(message, LONGEST_INPUT // 2))], "")


def home_view(mine: Mine, who: Principal, public_url: str = "") -> dict[str, Any]:
    """The Home page of a person: what waits for them, the most urgent first, what they asked for, and active grants.

    Each has the buttons for what they may do in Slack. A list that goes on links to the portal at `public_url`.
    """
    blocks = [
        *_listing("waiting", mine, [_to_answer(one, who) for one in mine.waiting[:MOST_LISTED]], public_url),
        *_listing("asked", mine, [_asked_for(one, who) for one in mine.asked[:MOST_LISTED]], public_url),
        *_listing("active", mine, [_grant(one, who) for one in mine.active[:MOST_LISTED]], public_url),
    ]
    home: dict[str, Any] = View(type="home", blocks=blocks).to_dict()
    return home


def _listing(name: MyList, mine: Mine, entries: Sequence[list[Block]], public_url: str) -> list[Block]:
    blocks = [parts.header(label(name)), *(block for entry in entries for block in entry)]
    if name in mine.more or len(getattr(mine, name)) > MOST_LISTED:
        page = escaping.Ready(f"{public_url}{PAGES[name]}") if public_url else ""
        blocks.append(parts.context(markup("home/more", page=page)))
    elif not entries:
        blocks.append(parts.context(markup("home/none", name=name)))
    return blocks


def _to_answer(request: RequestView, who: Principal) -> list[Block]:
    shown = _shown(request)
    value = parts.value_of(request)
    approve = [
        parts.sure_button("approve", request, shown, style="primary"),
        parts.button("approve_with_comment", value),
    ]
    may_approve = _may_answer(request, who, Verdict.APPROVE)
    buttons = approve if may_approve else []
    if _may_answer(request, who, Verdict.REJECT):
        buttons = [*buttons, parts.button("reject", value, style="danger")]
    why = parts.quote(request.question.reason, LONGEST_QUOTE)
    blocks = [parts.section(markup("home/to_answer", **shown)), *parts.details(request), *why]
    elsewhere = [] if may_approve else [parts.context(markup("home/elsewhere", may_reject=bool(buttons)))]
    return [*blocks, *elsewhere, *parts.actions(buttons), DividerBlock()]


def _may_answer(request: RequestView, who: Principal, verdict: Verdict) -> bool:
    answer = ProposedAnswer(level=request.level, verdict=verdict, channel=CHANNEL)
    return why_not_answer(who, request, answer) is None


def _asked_for(request: RequestView, who: Principal) -> list[Block]:
    shown = _shown(request)
    blocks = [parts.section(markup("home/asked_for", **shown))]
    if request.status is Status.WAITING and not why_not(who, Action.CANCEL, request):
        blocks += parts.actions([parts.sure_button("cancel", request, shown, sure_style="danger")])
    return blocks


def _grant(request: RequestView, who: Principal) -> list[Block]:
    shown = _shown(request) | {"mine": request.question.requester == who.name}
    buttons = []
    if not why_not(who, Action.REVOKE, request):
        buttons.append(parts.sure_button("revoke", request, shown, style="danger"))
    if not why_not(who, Action.GIVE_BACK, request):
        buttons.append(parts.sure_button("give_back", request, shown))
    return [parts.section(markup("home/grant", **shown)), *parts.actions(buttons)]


def _shown(request: RequestView) -> dict[str, Any]:
    """All that a template may use."""
    asked = [escaping.name(one.name, one.person) for one in request.approvers if one.level == request.level]
    requester = escaping.name(request.requester_name, request.question.requester)
    asker = request.asked_by_name if request.asked_by != request.question.requester else ""
    return {
        "r": request,
        "quorum": request.quorum,
        "subject": request.subject,
        "question": request.question,
        "to_requester": False,
        "lasts": request.grant_lasts,
        "after": request.goes_on_after,
        "requester": requester,
        "asker": escaping.name(asker, ""),
        "asked": escaping.listed(asked),
    }


def _modal(
    callback: str, title: str, blocks: Sequence[Block], metadata: str, submit: str | None = None
) -> dict[str, Any]:
    view = View(
        type="modal",
        callback_id=callback,
        title=parts.plain_text(title),
        submit=parts.plain_text(submit) if submit else None,
        close=parts.plain_text(label("go_back" if submit else "close")),
        blocks=blocks,
        private_metadata=metadata,
    )
    modal: dict[str, Any] = view.to_dict()
    return modal


def _input(field: str, element: InputInteractiveElement, *, optional: bool, name: str = "") -> Block:
    return InputBlock(block_id=field, label=parts.plain_text(label(name or field)), element=element, optional=optional)


def _text(field: str, longest: int, *, optional: bool = True, multiline: bool = False, name: str = "") -> Block:
    element = PlainTextInputElement(action_id=field, multiline=multiline, max_length=longest)
    return _input(field, element, optional=optional, name=name)
