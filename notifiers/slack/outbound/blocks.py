"""Makes the message that shows a notification. Pure: no clock, no network; the templates are read once."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from slack_sdk.models.blocks import Block, ButtonElement

from countersign.models import Event, GrantStatus, Status
from countersign.notifications import Notification, Person, RequestNotification
from notifiers.slack.config import SlackConfig
from notifiers.slack.outbound import escaping, parts
from notifiers.slack.outbound.render import label, markup, plain

# How much of a text a message shows: far less than Slack allows, and what a phone can scroll through.
LONGEST_REASON = 1200
LONGEST_COMMENT = 300
LONGEST_MESSAGE = 600
MOST_DECISIONS = 6
MOST_MENTIONED = 50
LONGEST_MENTION = 45
MOST_APPROVERS = 3  # they are in one block with those who are mentioned

OUTCOMES = {Event.SETTLED, Event.GRANT_ENDED}
STILL_ASKED = {Event.REMINDED, Event.HELP}
WRITTEN_BY_PEOPLE = {Event.INQUIRY, Event.COMMENT}
WITH_MESSAGE = {Event.GRANT_ENDED, Event.ANSWER_REFUSED, Event.HELP}


class Content(NamedTuple):
    """What a message says: `text` for notifications and screen readers, `blocks` for all others."""

    text: str
    blocks: list[dict[str, Any]]


def live(notification: RequestNotification, config: SlackConfig, slack_ids: Mapping[str, str] | None = None) -> Content:
    """The message that is kept up to date with a request: the approver's prompt, or the requester's status.

    `slack_ids`: person id -> Slack's id, of the people to mention in a room.
    """
    shown = _shown(notification, config, slack_ids or {})
    over = notification.status is not Status.WAITING
    kind = "settled" if over else "status" if shown["to_requester"] else "prompt"
    sentence = markup(f"{kind}/sentence", **shown)
    blocks = [parts.header(plain(f"{kind}/header", **shown)), parts.section(sentence)]
    blocks += parts.fields(markup("facts", **shown).split("\n\n"))
    if kind == "prompt":
        blocks += parts.details(notification)
    blocks += _why(notification) + _what_happened(notification) + _decisions(notification, shown)
    if not over:
        blocks += parts.actions(
            [parts.sure_button("cancel", notification, shown, sure_style="danger")]
            if kind == "status"
            else _answers(notification, config, shown)
        )
        blocks.append(parts.context(markup(f"{kind}/how", **shown)))
    elif shown["to_requester"] and notification.grant and notification.grant.status is GrantStatus.ACTIVE:
        blocks += parts.actions([parts.sure_button("give_back", notification, shown)])
    blocks.append(parts.context(markup("foot", **shown)))
    return Content(f"#{notification.approval_id} · {sentence}", parts.as_json(blocks))


def short(notification: RequestNotification, config: SlackConfig) -> Content:
    """A message that says one thing once, and is never changed."""
    shown = _shown(notification, config, {})
    kind = "settled" if notification.event in OUTCOMES else notification.event
    sentence = markup(f"{kind}/sentence", **shown)
    blocks = [parts.section(sentence), *_what_happened(notification)]
    if notification.event in STILL_ASKED and notification.status is Status.WAITING:
        blocks += _why(notification) + _decisions(notification, shown)
    if not notification.live_message:
        blocks.append(parts.context(markup("foot", **shown)))
    return Content(f"#{notification.approval_id} · {sentence}", parts.as_json(blocks))


def general(notification: Notification, config: SlackConfig) -> Content:
    """A message about no request: it says one thing, has no button, and is never changed."""
    sentence = markup(f"{notification.event}/sentence", n=notification, instance=config.instance_name)
    instance = escaping.marked_up(config.instance_name)
    return Content(sentence, parts.as_json([parts.section(sentence), parts.context(instance)]))


def _answers(notification: RequestNotification, config: SlackConfig, shown: Mapping[str, Any]) -> list[ButtonElement]:
    page = _page(notification, config)
    if notification.use != "decide":
        return [parts.link_button(page, style="primary")] if page else []
    value = parts.value_of(notification)
    reject = parts.button("reject", value, style="danger")
    if notification.confirm and not shown["passed"]:
        return [*([parts.link_button(page, style="primary")] if page and not shown["mine"] else []), reject]
    opened = [parts.link_button(page)] if page else []
    if shown["mine"]:
        return [reject, *opened]
    if shown["passed"]:
        return opened
    approve = parts.sure_button("approve", notification, shown, style="primary")
    return [approve, parts.button("approve_with_comment", value), reject, *opened]


def _why(notification: RequestNotification) -> list[Block]:
    return parts.quote(notification.question.reason, LONGEST_REASON, label("why"))


def _what_happened(notification: RequestNotification) -> list[Block]:
    """What people wrote, or the message of an outcome or a refusal; none if the decisions below already say it."""
    if notification.event in WRITTEN_BY_PEOPLE:
        return parts.quote(notification.message, LONGEST_REASON)
    if notification.event not in WITH_MESSAGE:
        if notification.grant and notification.grant.ended_early:
            return parts.quote(notification.grant.message, LONGEST_MESSAGE, label("what_happened"))
        by_people = notification.decisions and notification.status in {Status.APPROVED, Status.REJECTED}
        if by_people or notification.status is Status.WAITING:
            return []
    return parts.quote(notification.message, LONGEST_MESSAGE, label("what_happened"))


def _decisions(notification: RequestNotification, shown: Mapping[str, Any]) -> list[Block]:
    """Who decided, when and with which comment; of more than MOST_DECISIONS, the first ones are only counted."""
    more = len(notification.decisions) - MOST_DECISIONS
    blocks = [parts.context(markup("more", more=more))] if more > 0 else []
    for decision in notification.decisions[-MOST_DECISIONS:]:
        name = _decider(notification, decision.person)
        blocks.append(parts.section(markup("decision", **shown, name=name, decision=decision)))
        blocks += parts.quote(decision.comment, LONGEST_COMMENT)
    return blocks


def _shown(notification: RequestNotification, config: SlackConfig, slack_ids: Mapping[str, str]) -> dict[str, Any]:
    """All that a template may use."""
    page = _page(notification, config)
    approved = notification.approved_by
    passed = notification.at_level > notification.level
    return {
        "n": notification,
        "quorum": notification.quorum,
        "subject": notification.subject,
        "question": notification.question,
        "lasts": notification.grant_lasts,
        "after": notification.goes_on_after,
        "instance": config.instance_name,
        "to_requester": notification.to.id == notification.requester.id,
        "page": escaping.Ready(f"<{page}|request #{notification.approval_id}>")
        if page
        else f"request #{notification.approval_id}",
        "has_page": bool(page),
        "requester": _name(notification.requester),
        "asker": escaping.name(notification.asked_by, ""),
        "others": escaping.listed(
            [_told(notification, one, _name(one)) for one in notification.asked if one.id != notification.to.id]
        ),
        "asked": _asked(notification, slack_ids),
        "approvers": escaping.listed(
            [escaping.name(notification.names.get(one, ""), one, LONGEST_MENTION) for one in approved], MOST_APPROVERS
        ),
        "deciders": escaping.listed([_decider(notification, one) for one in notification.decided_by]),
        "passed": passed,
        # Whoever approved may take that back; in a room, any of them may, once the others can't answer any more.
        "mine": notification.to.id in approved or bool(notification.room and passed and approved),
    }


def _asked(notification: RequestNotification, slack_ids: Mapping[str, str]) -> escaping.Ready:
    """Who is asked; in a room, by mentions."""
    if not notification.room:
        return escaping.listed([_told(notification, one, _name(one)) for one in notification.asked])
    mentions = [_told(notification, one, _mention(one, slack_ids.get(one.id, ""))) for one in notification.asked]
    return escaping.listed(mentions, MOST_MENTIONED)


def _told(notification: RequestNotification, person: Person, name: escaping.Ready) -> escaping.Ready:
    """A name, with a remark if no message has reached this person yet and none is on its way."""
    return escaping.Ready(f"{name} (not told yet)") if person.id in notification.untold else name


def _mention(person: Person, slack_id: str) -> escaping.Ready:
    return escaping.Ready(f"<@{slack_id}>") if slack_id else escaping.name(person.name, person.id, LONGEST_MENTION)


def _page(notification: RequestNotification, config: SlackConfig) -> str:
    return f"{config.public_url}/requests/{notification.approval_id}" if config.public_url else ""


def _name(person: Person) -> escaping.Ready:
    return escaping.name(person.name, person.id)


def _decider(notification: RequestNotification, person: str) -> escaping.Ready:
    return escaping.name(notification.names.get(person, ""), person)
