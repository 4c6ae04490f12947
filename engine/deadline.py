"""The answers that came before the deadline, and whether more may still be unread (rule 5)."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from countersign.transitions import DeadlineCheck, TimelyAnswers
from engine.part import EnginePart
from store import answers, inboxes
from store.database import reads
from store.requests import request_row

# How long the expiry of a request waits for an inbox that workers try to read up to its deadline, but can't.
LONGEST_READING = timedelta(seconds=60)
# The longest that it waits in all, for example if workers run but none of them tries for long.
LONGEST_WAIT = timedelta(minutes=10)


class Deadline(EnginePart):
    """Reads the record before a request expires."""

    @reads
    def timely_answers(self, check: DeadlineCheck) -> TimelyAnswers:
        """The answers that came before the deadline and were not refused, and whether all inboxes were read up to it.

        Those that counted are among them: after a crash the request's workflow may not know them. Raises NotFound
        if the request is not on record.
        """
        with self.database.reading() as connection:
            level = request_row(connection, check.approval_id, check.run).level
            unread = inboxes.inboxes_behind(connection, check.deadline)
            in_time = answers.in_time(connection, check.approval_id, check.deadline)
        complete = check.waited >= LONGEST_WAIT or all(_looked_at_for_long(one, check) for one in unread)
        return TimelyAnswers(answers=in_time, complete=complete, level=level)


def _looked_at_for_long(inbox: Row[Any], check: DeadlineCheck) -> bool:
    """Whether somebody has tried long enough in vain to read an inbox since the deadline.

    Only the time in which a worker tried counts: an answer in time must not be lost because no worker was there.
    """
    if inbox.looked_at is None:
        return False
    began = max(inbox.looking_since, check.deadline, check.looked_at)
    return bool(inbox.looked_at - began >= LONGEST_READING)
