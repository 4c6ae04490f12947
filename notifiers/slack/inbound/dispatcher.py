"""Takes each delivery once, from somebody we know; refuses others with the reason, and puts that on record."""

import hashlib
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from countersign.errors import CountersignError, Delayed, NotAllowed, NotFound, Refused, TooMany, Unavailable
from countersign.models import Answer
from countersign.notifications import Person, RejectedInput, SubmittedAnswer
from countersign.rates import PerHour
from countersign.views import RequestView
from notifiers.engine import Engine
from notifiers.slack.client.api import SlackApi
from notifiers.slack.client.log_redaction import masked
from notifiers.slack.config import CHANNEL
from notifiers.slack.inbound.deliveries import Deliveries
from notifiers.slack.inbound.home import Home
from notifiers.slack.inbound.interaction import Interaction
from notifiers.slack.inbound.payload_parts import Malformed, Sender, short_run
from notifiers.slack.inbound.payloads import Delivery, Pressed, Submitted, approval_id_of
from notifiers.slack.inbound.people import RejectedSender, SlackPeople, why_not_ours

NOT_RECORDED = "Your answer was not recorded: {why}. Please try again."
NOT_DONE = "{why}. Please try again."
# Slack's own clients send nothing that can't be read, so whoever sends it is told a few times an hour only.
CANT_READ_TOLD_AT_MOST = 5
INTERNAL = "Something in Countersign failed; its log has the details"
CANT_READ = "This can't be read, so it changes nothing. Use the newest message, or the page."
OTHER_REQUEST = (
    "This is about an earlier request that had the number #{number}, so it changes nothing. "
    "Use the newest message about #{number}, or the page."
)
KEPT = (
    "Your answer to #{number} is kept. It will count as soon as Countersign can reach its engine again; "
    "there is nothing more to do."
)

log = logging.getLogger(__name__)
T = TypeVar("T")
Handler = Callable[[Interaction], Awaitable[Person | None]]


