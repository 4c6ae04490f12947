"""Rule 10: what somebody is told who asks while a grant lasts."""

from datetime import datetime

from countersign.errors import Refused
from countersign.models import GrantStatus, GrantView, Question


def is_yes(grant: GrantView, now: datetime) -> bool:
    """Rule 8: Active, and the end lies ahead; both are checked at every asking."""
    return grant.status is GrantStatus.ACTIVE and grant.ends_at > now


def answer_by(grant: GrantView, granted_minutes: int, question: Question, same_source_address: bool) -> str:
    """Say yes in words, because this grant covers the question; Refused says why it doesn't, and what to do.

    `granted_minutes` is how long the grant was opened for: who repeats a question, whose minutes were enough then, is
    told yes with the end as it is. A question without minutes wants no more than there is.
    """
    number, end = f"#{grant.approval_id}", f"{grant.ends_at:%Y-%m-%d %H:%M} UTC"
    if same_source_address and question.source_address != grant.source_address:
        raise Refused(
            f"The grant of {number} is for another source address; connect from there, or give {number} back and ask "
            "again."
        )
    if question.minutes is not None and question.minutes > granted_minutes:
        raise Refused(
            f"{question.minutes} minutes are more than the {granted_minutes} that {number} was granted for; it lasts "
            f"until {end}. Ask for {granted_minutes} or fewer to use it, or give {number} back and ask again."
        )
    return f"The grant of {number} lasts until {end}."
