"""Rule 10, as a pure function: what a grant that lasts says to a question."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from countersign.errors import Refused
from countersign.grant_reuse import answer_by, is_yes
from countersign.kinds.connection import ConnectionQuestion, Protocol
from countersign.models import GrantStatus, GrantView

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
GRANT = GrantView(
    approval_id=1042,
    status=GrantStatus.ACTIVE,
    starts_at=NOW - timedelta(minutes=30),
    ends_at=NOW + timedelta(minutes=30),
    source_address="10.0.0.7",
)
HOUR = timedelta(hours=1)


def question(address: str = "10.0.0.7", minutes: int | None = None) -> ConnectionQuestion:
    return ConnectionQuestion(
        requester="alice", device="db-1", protocol=Protocol.SSH, source_address=address, minutes=minutes
    )


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


@pytest.mark.parametrize("minutes", [None, 1, 31, 60])
def test_rule_10_no_more_minutes_than_were_granted_is_a_yes_with_the_end_as_it_is(minutes: int | None) -> None:
    message = answer_by(GRANT, HOUR, question(minutes=minutes))
    assert message == "The grant of #1042 lasts until Mon 5 Jan 2026, 12:30 UTC."


def test_rule_10_more_minutes_than_were_granted_is_refused_in_words_that_lead_somewhere() -> None:
    with pytest.raises(Refused) as error:
        answer_by(GRANT, HOUR, question(minutes=61))
    assert str(error.value) == (
        "61 minutes are more than the 1 hour that #1042 was granted for; it lasts until Mon 5 Jan 2026, 12:30 UTC. "
        "Ask for no more than that to use it, or give #1042 back and ask again."
    )


@pytest.mark.parametrize("address", ["10.0.0.8", "", "::ffff:10.0.0.8", "2001:db8::7"])
def test_rule_10_another_address_is_refused_unless_that_is_waived(address: str) -> None:
    with pytest.raises(Refused, match="#1042 is for another source address"):
        answer_by(GRANT, HOUR, question(address))
    waived = GRANT.model_copy(update={"same_source_address": False})
    assert answer_by(waived, HOUR, question(address))


@pytest.mark.parametrize("address", ["::ffff:10.0.0.7", "::ffff:a00:7", "0:0:0:0:0:FFFF:10.0.0.7"])
def test_rule_10_an_ipv4_address_mapped_into_ipv6_is_that_address(address: str) -> None:
    assert answer_by(GRANT, HOUR, question(address))
    as_it_was_stored_before = GrantView.model_validate(GRANT.model_dump() | {"source_address": address})
    assert answer_by(as_it_was_stored_before, HOUR, question("10.0.0.7"))
