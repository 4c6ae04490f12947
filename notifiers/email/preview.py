"""The text of a mail, for whoever may see its request, without what would let them answer for its recipient."""

import re
import secrets

from countersign.errors import Unreachable
from countersign.notifications import RequestNotification
from countersign.redaction import masked
from notifiers.email.compose import compose
from notifiers.email.config import EmailConfig
from notifiers.email.token import KeyRing

READY_REPLY = re.compile(r"<mailto:[^>]*>")
KEY_BYTES = 32


def preview(config: EmailConfig, notification: RequestNotification) -> str:
    """Subject and text of the mail, or why its person's address can't be written to."""
    # Its tokens are made with a key that nobody has, so that none of them is valid.
    powerless = config.model_copy(update={"keys": KeyRing([("00", secrets.token_bytes(KEY_BYTES))])})
    try:
        mail = compose(notification, powerless)
    except Unreachable as error:
        return str(error)
    text = mail.get_body(("plain",))
    assert text is not None
    shown = READY_REPLY.sub("(a link that writes the reply)", str(text.get_content()))
    return masked(f"Subject: {mail['Subject']}\n\n{shown.strip()}\n")
