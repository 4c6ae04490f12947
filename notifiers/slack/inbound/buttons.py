"""Buttons on our messages and on the Home page: approve, cancel, revoke, give back."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from countersign.models import Verdict
from countersign.notifications import Person, SubmittedAnswer
from notifiers.slack.config import CHANNEL
from notifiers.slack.inbound.dispatcher import Dispatcher
from notifiers.slack.inbound.interaction import Interaction
from notifiers.slack.inbound.payloads import Named, Pressed, Submitted, named


class Buttons:
    """One method for each button that acts at once; each is handled within `Dispatcher.serve`."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    async def approve(self, interaction: Interaction, delivery: Pressed) -> Person:
        """Store the answer, acknowledge, and have it judged."""
        person = await self._dispatcher.who(interaction)
        about = named(delivery.button.value)
        submitted = submitted_answer(delivery, about, person, Verdict.APPROVE)
        answer = await self._dispatcher.store(interaction, submitted, about.run)
        await interaction.received()
        await self._dispatcher.submit(interaction, answer)
        return person

    async def cancel(self, interaction: Interaction, delivery: Pressed) -> Person:
        """Cancel a request: its status message then says so."""
        person = await self._dispatcher.who(interaction)
        number = await self._number(interaction, delivery)
        engine = self._dispatcher.engine
        who = await engine.principal(person.id)
        judgement = await interaction.in_time(engine.cancel(number, who, CHANNEL, undo_id=delivery.source_id), "")
        await (interaction.received() if judgement.accepted else interaction.say(judgement.message))
        return person

    async def revoke(self, interaction: Interaction, delivery: Pressed) -> Person:
        """End a grant early: its messages then say so."""
        return await self._end(self._dispatcher.engine.revoke, interaction, delivery)

    async def give_back(self, interaction: Interaction, delivery: Pressed) -> Person:
        """End a grant of one's own that is needed no longer: its messages then say so."""
        return await self._end(self._dispatcher.engine.give_back, interaction, delivery)

    async def _end(
        self, end: Callable[..., Coroutine[Any, Any, None]], interaction: Interaction, delivery: Pressed
    ) -> Person:
        person = await self._dispatcher.who(interaction)
        number = await self._number(interaction, delivery)
        who = await self._dispatcher.engine.principal(person.id)
        await interaction.in_time(end(number, who, CHANNEL, undo_id=delivery.source_id), "")
        await interaction.received()
        return person

    async def _number(self, interaction: Interaction, delivery: Pressed) -> int:
        """The number of the button's request. Raises RejectedSender where that is another request's now."""
        about = named(delivery.button.value)
        await interaction.in_time(self._dispatcher.request(about.id, about.run), "")
        return about.id


def submitted_answer(
    delivery: Pressed | Submitted, about: Named, person: Person, verdict: Verdict, comment: str = ""
) -> SubmittedAnswer:
    """The answer, with the proof of whose it is. The same delivery always has the same source id."""
    sender = delivery.sender
    return SubmittedAnswer(
        channel=CHANNEL,
        source_id=delivery.source_id,
        approval_id=about.id,
        level=about.level,
        person=person.id,
        verdict=verdict,
        comment=comment,
        at=datetime.now(UTC),
        proof={"user": sender.user, "team": sender.team, "app": sender.app},
    )
