"""Rule 10, as a pure function: how a grant that lasts answers a question."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countersign.error_codes import ErrorCode
from countersign.errors import Refused
from countersign.grant_reuse import address_asked_for, answer_by, answer_by_any, is_for, is_yes
from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
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
        requester="alice", device="db-1", protocol=ConnectionProtocol.SSH, source_address=address, minutes=minutes
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


def test_a_grant_that_was_asked_for_without_an_address_is_refused_with_the_remedy() -> None:
    unnamed = GRANT.model_copy(update={"source_address": ""})
    with pytest.raises(Refused) as error:
        answer_by(unnamed, HOUR, question())
    assert str(error.value) == (
        "#1042 was asked for without a source address, so gates that see an address refuse its grant; give #1042 back "
        "and ask again."
    )
    assert error.value.code == ErrorCode.OTHER_SOURCE_ADDRESS
    assert answer_by(unnamed, HOUR, question(""))


@pytest.mark.parametrize("address", ["::ffff:10.0.0.7", "::ffff:a00:7", "0:0:0:0:0:FFFF:10.0.0.7"])
def test_rule_10_an_ipv4_address_mapped_into_ipv6_is_that_address(address: str) -> None:
    assert answer_by(GRANT, HOUR, question(address))
    as_it_was_stored_before = GrantView.model_validate(GRANT.model_dump() | {"source_address": address})
    assert answer_by(as_it_was_stored_before, HOUR, question("10.0.0.7"))


ADDRESSES = ("", "10.0.0.7", "10.0.0.8", "2001:db8::7")
lasting_grants = st.lists(
    st.builds(
        lambda number, address, ends, granted, same: (
            GRANT.model_copy(
                update={
                    "approval_id": number,
                    "source_address": address,
                    "ends_at": NOW + timedelta(minutes=ends),
                    "same_source_address": same,
                }
            ),
            timedelta(minutes=granted),
        ),
        st.integers(1, 9),
        st.sampled_from(ADDRESSES),
        st.integers(1, 200),
        st.integers(1, 120),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
)


@given(lasting_grants, st.sampled_from(ADDRESSES), st.none() | st.integers(1, 120))
@settings(deadline=None)
def test_of_several_grants_the_one_that_covers_the_question_and_ends_last_answers_it(
    lasting: list[tuple[GrantView, timedelta]], address: str, minutes: int | None
) -> None:
    wanted = timedelta(minutes=minutes or 0)
    fitting = [one for one, granted in lasting if is_for(one, address)]
    covering = [one for one, granted in lasting if is_for(one, address) and granted >= wanted]
    if not covering:
        with pytest.raises(Refused) as refusal:
            answer_by_any(lasting, question(address, minutes))
        assert refusal.value.code == (ErrorCode.MORE_THAN_GRANTED if fitting else ErrorCode.OTHER_SOURCE_ADDRESS)
        return
    grant, message = answer_by_any(lasting, question(address, minutes))
    assert grant in covering
    assert grant.ends_at == max(one.ends_at for one in covering)
    assert f"#{grant.approval_id}" in message


def test_a_renewal_that_names_no_address_is_about_that_of_its_request() -> None:
    renewal = question("").model_copy(update={"renew": True})
    assert address_asked_for(renewal, "10.0.0.7") == "10.0.0.7"
    assert address_asked_for(renewal.model_copy(update={"source_address": "10.0.0.8"}), "10.0.0.7") == "10.0.0.8"
    assert address_asked_for(question(""), "10.0.0.7") == ""