class FieldError(Exception):
    """A field of a form has to be corrected before it can be taken."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class NotStored(Exception):
    """An answer was lost, and its sender has to know."""


class Dispatcher:
    """Identifies who sent a delivery, has it handled, and tells them how that ended."""

    def __init__(self, engine: Engine, people: SlackPeople, api: SlackApi, home: Home) -> None:
        self.engine = engine
        self.people = people
        self.api = api
        self.home = home
        self._deliveries = Deliveries()
        self._told = PerHour(CANT_READ_TOLD_AT_MOST)

    async def serve(self, interaction: Interaction, handle: Handler) -> None:
        """Handle a delivery unless it was taken before; whatever fails, its sender is told and nothing counts.

        `handle` returns the person whose Home page may have changed by it.
        """
        key = source_id(interaction.delivery)
        if key and (first := self._deliveries.take(key, interaction.acknowledged)):
            await interaction.same_as(first)
            return
        try:
            person = await handle(interaction)
        except Exception as error:
            if not _is_final(error):
                self._deliveries.forget(key)
            await self._excuse(interaction, error)
            return
        if person:
            await self._refresh(interaction.place.user, person)

    async def who(self, interaction: Interaction) -> Person:
        """The person who sent this. Raises RejectedSender, with the message for them, and Unavailable."""
        delivery = interaction.delivery
        sender = delivery.sender
        author = delivery.author if isinstance(delivery, Pressed | Submitted) else None
        if why := await why_not_ours(self.api, sender, author):
            raise RejectedSender(why)
        interaction.person = await self.people.identify(sender.user)
        return interaction.person

    async def request(self, number: int, run: str) -> RequestView:
        """The request that a button or form is about; `run` is the short form of its run.

        Raises NotFound, Unavailable, and RejectedSender if its number is another request's now, as after a backup was
        restored.
        """
        request = await self.engine.request(number)
        if short_run(request.token_run) != run:
            raise RejectedSender(OTHER_REQUEST.format(number=number))
        return request

    async def store(self, interaction: Interaction, submitted: SubmittedAnswer, run: str) -> Answer:
        """Store an answer, first of all. Raises RejectedSender, Refused, NotFound, and NotStored for all else."""
        try:
            with suppress(NotFound):  # an answer to no request is refused on record
                await self.request(submitted.approval_id, run)
            return await self.engine.store_answer(submitted)
        except (RejectedSender, Refused, NotFound):
            raise
        except CountersignError as error:
            raise NotStored(NOT_RECORDED.format(why=_bare(error))) from error
        except Exception as error:
            log.exception("what %s answered could not be stored", interaction.place.user)
            raise NotStored(NOT_RECORDED.format(why=INTERNAL)) from error

    async def submit(self, interaction: Interaction, answer: Answer) -> None:
        """Submit a stored answer to its request, and tell its sender the outcome. Whatever fails, nothing is lost."""
        kept = KEPT.format(number=answer.approval_id)
        try:
            judgement = await interaction.in_time(self.engine.submit(answer), kept)
        except Unavailable as error:
            log.warning("answer %s waits: %s", answer.id, error)
            await interaction.say(kept)
            return
        except Exception:
            log.exception("answer %s waits", answer.id)
            await interaction.say(kept)
            return
        await (interaction.done("Your answer counted.") if judgement.accepted else interaction.say(judgement.message))

    async def record_rejected(
        self, delivery: Delivery | None, reason: str, sender: Sender | None, person: Person | None
    ) -> None:
        """Record that something was refused; if the record can't be written now, log it."""
        who = person.id if person else f"slack:{sender.user}" if sender else "slack"
        proof = {"user": sender.user, "team": sender.user_team, "app": sender.app} if sender else {}
        refused = RejectedInput(
            channel=CHANNEL,
            source_id=source_id(delivery) if delivery else "",
            approval_id=approval_id_of(delivery),
            who=who,
            person=person,
            reason=reason,
            proof=proof,
        )
        try:
            await self.engine.record_rejected(refused)
        except Exception as error:
            log.error("this could not be recorded (%s): %s: %s", type(error).__name__, who, reason)

    def may_tell_unreadable(self, user: str) -> bool:
        """Whether to tell a Slack user that what they sent can't be read: seldom, however much they send."""
        if self._told.seconds_left(user):
            return False
        self._told.count(user)
        return True

    async def _refresh(self, user: str, person: Person) -> None:
        try:
            await self.home.show(user, person)
        except Exception:
            log.exception("the Home page of %s is not up to date", user)

    async def _excuse(self, interaction: Interaction, error: Exception) -> None:
        match error:
            case RejectedSender():
                await self._refuse(interaction, str(error), error.person)
            case NotAllowed():
                await self._refuse(interaction, str(error))
            case Malformed():
                await self._refuse_unreadable(interaction)
            case FieldError():
                await interaction.mend(error.field, str(error))
            case Delayed() | TooMany():  # these say themselves what there is to do, and when
                await interaction.say(str(error))
            case Unavailable():
                log.warning("%s: %s", interaction.place.user, masked(str(error)))
                await interaction.say(NOT_DONE.format(why=_bare(error)))
            case NotStored() | CountersignError():
                await interaction.say(str(error))
            case _:
                log.error("what %s sent could not be handled", interaction.place.user, exc_info=error)
                await interaction.say(NOT_DONE.format(why=INTERNAL))

    async def _refuse_unreadable(self, interaction: Interaction) -> None:
        if self.may_tell_unreadable(interaction.place.user):
            await self._refuse(interaction, CANT_READ)
        else:
            await self.record_rejected(interaction.delivery, CANT_READ, interaction.delivery.sender, interaction.person)
            await interaction.received()

    async def _refuse(self, interaction: Interaction, reason: str, person: Person | None = None) -> None:
        delivery = interaction.delivery
        await self.record_rejected(delivery, reason, delivery.sender, person or interaction.person)
        await interaction.say(reason)


def source_id(delivery: Delivery) -> str:
    """The same for each delivery of one click, form or command; "" for what may come again any number of times."""
    if isinstance(delivery, Pressed | Submitted):
        return delivery.source_id
    trigger = getattr(delivery, "trigger_id", "")
    return f"trigger:{hashlib.sha256(trigger.encode()).hexdigest()[:32]}" if trigger else ""


def _is_final(error: Exception) -> bool:
    """Whether the same delivery would end the same way again. False for a form with a wrong field, and for outages."""
    return isinstance(error, CountersignError | Malformed) and not isinstance(error, Unavailable)


def _bare(error: CountersignError) -> str:
    return str(error).rstrip(".").removesuffix("; try again")
