"""Buttons on our messages and on the Home page that act at once: approve, cancel, revoke, give back."""

from datetime import UTC, datetime

from countersign.models import Judgement, Verdict
from countersign.notifications import Person, SubmittedAnswer
from notifiers.engine import Undo
from notifiers.slack.config import CHANNEL
from notifiers.slack.inbound.dispatcher import Dispatcher
from notifiers.slack.inbound.interaction import Interaction
from notifiers.slack.inbound.payload_parts import Metadata
from notifiers.slack.inbound.payloads import Named, Pressed, Submitted, named


async def approve(dispatcher: Dispatcher, interaction: Interaction, delivery: Pressed) -> Person:
    """Store the answer, acknowledge, and have it judged."""
    person = await dispatcher.who(interaction)
    about = named(delivery.button.value)
    submitted = submitted_answer(delivery, about, person, Verdict.APPROVE)
    answer = await dispatcher.store(interaction, submitted, about.run)
    await interaction.received()
    await dispatcher.submit(interaction, answer)
    return person


async def undo(
    dispatcher: Dispatcher, interaction: Interaction, delivery: Pressed, call: Undo[Judgement | None]
) -> Person:
    """Cancel a request, or end its grant early, by this call of the engine: its messages then say so."""
    person = await dispatcher.who(interaction)
    about = named(delivery.button.value)
    await interaction.in_time(dispatcher.request(about.id, about.run), "")
    who = await dispatcher.engine.principal(person.id)
    judgement = await interaction.in_time(call(about.id, who, CHANNEL, undo_id=delivery.source_id), "")
    await (interaction.received() if judgement is None or judgement.accepted else interaction.say(judgement.message))
    return person


def submitted_answer(
    delivery: Pressed | Submitted, about: Named | Metadata, person: Person, verdict: Verdict, comment: str = ""
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
