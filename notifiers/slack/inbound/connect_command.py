"""Ask for a connection: `/connect`, the shortcut and the form. The requester is always the person who asks."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from countersign.errors import BadQuestion, NotFound, Refused, Unavailable, Unreachable
from countersign.grant_reuse import names_no_address, not_from_here
from countersign.kinds.connection import CONNECTION, ConnectionProtocol, ConnectionQuestion
from countersign.models import Asked, Status
from countersign.notifications import Person
from countersign.question import read_of
from countersign.views import RequestView
from notifiers.slack.inbound.connect_text import USAGE, minutes_in, typed_fields
from notifiers.slack.inbound.dispatcher import Dispatcher, FieldError, source_id
from notifiers.slack.inbound.interaction import Interaction
from notifiers.slack.inbound.payloads import Command, Shortcut, Submitted
from notifiers.slack.outbound.escaping import Ready, code, listed, marked_up, moment, name
from notifiers.slack.outbound.views import connect_modal

FIELDS = ("device", "protocol", "minutes", "reason", "ticket", "source_address")
ASKING = "Your question is on its way; the answer follows here."
NO_FORM = f"Slack could not open the form. Please try again, or type {USAGE}"
HELP = Ready(
    f"*Ask for a connection:* `{USAGE}`\n"
    f"The protocol is one of {', '.join(ConnectionProtocol)}. The time is written as 60m, 2h or 1h30m; without one, "
    "the policy says how long. For example: `/connect db-1 ssh 60m restore the backup`\n"
    "`from:192.0.2.7` anywhere in it names where you will connect from; a gate that sees an address refuses a grant "
    "for none.\n"
    "`/connect` alone opens a form. You can ask only for yourself, and are told the outcome in a direct message."
)

log = logging.getLogger(__name__)


async def typed(dispatcher: Dispatcher, interaction: Interaction, delivery: Command) -> Person | None:
    """`/connect db-1 ssh 60m reason`; without arguments it opens the form, with `help` it shows how to use it."""
    fields = typed_fields(delivery.text)
    if not fields:
        await _open(dispatcher, interaction, delivery)
        return None
    if fields == {"device": "help"}:
        await interaction.say(HELP)
        return None
    person = await dispatcher.who(interaction)
    try:
        question = question_of(fields, person)
    except BadQuestion as error:
        raise BadQuestion(f"{error} Write it like this: {USAGE}") from None
    return await _ask(dispatcher, interaction, question, person)


async def chosen(dispatcher: Dispatcher, interaction: Interaction, delivery: Shortcut) -> None:
    """The shortcut opens the form."""
    await _open(dispatcher, interaction, delivery)


async def filled_in(dispatcher: Dispatcher, interaction: Interaction, delivery: Submitted) -> Person:
    """The form was sent."""
    person = await dispatcher.who(interaction)
    fields: dict[str, Any] = {each: text for each in FIELDS if (text := delivery.field(each).strip())}
    if "minutes" in fields:
        fields["minutes"] = _minutes(fields["minutes"])
    try:
        return await _ask(dispatcher, interaction, question_of(fields, person), person)
    except BadQuestion as error:
        message = str(error)
        raise FieldError(next((each for each in FIELDS if message.startswith(each)), FIELDS[0]), message) from None
    except Refused as error:
        raise FieldError(FIELDS[0], str(error)) from None


async def _open(dispatcher: Dispatcher, interaction: Interaction, delivery: Command | Shortcut) -> None:
    await interaction.received()
    try:
        await dispatcher.api.call(
            "views.open", interaction.place.user, trigger_id=delivery.trigger_id, view=connect_modal()
        )
    except (Unavailable, Unreachable) as error:
        log.warning("no form for %s: %s", interaction.place.user, error)
        await interaction.say(NO_FORM)


async def _ask(
    dispatcher: Dispatcher, interaction: Interaction, question: ConnectionQuestion, person: Person
) -> Person:
    # The same delivery asks only once.
    request_id = f"slack:{person.id}:{source_id(interaction.delivery)}"
    engine = dispatcher.engine
    asked = await interaction.in_time(engine.ask(question, await engine.principal(person.id), request_id), ASKING)
    try:
        view = await engine.request(asked.approval_id)
    except NotFound:
        view = None
    await interaction.say(Ready(message_of(asked, question, view) + _address_warning(question, view)))
    return person


def question_of(fields: Mapping[str, Any], person: Person) -> ConnectionQuestion:
    """The question, with this person as the requester. Raises BadQuestion, which names the field and the remedy."""
    return read_of(CONNECTION, {**fields, "requester": person.id})


def message_of(asked: Asked, question: ConnectionQuestion, view: RequestView | None) -> Ready:
    """The outcome of a question, for whoever asked it."""
    number = f"#{asked.approval_id}"
    what = f"{code(question.device)} over {question.protocol.upper()}"
    if asked.grant and asked.status is Status.APPROVED:
        end = asked.grant.ends_at
        return Ready(f"Yes: you may connect to {what} until {moment(end)} ({number}).{_engine_message(asked)}")
    if asked.status is not Status.WAITING:
        return Ready(f"{number} to {what} is {asked.status}.{_engine_message(asked)}")
    # Somebody who joins a request is told which reason and minutes are being decided.
    opened = _engine_message(asked).strip() if asked.joined and asked.message else f"{number} to {what} is open."
    people = [name(one.name, one.person) for one in view.approvers if one.level == view.level] if view else []
    who = f" Asked: {listed(people)}." if people else ""
    # Slack shows the time in each reader's own zone.
    until = f" It waits until {moment(view.deadline)}." if view and view.deadline > datetime.now(UTC) else ""
    return Ready(f"{opened}{who}{until}{'' if asked.joined else _engine_message(asked)}")


def _engine_message(asked: Asked) -> str:
    return f" {marked_up(asked.message, 1000)}" if asked.message else ""


def _address_warning(question: ConnectionQuestion, view: RequestView | None) -> str:
    """A warning if gates will refuse the address that was named, or refuse because none was; else empty."""
    if view is None:
        return ""
    if question.source_address:
        warning = not_from_here(view, question.source_address)
        return f" {marked_up(warning, 1000)}" if warning else ""
    if not (warning := names_no_address(view)):
        return ""
    undo = "Cancel it" if view.status is Status.WAITING else "Give it back"
    command = code(f"/connect {question.device} {question.protocol} from:192.0.2.7")
    remedy = f"{undo}, then name yours, as in {command}, or just connect: the gate asks for you."
    return f" {marked_up(warning, 1000)} {remedy}"


def _minutes(text: str) -> int | str:
    found = minutes_in(text)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else text if found is None else found
