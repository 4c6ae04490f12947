"""Every channel has the templates that each event needs."""

from __future__ import annotations

import pytest

from countersign.directory import CHANNELS
from countersign.models import GeneralEvent
from notifiers.templates import FOLDER


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("event", GeneralEvent)
def test_every_channel_can_tell_of_what_is_about_no_request(channel: str, event: GeneralEvent) -> None:
    if event is GeneralEvent.SIGN_IN and channel != "email":
        return  # it is sent to an address that somebody typed, and by no other channel
    needed = {"email": {"title.j2", "headline.j2", "body.j2"}, "slack": {"sentence.j2"}}[channel]
    assert needed <= {path.name for path in (FOLDER / channel / event).iterdir()}
