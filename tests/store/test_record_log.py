"""Each row of the audit record is one log line, once it is committed and never before."""

from __future__ import annotations

import logging

import pytest

from countersign.errors import CountersignError
from countersign.transitions import AuditEvent
from engine.credentials.tokens import TokenActions
from store import Store
from store.events import append
from store.tokens import Owner
from tests.store.requests import opened


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name == "record"]


def test_what_happened_is_logged_once_by_who_wrote_it(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    number = opened(store).approval_id
    token = TokenActions(store).create(Owner(kind="person", name="grace"), "operator:root")
    said = lines(caplog)
    assert said[0].startswith(f"#{number} opened, alice: ")
    assert said[1].startswith("token created, operator:root: ")
    assert len(said) == 2
    assert token not in caplog.text
    first = next(one for one in caplog.records if one.name == "record")
    assert first.fields == {"event": "opened", "approval_id": number, "who": "alice", "channel": ""}  # type: ignore[attr-defined]


def test_what_was_rolled_back_is_not_logged(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = opened(store).opened_at
    caplog.clear()
    line = AuditEvent(kind="reminded", at=now, who="countersign", detail="100% of them")

    def fail() -> None:
        with store.database.transaction() as connection:
            append(connection, None, [line])
            raise CountersignError("no")

    with pytest.raises(CountersignError):
        fail()
    assert lines(caplog) == []
    store.events.record(None, line)
    assert lines(caplog) == ["reminded, countersign: 100% of them"]
