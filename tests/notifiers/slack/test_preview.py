"""What a page shows of a message: all that its reader sees in Slack, with the names of its buttons."""

from __future__ import annotations

from typing import Any

import pytest

from countersign.models import Event, Status
from countersign.notifications import Person
from notifiers.slack.outbound.preview import preview
from tests.samples import ALICE, GRACE, notification

from .notifications import config


def test_a_prompt_is_shown_with_its_buttons_and_without_markup() -> None:
    said = preview(config(), notification(Event.ASKED, GRACE))
    assert "[Approve]" in said
    assert "[Reject" in said
    assert "request #1042" in said
    for markup in ("<https:", "<!date", "&lt;", "&amp;"):
        assert markup not in said


@pytest.mark.parametrize("event", list(Event))
@pytest.mark.parametrize("to", [GRACE, ALICE])
@pytest.mark.parametrize("status", [Status.WAITING, Status.REJECTED])
def test_each_event_is_shown(event: Event, to: Person, status: Status) -> None:
    changes: dict[str, Any] = {"message": "Not now <b> & never."} if event is not Event.ASKED else {}
    said = preview(config(), notification(event, to, status=status, **changes))
    assert said.strip()
    assert "&lt;" not in said
