"""The form behind "Approve with comment" and "Reject": opened at once, filled after, and taken when it is sent."""

import logging
from dataclasses import replace

from countersign.error_codes import ErrorCode
from countersign.errors import Unavailable, Unreachable
from countersign.models import LONGEST_COMMENT, Verdict, without_controls
from countersign.notifications import Person, ProposedAnswer
from countersign.permissions import why_not_answer
from notifiers.slack.config import CHANNEL
from notifiers.slack.inbound.buttons import submitted_answer
from notifiers.slack.inbound.dispatcher import Dispatcher, FieldError
from notifiers.slack.inbound.interaction import Interaction
from notifiers.slack.inbound.payloads import Pressed, Submitted, named
from notifiers.slack.inbound.people import RejectedSender
from notifiers.slack.outbound.views import answer_modal

COMMENT = "comment"
TOO_LATE = "Slack could not open the form in time. Please press the button again."
TOO_LONG = f"Use at most {LONGEST_COMMENT} characters."

log = logging.getLogger(__name__)


async def open_form(dispatcher: Dispatcher, interaction: Interaction, delivery: Pressed, verdict: Verdict) -> None:
    """Open the form while the trigger lasts, 3 seconds; then say in it what it is about, or why it can't be."""
    about = named(delivery.button.value)
    await interaction.received()
    call, user = dispatcher.api.call, delivery.user.id
    try:
        opened = await call("views.open", user, trigger_id=delivery.trigger_id, view=answer_modal(about, verdict))
    except (Unavailable, Unreachable) as error:
        log.warning("no form for %s: %s", user, error)
        await interaction.say(TOO_LATE)
        return
    # From here on they look at the form, so all messages to them are shown in it.
    interaction.place = replace(interaction.place, view_id=str(opened["view"]["id"]))
    person = await dispatcher.who(interaction)
    request, who = await dispatcher.request(about.id, about.run), await dispatcher.engine.principal(person.id)
    if why := why_not_answer(who, request, ProposedAnswer(level=about.level, verdict=verdict, channel=CHANNEL)):
        raise RejectedSender(str(why), person)
    try:
        await call("views.update", user, view_id=interaction.place.view_id, view=answer_modal(about, verdict, request))
    except (Unavailable, Unreachable) as error:  # or they closed it meanwhile
        log.warning("the form of %s stays empty: %s", user, error)
        await interaction.say(TOO_LATE)


async def take_form(dispatcher: Dispatcher, interaction: Interaction, delivery: Submitted) -> Person:
    """Take the form: an answer with its comment."""
    person = await dispatcher.who(interaction)
    about = delivery.metadata
    comment = without_controls(delivery.field(COMMENT))
    if len(comment) > LONGEST_COMMENT:
        raise FieldError(COMMENT, TOO_LONG)
    submitted = submitted_answer(delivery, about, person, about.verdict, comment)
    if not comment:
        request, who = await dispatcher.request(about.id, about.run), await dispatcher.engine.principal(person.id)
        why = why_not_answer(who, request, submitted)
        if why and why.code == ErrorCode.REASON_NEEDED:  # the engine records what can't be corrected
            raise FieldError(COMMENT, str(why))
    answer = await dispatcher.store(interaction, submitted, about.run)
    await dispatcher.submit(interaction, answer)
    return person
