"""What the workflow of a request reads from the record and writes to it. To run one twice changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.errors import refusals_are_final
from countersign.errors import NotFound
from countersign.models import LevelPeople
from countersign.transitions import (
    AskAgain,
    Availability,
    DeadlineCheck,
    LevelStart,
    Opening,
    OpenReply,
    Recheck,
    Settled,
    TimelyAnswers,
)

if TYPE_CHECKING:  # workflows import this module, and are to be loaded without a database
    from engine.engine import Engine


class RequestActivities:
    """What the workflows read and record. That a request is not on record is a final answer, and no outage."""

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
