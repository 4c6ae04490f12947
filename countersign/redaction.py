"""Hides what is secret in the record from whoever reads lists, timelines and logs."""

import re

from countersign.views import AuditEventView

# The token of a mail, wherever it appears; whatever is between the plus and the at sign of an address; and the
# credentials of callers of the API: tokens, the secrets of service tokens, and provisioning keys.
SECRET = re.compile(
    r"(?<![a-z0-9])[a-z0-9]{2}[a-z2-7]{26}(?![a-z0-9])|(?<=\+)[^@\s<>\"]+(?=@)"
    r"|cs_(?:[0-9a-f]{12}|service|provisioning_k[0-9a-f]{12})_[0-9a-f]+",
    re.I,
)


def masked(text: str) -> str:
    """The text without tokens: with one, somebody could try to answer in an approver's place."""
    return SECRET.sub("…", text)


def redacted_event(event: AuditEventView) -> AuditEventView:
    """A row of the record as it may be shown."""
    proof = {name: masked(value) for name, value in event.proof.items()}
    return event.model_copy(update={"detail": masked(event.detail), "proof": proof})
