"""What a page shows of a mail: its text, without anything that could be used to answer for its recipient."""

from __future__ import annotations

import pytest

from countersign.models import Event
from countersign.redaction import SECRET
from notifiers.email.compose import compose, ids_of
from notifiers.email.preview import preview
from tests.samples import GRACE, notification

from .notifications import MAILED, config

CONFIG = config()


@pytest.mark.parametrize("event", MAILED)
def test_it_says_what_the_mail_says_and_holds_no_token(event: Event) -> None:
    one = notification(event, GRACE, message="Because.")
    mail, shown = compose(one, CONFIG), preview(CONFIG, one)
    body = mail.get_body(("plain",))
    assert body is not None
    assert shown.startswith(f"Subject: {mail['Subject']}\n\n{body.get_content()[:20]}")
    assert "mailto:" not in shown
    token = ids_of(one, CONFIG).token
    assert not token or token not in shown
    assert not SECRET.search(shown)


def test_an_address_that_nobody_can_write_to_is_said() -> None:
    one = notification(Event.ASKED, GRACE.model_copy(update={"email": ""}))
    assert "is not an email address" in preview(CONFIG, one)
