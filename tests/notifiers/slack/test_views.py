"""What the app's Home page says, without a Slack: a request in each of its lists."""

from datetime import UTC, datetime

from countersign.kinds.connection import ConnectionQuestion
from countersign.models import Status
from countersign.views import Mine, RequestView
from notifiers.slack.outbound.views import home_view

NOON = datetime(2024, 5, 14, 12, tzinfo=UTC)


def waiting(**said: int) -> RequestView:
    question = {"requester": "alice", "device": "db-1", "protocol": "ssh"}
    return RequestView(
        approval_id=1042,
        question=ConnectionQuestion.model_validate(question),
        requester_name="Alice Ainsworth",
        because="",
        status=Status.WAITING,
        message="",
        level=1,
        levels=1,
        quorum=1,
        opened_at=NOON,
        deadline=NOON,
        settled_at=None,
        channels={"slack": "decide"},
        **said,
    )


def test_a_grant_of_less_than_a_minute_is_said_in_seconds() -> None:
    page = str(home_view(Mine(waiting=[waiting(grant_minutes=1, grant_seconds=45)]), "grace"))
    assert "45 seconds" in page
    assert "1 minute" not in page


def test_a_portal_of_before_says_minutes() -> None:
    assert "2 hours" in str(home_view(Mine(waiting=[waiting(grant_minutes=120)]), "grace"))
