"""People who were asked, and told as far as we know, and never answered: what `doctor` warns of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, update

from store import Store
from store.tables import answers, approvers, notifications, requests
from store.unanswered import Unanswered, unanswered
from tests.store.requests import opened

NOW = datetime.now(UTC)
EARLIER = NOW - timedelta(hours=2)


def asked(store: Store, device: str, *people: str, at: datetime = EARLIER, state: str = "sent") -> int:
    """A waiting request about which these people were mailed."""
    number = opened(store, device=device).approval_id
    with store.database.transaction() as connection:
        for person in people:
            seat = {"approval_id": number, "level": 1, "person": person, "because": "x", "availability": ""}
            connection.execute(insert(approvers).values(seat))
            connection.execute(
                insert(notifications).values(
                    id=f"{number}.1.asked.{person}.email",
                    approval_id=number,
                    event="asked",
                    level=1,
                    person=person,
                    channel="email",
                    message="",
                    in_reply_to="",
                    state=state,
                    reference="",
                    written_at=at,
                    tries=1,
                    retry_at=at,
                )
            )
    return number


def found(store: Store) -> list[Unanswered]:
    return unanswered(store.database, NOW - timedelta(hours=1))


def test_who_was_told_and_never_answered_is_found(store: Store) -> None:
    asked(store, "web-1", "grace", "heidi")
    number = asked(store, "web-2", "grace", "heidi", "ivan", "judy")
    with store.database.transaction() as connection:
        connection.execute(
            insert(answers).values(
                id="a", channel="slack", source_id="s", approval_id=number, level=1, person="heidi", verdict="approve",
                comment="", proof={}, at=NOW, state="accepted", message="",
            )
        )  # fmt: skip
        away = update(approvers).where(approvers.c.person == "ivan").values(availability="unreachable")
        connection.execute(away)
    assert found(store) == [Unanswered("grace", "email", 2), Unanswered("judy", "email", 1)]


def test_who_was_not_needed_not_told_or_just_asked_is_not(store: Store) -> None:
    settled = asked(store, "web-1", "grace")
    asked(store, "web-2", "heidi", state="waiting")
    asked(store, "web-3", "ivan", at=NOW)
    with store.database.transaction() as connection:
        connection.execute(update(requests).where(requests.c.approval_id == settled).values(status="Approved"))
    assert found(store) == []
