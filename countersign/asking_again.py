"""Rule 10: what somebody is told who asks while a grant lasts."""

from datetime import datetime

from countersign.errors import Refused
from countersign.models import GrantStatus, GrantView, Question


def is_yes(grant: GrantView, now: datetime) -> bool:
    """Rule 8: Active, and the end lies ahead; both are checked at every asking."""
    return grant.status is GrantStatus.ACTIVE and grant.ends_at > now


def answer_by(grant: GrantView, question: Question, same_source_address: bool, now: datetime) -> str:
    """Say yes in words, because this grant covers the question; Refused says why it doesn't."""
    left = int((grant.ends_at - now).total_seconds() // 60)
    if same_source_address and question.source_address != grant.source_address:
        raise Refused(
            f"The grant of #{grant.approval_id} is for another source address; connect from there, "
            f"or have #{grant.approval_id} revoked and ask again."
        )
    if question.minutes is not None and question.minutes > left:
        raise Refused(
            f"{question.minutes} minutes are more than the {left} left of the grant of #{grant.approval_id}; "
            f"ask for {left} or fewer, or again after {grant.ends_at:%H:%M} UTC."
        )
    return f"The grant of #{grant.approval_id} lasts until {grant.ends_at:%Y-%m-%d %H:%M} UTC."
