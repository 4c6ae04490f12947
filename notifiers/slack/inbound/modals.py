"""The form behind "Approve with comment" and "Reject": opened at once, filled after, and taken when it is sent."""

import logging
from dataclasses import replace

from countersign.error_codes import ErrorCode
from countersign.errors import Refused, Unavailable, Unreachable
from countersign.models import LONGEST_COMMENT, Verdict, without_controls
from countersign.notifications import Person, ProposedAnswer
from countersign.permissions import why_not_answer
from countersign.views import RequestView
from notifiers.slack.client.api import SlackApi
from notifiers.slack.config import CHANNEL
from notifiers.slack.inbound.buttons import submitted_answer
from notifiers.slack.inbound.dispatcher import Dispatcher, FieldError
from notifiers.slack.inbound.interaction import Interaction
from notifiers.slack.inbound.payloads import Named, Pressed, Submitted, named
from notifiers.slack.inbound.people import RejectedSender
from notifiers.slack.outbound.views import answer_modal

COMMENT = "comment"
TOO_LATE = "Slack could not open the form in time. Please press the button again."
TOO_LONG = f"Use at most {LONGEST_COMMENT} characters."

log = logging.getLogger(__name__)


class Modals:
    """Answers with a comment; each method is handled within `Dispatcher.serve`."""

    def __init__(self, dispatcher: Dispatcher, api: SlackApi) -> None:
        self._dispatcher = dispatcher
        self._api = api

    async def open(self, interaction: Interaction, delivery: Pressed, verdict: Verdict) -> None:
        """Open the form while the trigger lasts, 3 seconds; then say in it what it is about, or why it can't be."""
        about = named(delivery.button.value)
        await interaction.received()
        loading = answer_modal(about, verdict)
        try:
            opened = await self._api.call("views.open", delivery.user.id, trigger_id=delivery.trigger_id, view=loading)
        except (Unavailable, Unreachable) as error:
            log.warning("no form for %s: %s", delivery.user.id, error)
            await interaction.say(TOO_LATE)
            return
        # From here on they look at the form, so whatever is said stands in it.
        interaction.place = replace(interaction.place, view_id=str(opened["view"]["id"]))
        person = await self._dispatcher.who(interaction)
        request = await self._dispatcher.request(about.id, about.run)
        if why := await self._why_not(person, request, about, verdict):
            raise RejectedSender(str(why), person)
        view = answer_modal(about, verdict, request)
        try:
            await self._api.call("views.update", delivery.user.id, view_id=interaction.place.view_id, view=view)
        except (Unavailable, Unreachable) as error:  # or they closed it meanwhile
            log.warning("the form of %s stays empty: %s", delivery.user.id, error)
            await interaction.say(TOO_LATE)

    async def answer(self, interaction: Interaction, delivery: Submitted) -> Person:
        """Take the form: an answer with its comment."""
        person = await self._dispatcher.who(interaction)
        form = delivery.metadata
        about = Named(form.id, form.level, form.run)
        comment = without_controls(delivery.field(COMMENT))
        if len(comment) > LONGEST_COMMENT:
            raise FieldError(COMMENT, TOO_LONG)
        if not comment:
            request = await self._dispatcher.request(about.id, about.run)
            why = await self._why_not(person, request, about, form.verdict, comment)
            if why and why.code == ErrorCode.REASON_NEEDED:  # of what can't be mended the engine keeps a record
                raise FieldError(COMMENT, str(why))
        answer = await self._dispatcher.store(
            interaction, submitted_answer(delivery, about, person, form.verdict, comment), about.run
        )
        await self._dispatcher.submit(interaction, answer)
        return person

    async def _why_not(
        self, person: Person, request: RequestView, about: Named, verdict: Verdict, comment: str | None = None
    ) -> Refused | None:
        """Why this answer could not count; `comment` is None before it is written."""
        who = await self._dispatcher.engine.principal(person.id)
        answer = ProposedAnswer(level=about.level, verdict=verdict, channel=CHANNEL, comment=comment)
        return why_not_answer(who, request, answer)
