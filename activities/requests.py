"""What the workflows of requests and grants read from the record and write to it. Running one twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from countersign.errors import CountersignError, NotFound, Refused, TooMany
from countersign.models import LevelPeople
from countersign.transitions import (
    AskAgain,
    Availability,
    DeadlineCheck,
    GrantEnd,
    LevelStart,
    Opening,
    OpenReply,
    Recheck,
    Settled,
    TimelyAnswers,
    Transition,
    TransitionResult,
)

if TYPE_CHECKING:  # workflows import this module, and must load without a database
    from engine.engine import Engine

REFUSALS = (Refused, NotFound, TooMany)


@contextmanager
def refusals_are_final(*kinds: type[CountersignError]) -> Iterator[None]:
    """Turn a refusal, of these kinds if any are named, into an ApplicationError that is never retried."""
    kinds = kinds or REFUSALS
    try:
        yield
    except kinds as error:
        raise ApplicationError(
            str(error),
            error.details,
            type=type(error).__name__,
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN,
        ) from None


class RequestActivities:
    """What the workflows read and record. A request that is not on record is a final refusal, not an outage."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @activity.defn(name="open_request")
    async def open(self, opening: Opening) -> OpenReply:
        """Open a request, or answer its question by a grant that lasts."""
        with refusals_are_final():
            return await self.engine.run(self.engine.opener.open, opening)

    @activity.defn(name="people_of_level")
    async def people(self, start: LevelStart) -> LevelPeople:
        """The people of a level, as the directory has them now."""
        with refusals_are_final(NotFound):
            return await self.engine.run(self.engine.people.of_level, start)

    @activity.defn(name="record_repeat")
    async def ask_again(self, again: AskAgain) -> Settled | None:
        """Record that the question was asked again."""
        with refusals_are_final(NotFound):
            return await self.engine.run(self.engine.asking.ask_again, again)

    @activity.defn(name="people_standing")
    async def availability(self, recheck: Recheck) -> Availability:
        """Who of these people may no longer act, or can't be reached."""
        with refusals_are_final(NotFound):
            return await self.engine.run(self.engine.people.recheck, recheck)

    @activity.defn(name="last_answers")
    async def timely_answers(self, check: DeadlineCheck) -> TimelyAnswers:
        """The answers that came in time and were not judged yet."""
        with refusals_are_final(NotFound):
            return await self.engine.run(self.engine.deadline.timely_answers, check)

    @activity.defn(name="take_step")
    async def carry_out(self, transition: Transition) -> TransitionResult:
        """Write one change of a request, start its grant if it opened one, and tell those whom it concerns."""
        with refusals_are_final(NotFound):
            written = await self.engine.run(self.engine.transitions.write, transition)
        return await self.engine.carry_out(transition, written)

    @activity.defn(name="end_grant")
    async def end_grant(self, end: GrantEnd) -> None:
        """End or revoke a grant, and tell those whom it concerns."""
        await self.engine.end_grant(end)
