"""What a page offers the reader of a request, and the level that their answer is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
from countersign.models import Decision, Status, Verdict
from countersign.permissions import Principal
from countersign.views import ApproverView, RequestView
from portal.pages.cards import Card

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LEVELS = [(1, "grace"), (2, "grace"), (2, "ivan"), (3, "heidi")]


def approval(level: int, person: str, lapsed: bool = False) -> Decision:
    return Decision(
        answer_id=f"{level}{person}",
        level=level,
        person=person,
        verdict=Verdict.APPROVE,
        channel="email",
        at=NOW,
        lapsed=lapsed,
    )


def card(reader: str, level: int, decisions: list[Decision], **terms: object) -> Card:
    fields: dict[str, object] = {
        "approval_id": 1042,
        "question": ConnectionQuestion(requester="alice", device="web-1", protocol=ConnectionProtocol.SSH),
        "requester_name": "Alice",
        "because": "",
        "status": Status.WAITING,
        "message": "",
        "level": level,
        "levels": 3,
        "quorum": 1,
        "opened_at": NOW,
        "deadline": NOW + timedelta(hours=1),
        "settled_at": None,
        "grant_minutes": 60,
        "approvers": [ApproverView(level=n, person=one, name=one, because="") for n, one in LEVELS if n <= level],
        "decisions": decisions,
    }
    return Card(RequestView.model_validate(fields | terms), Principal(reader))


ASK = "ask the requester about"


@pytest.mark.parametrize(
    ("reader", "level", "decisions", "may", "about"),
    [
        ("grace", 1, [], {"approve", "reject", ASK}, 1),
        ("grace", 1, [approval(1, "grace")], {"reject", ASK}, 1),
        # They take back their approval of the level that they approved, not of one where they said nothing.
        ("grace", 3, [approval(1, "grace"), approval(2, "ivan")], {"reject", ASK}, 1),
        ("ivan", 3, [approval(1, "grace"), approval(2, "ivan")], {"reject", ASK}, 2),
        # An approval that no longer counts may be taken back as any other.
        ("ivan", 3, [approval(1, "grace"), approval(2, "ivan", lapsed=True)], {"reject", ASK}, 2),
        ("ivan", 3, [approval(1, "grace"), approval(2, "grace")], {ASK}, 3),
        ("alice", 1, [], {"cancel", "comment on"}, 1),
    ],
)
def test_what_the_reader_may_do(reader: str, level: int, decisions: list[Decision], may: set[str], about: int) -> None:
    shown = card(reader, level, decisions)
    assert shown.may == may
    assert shown.level_to_answer == about


def test_the_page_offers_what_it_has_them_prove_or_write_first() -> None:
    assert {"approve", "reject"} <= card("grace", 1, [], confirm="sign_in_again", rejection_needs_reason=True).may
