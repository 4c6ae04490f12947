"""Rule 10, as a pure function: what a grant that lasts says to a question."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from countersign.asking_again import answer_by, is_yes
from countersign.errors import Refused
from countersign.models import GrantStatus, GrantView, Protocol, Question

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
GRANT = GrantView(
    approval_id=1042,
    status=GrantStatus.ACTIVE,
    starts_at=NOW - timedelta(minutes=30),
    ends_at=NOW + timedelta(minutes=30),
    source_address="10.0.0.7",
)


def question(address: str = "10.0.0.7", minutes: int | None = None) -> Question:
    return Question(requester="alice", device="db-1", protocol=Protocol.SSH, source_address=address, minutes=minutes)


@pytest.mark.parametrize(
    ("status", "left", "yes"),
    [
        (GrantStatus.ACTIVE, timedelta(microseconds=1), True),
        (GrantStatus.ACTIVE, timedelta(0), False),
        (GrantStatus.ACTIVE, timedelta(minutes=-1), False),
        (GrantStatus.ENDED, timedelta(minutes=30), False),
        (GrantStatus.REVOKED, timedelta(minutes=30), False),
    ],
)
def test_rule_8_yes_means_active_and_not_over(status: GrantStatus, left: timedelta, yes: bool) -> None:
    grant = GRANT.model_copy(update={"status": status, "ends_at": NOW + left})
    assert is_yes(grant, NOW) is yes


@pytest.mark.parametrize("minutes", [None, 1, 30])
def test_rule_10_no_more_time_than_is_left_is_a_yes(minutes: int | None) -> None:
    words = answer_by(GRANT, question(minutes=minutes), True, NOW)
    assert words == "The grant of #1042 lasts until 2026-01-05 12:30 UTC."


def test_rule_10_more_time_than_is_left_is_refused() -> None:
    with pytest.raises(Refused, match=r"31 minutes are more than the 30 left of the grant of #1042; ask for 30 or"):
        answer_by(GRANT, question(minutes=31), True, NOW)


def test_rule_10_what_is_left_is_rounded_down() -> None:
    with pytest.raises(Refused, match="more than the 29 left"):
        answer_by(GRANT, question(minutes=30), True, NOW + timedelta(seconds=1))


@pytest.mark.parametrize("address", ["10.0.0.8", ""])
def test_rule_10_another_address_is_refused_unless_that_is_waived(address: str) -> None:
    with pytest.raises(Refused, match="#1042 is for another source address"):
        answer_by(GRANT, question(address), True, NOW)
    assert answer_by(GRANT, question(address), False, NOW)
