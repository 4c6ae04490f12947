"""What the app's Home page says, without a Slack: a request in each of its lists."""

from datetime import UTC, datetime
from typing import Any

import pytest

from countersign.kinds.connection import ConnectionQuestion
from countersign.models import GrantStatus, GrantView, Status
from countersign.permissions import Principal
from countersign.views import ApproverView, Mine, RequestView
from notifiers.slack.outbound.views import home_view

NOON = datetime(2024, 5, 14, 12, tzinfo=UTC)


def waiting(**said: Any) -> RequestView:
    question = {"requester": "alice", "device": "db-1", "protocol": "ssh"}
    fields: dict[str, Any] = {
        "approval_id": 1042,
        "question": ConnectionQuestion.model_validate(question),
        "requester_name": "Alice Ainsworth",
        "because": "",
        "status": Status.WAITING,
        "message": "",
        "level": 1,
        "levels": 1,
        "quorum": 1,
        "opened_at": NOON,
        "deadline": NOON,
        "settled_at": None,
        "grant_minutes": 60,
        "channels": {"slack": "decide"},
        "approvers": [ApproverView(level=1, person="grace", name="Grace", because="")],
    }
    return RequestView.model_validate(fields | said)


def test_a_grant_of_less_than_a_minute_is_said_in_seconds() -> None:
    page = str(home_view(Mine(waiting=[waiting(grant_minutes=1, grant_seconds=45)]), Principal("grace")))
    assert "45 seconds" in page
    assert "1 minute" not in page


def test_a_list_that_goes_on_leads_to_its_page() -> None:
    eleven = [waiting()] * 11
    page = str(home_view(Mine(waiting=eleven, more=["asked"]), Principal("grace"), "https://access.example.test"))
    assert page.count("Answer by") == 10
    assert "There are more: <https://access.example.test/approvals|show all>." in page
    assert "There are more: <https://access.example.test/requests|show all>." in page
    assert "There is no active grant." in page
    assert "There are more." in str(home_view(Mine(waiting=eleven), Principal("grace")))


def test_a_portal_of_before_says_minutes() -> None:
    assert "2 hours" in str(home_view(Mine(waiting=[waiting(grant_minutes=120)]), Principal("grace")))


@pytest.mark.parametrize(
    ("terms", "buttons", "message"),
    [
        ({}, {"approve", "approve_with_comment", "reject"}, ""),
        ({"confirm": "sign_in_again"}, {"reject"}, "In Slack this can only be rejected"),
        ({"channels": {}}, set(), "In Slack this can't be decided"),
        ({"channels": {"slack": "link_only"}}, set(), "In Slack this can't be decided"),
    ],
)
def test_what_waits_has_the_buttons_for_what_its_policy_lets_people_do_in_slack(
    terms: dict[str, object], buttons: set[str], message: str
) -> None:
    page = home_view(Mine(waiting=[waiting(**terms)]), Principal("grace"))
    assert actions_of(page) == buttons
    assert message in str(page)


def test_what_was_asked_is_cancelled_and_a_grant_revoked_by_who_may() -> None:
    grant = GrantView(approval_id=1042, status=GrantStatus.ACTIVE, starts_at=NOON, ends_at=NOON)
    mine = Mine(asked=[waiting()], active=[waiting(approval_id=1041, status=Status.APPROVED, grant=grant)])
    may = {"alice": {"cancel", "give_back"}, "ada": {"cancel", "revoke"}, "grace": {"revoke"}, "gone": set()}
    for name, actions in may.items():
        assert actions_of(home_view(mine, Principal(name, enabled=name != "gone", admin=name == "ada"))) == actions


def actions_of(page: dict[str, Any]) -> set[str]:
    """What the buttons on a page do."""
    return {each["action_id"] for block in page["blocks"] for each in block.get("elements", ()) if "action_id" in each}
