"""The side effects of a request on the record: opened, changed, read. Each is one transaction, and idempotent."""

from typing import Protocol

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
    TimelyAnswers,
)


class RequestBook(Protocol):
    """Where requests are written."""

    def open(self, opening: Opening) -> OpenReply:
        """Give a question its number and its route."""

    def people(self, start: LevelStart) -> LevelPeople:
        """Look up the people of a level."""

    def ask_again(self, again: AskAgain) -> None:
        """Record a repeated question."""

    def standing(self, look: Recheck) -> Availability:
        """Look up who may no longer act."""


class AnswerBook(Protocol):
    """Where answers are stored."""

    def last(self, closing: DeadlineCheck) -> TimelyAnswers:
        """Find what came before the deadline."""


class RequestActivities:
    """What the workflows ask of the record. That a request is not on record is a final answer, and no outage."""

    def __init__(self, requests: RequestBook, answers: AnswerBook) -> None:
        self.requests = requests
        self.answers = answers

    @activity.defn(name="open_request")
    def open(self, opening: Opening) -> OpenReply:
        """Open a request, or answer its question by a grant that lasts."""
        with refusals_are_final():
            return self.requests.open(opening)

    @activity.defn(name="people_of_level")
    def people(self, start: LevelStart) -> LevelPeople:
        """The people of a level, as the directory has them now."""
        with refusals_are_final(NotFound):
            return self.requests.people(start)

    @activity.defn(name="record_repeat")
    def ask_again(self, again: AskAgain) -> None:
        """Record that the question was asked again."""
        with refusals_are_final(NotFound):
            self.requests.ask_again(again)

    @activity.defn(name="people_standing")
    def standing(self, look: Recheck) -> Availability:
        """Who of these people may no longer act, or can't be reached."""
        with refusals_are_final(NotFound):
            return self.requests.standing(look)

    @activity.defn(name="last_answers")
    def last(self, closing: DeadlineCheck) -> TimelyAnswers:
        """The answers that came in time and were not judged yet."""
        with refusals_are_final(NotFound):
            return self.answers.last(closing)
