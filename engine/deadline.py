"""At the deadline: what came in time, and whether there may be more (rule 5)."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from countersign.transitions import DeadlineCheck, TimelyAnswers
from store import Store, answers, mails
from store.database import reads
from store.requests import request_row

# How long the expiry of a request waits for a mailbox that can't be read up to its deadline, while it is looked at...
LONGEST_READING = timedelta(seconds=60)
# ... and at most, where workers are there, but none of them looks at the mailbox for long.
LONGEST_WAIT = timedelta(minutes=10)


class Deadline:
    """What is asked of the record before a request expires."""

    def __init__(self, store: Store) -> None:
        self.database = store.database

    @reads
    def timely_answers(self, closing: DeadlineCheck) -> TimelyAnswers:
        """What came before the deadline and was not refused, and whether the mailboxes were read up to it.

        What counted is among it: after a crash the request's workflow may know of it no more. Raises NotFound where
        the request is not on record.
        """
        with self.database.reading() as connection:
            level = request_row(connection, closing.approval_id, closing.run).level
            unread = mails.mailboxes_behind(connection, closing.deadline)
            in_time = answers.in_time(connection, closing.approval_id, closing.deadline)
        complete = closing.waited >= LONGEST_WAIT or all(_looked_at_for_long(one, closing) for one in unread)
        return TimelyAnswers(answers=in_time, complete=complete, level=level)


def _looked_at_for_long(mailbox: Row[Any], closing: DeadlineCheck) -> bool:
    """Whether watchers have looked at a mailbox in vain for long enough since the deadline.

    Only the time counts in which somebody looked: what came in time must not be missed because no worker was there.
    """
    if mailbox.looked_at is None:
        return False
    began = max(mailbox.looking_since, closing.deadline, closing.looked_at)
    return bool(mailbox.looked_at - began >= LONGEST_READING)
