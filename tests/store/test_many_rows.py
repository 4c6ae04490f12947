"""Rows that are read many at a time are the same as those that the database gives one by one."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import bindparam, func, insert, select

from store import Store
from store.many_rows import many_rows
from store.tables import answers, notifications

AT = datetime(2026, 3, 29, 0, 59, 59, 123456, UTC)
# Texts that JSON, SQL or Python might read differently from what was written.
ODD = [
    "",
    "it's",
    'a "quote" \\',
    "line\nbreak\ttab",
    "100% :name %s",
    "Größe ß 漢字 \u202e \U0001f600",
    "null",
    "1.0",
    "{}",
]


def test_what_is_read_at_once_is_what_is_read_one_by_one(store: Store) -> None:
    rows = [_answer(n, text) for n, text in enumerate(ODD)]
    query = select(answers, func.coalesce(answers.c.message, "").label("again")).order_by(answers.c.at.desc())
    with store.database.transaction() as connection:
        connection.execute(insert(answers), rows)
        one_by_one = connection.execute(query).all()
        at_once = many_rows(connection, query)
        some = many_rows(connection, query.where(answers.c.level > bindparam("above")).limit(2), {"above": 3})
    assert [tuple(row) for row in at_once] == [tuple(row) for row in one_by_one]
    assert [row.comment for row in at_once] == ODD[::-1]
    assert [row.message for row in some] == [row.again for row in some] == ODD[:-3:-1]
    assert all(row.at.tzinfo is UTC for row in at_once)


def test_nothing_is_no_row(store: Store) -> None:
    with store.database.reading() as connection:
        assert list(many_rows(connection, select(answers))) == []
        assert list(many_rows(connection, select(notifications).limit(0))) == []


def _answer(number: int, text: str) -> dict[str, object]:
    return {
        "id": str(number),
        "channel": "email",
        "source_id": str(number),
        "approval_id": 2**53 - 1,
        "level": number,
        "person": "grace",
        "verdict": "approve",
        "comment": text,
        "proof": {text: [text, None, True, 0.1, {"half of a character": "\ud83d", "none": "\0"}]},
        "at": AT.replace(microsecond=number),
        "state": "accepted",
        "message": text,
        "details": None if number % 2 else {},
    }
