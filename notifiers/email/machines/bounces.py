"""Read bounces: whom a mail did not reach, and which mail that was (RFC 3464, RFC 6533)."""

import re
from itertools import chain, islice

from countersign.policy_fields import folded_address
from notifiers.email import limits
from notifiers.email.header_values import addresses_anywhere, keyword, without_comments
from notifiers.email.mime.charset import beginning
from notifiers.email.mime.parts import Fields, Part, Unreadable, read_fields
from notifiers.email.token import Ids, in_address, in_message_id

DELIVERY_STATUS = ("message/delivery-status", "message/global-delivery-status")
_RETURNED = (
    "message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers",
)  # fmt: skip

_ADDRESS = re.compile(r'(?:"(?:[^"\\]|\\.){1,64}"|[^\s<>;,@"]{1,64})@[^\s<>;,@()]{1,255}')


def is_report(mail: Part) -> bool:
    """Whether a mail is, or holds, a report about delivery."""
    return any(part.type in DELIVERY_STATUS or is_report_of("delivery-status", part) for part in mail.walk())


def failed_recipient(mail: Part) -> str:
    """The address that a bounce says can't be reached for good, case-folded, or "".

    Where there is a report (RFC 3464), it alone says what failed: the header stands on warnings of a delay as well.
    """
    if is_report(mail):
        reports = islice((part for part in mail.walk() if part.type in DELIVERY_STATUS), limits.MOST_REPORTS)
        failed = [block for part in reports for block in _blocks(part) if keyword(block.first("action")) == "failed"]
        named = (_address(block.first(f"{one}-recipient")) for block in failed for one in ("original", "final"))
        return next(filter(None, named), "")
    return _address(mail.fields.first("x-failed-recipients"))  # Exim's


def returned_ids(mail: Part) -> Ids | None:
    """Which mail of ours a bounce returns, by its Message-ID or, where a relay made a new one, by its Reply-To."""
    for part in islice((part for part in mail.walk() if part.type in _RETURNED), limits.MOST_REPORTS):
        try:
            return _ids(read_fields(beginning(part, limits.LARGEST_HEADER_BLOCK).lstrip(b"\r\n")))
        except Unreadable:
            continue
    return None


def is_report_of(kind: str, part: Part) -> bool:
    """Whether a part is a report of this kind (RFC 6522)."""
    return part.type == "multipart/report" and keyword(part.params.get("report-type", "")) == kind


def _ids(fields: Fields) -> Ids | None:
    """Amazon SES puts a Message-ID of its own in place of ours; two that differ name no mail."""
    replies = (value[: limits.LONGEST_STRUCTURED] for value in fields.all("reply-to"))
    tagged = map(addresses_anywhere, replies)
    found = [*map(in_message_id, fields.all("message-id")), *map(in_address, chain.from_iterable(tagged))]
    named = {ids for ids in found if ids and ids.token}
    return named.pop() if len(named) == 1 else None


def _blocks(part: Part) -> list[Fields]:
    blocks = []
    pieces = re.split(rb"\r?\n\r?\n", beginning(part, limits.LARGEST_REPORT), maxsplit=limits.MOST_BLOCKS)
    for piece in pieces[: limits.MOST_BLOCKS]:
        try:
            blocks.append(read_fields(piece.strip(b"\r\n")))
        except Unreadable:
            continue
    return blocks


def _address(value: str) -> str:
    """The address of `rfc822; <address>` and its like, comments left out."""
    match = _ADDRESS.search(without_comments(value))
    return folded_address(match[0]) if match else ""
