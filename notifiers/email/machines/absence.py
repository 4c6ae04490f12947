"""Whether an automatic reply says that its author is away: by signs free of language first, by its words second."""

from contextlib import suppress

from notifiers.email import limits
from notifiers.email.folding import MACHINES, any_of, loose
from notifiers.email.html import html_text
from notifiers.email.machines.subjects import says_away
from notifiers.email.mime.charset import part_text
from notifiers.email.mime.parts import Part, Unreadable
from notifiers.email.mime.shown import shown_texts
from notifiers.email.own_text import own_lines

_AWAY = any_of(MACHINES["away"])


def is_away(mail: Part) -> bool:
    """Whether an automatic reply says that its author is away."""
    if _marked(mail) or says_away(mail):
        return True
    # The mail of ours that it may quote tells of other people's days off.
    own: list[str] = []
    with suppress(Unreadable):
        shown = shown_texts(mail).ways[0]
        text = html_text(part_text(shown)) if shown.type == "text/html" else part_text(shown)
        own = own_lines(text, limits.MOST_ABSENCE_LINES).lines
    said = loose("\n".join(own)[: limits.LONGEST_ABSENCE])
    return bool(_AWAY.search(said.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")))


def _marked(mail: Part) -> bool:
    """The marks of Sieve (RFC 5230 has a comment in RFC 3834's field), of Zimbra, of `vacation`, and of Exchange."""
    fields = mail.fields
    submitted = " ".join(fields.all("auto-submitted")).lower()
    by_rule = "x-ms-exchange-inbox-rules-loop"  # on what a mailbox's own rules send; out of office is one of them
    return (
        "vacation" in submitted
        or any(map(fields.first, ("x-vacation", "x-away")))
        or "mailbox rules agent" in fields.first("x-ms-exchange-generated-message-source").lower()
        or ("auto-" in submitted and bool(fields.first(by_rule)))
    )
