"""Read bounces: whom a mail did not reach, and which mail that was (RFC 3464, RFC 6533)."""

import re
from contextlib import suppress
from itertools import islice

from countersign.fields import folded_address
from notifiers.email import limits
from notifiers.email.header_values import addresses_anywhere, keyword, without_comments
from notifiers.email.mime.charset import beginning
from notifiers.email.mime.parts import Fields, Part, Unreadable, read_fields
from notifiers.email.token import Ids, in_address, in_message_id

_RETURNED = (
    "message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers",
)  # fmt: skip


def is_report(mail: Part, kind: str) -> bool:
    """Whether a mail is, or holds, a report of this kind."""
    types = (f"message/{kind}", f"message/global-{kind}")
    return any(part.type in types or says_report(part, kind) for part in mail.walk())


def says_report(part: Part, kind: str) -> bool:
    """Whether a part is such a report by what it says of itself (RFC 6522)."""
    return part.type == "multipart/report" and keyword(part.params.get("report-type", "")) == kind


def failed_recipient(mail: Part) -> str:
    """The address that a bounce says can't be reached for good, case-folded, or "".

    If there is a report (RFC 3464), it alone says what failed: warnings of a delay have X-Failed-Recipients as well.
    """
    if is_report(mail, "delivery-status"):
        types = ("message/delivery-status", "message/global-delivery-status")
        reports = islice((part for part in mail.walk() if part.type in types), limits.MOST_REPORTS)
        failed = [block for part in reports for block in _blocks(part) if keyword(block.first("action")) == "failed"]
        named = (_address(block.first(f"{one}-recipient")) for block in failed for one in ("original", "final"))
        return next(filter(None, named), "")
    return _address(mail.fields.first("x-failed-recipients"))  # Exim's


def returned_ids(mail: Part) -> Ids | None:
    """Which mail of ours a bounce returns, by its Message-ID or, where a relay made a new one, by its Reply-To."""
    for part in islice((part for part in mail.walk() if part.type in _RETURNED), limits.MOST_REPORTS):
        with suppress(Unreadable):
            return _ids(read_fields(beginning(part, limits.LARGEST_HEADER_BLOCK).lstrip(b"\r\n")))
    return None


def _ids(fields: Fields) -> Ids | None:
    """The ids in Message-ID or Reply-To, as Amazon SES replaces our Message-ID; two that differ name no mail."""
    replies = fields.all("reply-to")
    tagged = [each for value in replies for each in addresses_anywhere(value[: limits.LONGEST_STRUCTURED])]
    found = [*map(in_message_id, fields.all("message-id")), *map(in_address, tagged)]
    named = {ids for ids in found if ids and ids.token}
    return named.pop() if len(named) == 1 else None


def _blocks(part: Part) -> list[Fields]:
    blocks = []
    pieces = re.split(rb"\r?\n\r?\n", beginning(part, limits.LARGEST_REPORT), maxsplit=limits.MOST_BLOCKS)
    for piece in pieces[: limits.MOST_BLOCKS]:
        with suppress(Unreadable):
            blocks.append(read_fields(piece.strip(b"\r\n")))
    return blocks


def _address(value: str) -> str:
    """The address of `rfc822; <address>` and its like, comments left out."""
    return folded_address(next(iter(addresses_anywhere(without_comments(value))), ""))
