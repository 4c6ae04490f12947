"""The mail inside an S/MIME wrapper that is signed and not encrypted (RFC 8551, section 3.5.2)."""

from __future__ import annotations

import binascii

from asn1crypto import cms

from notifiers.email import limits
from notifiers.email.mime.parts import Part, read_parts

_CONSTRUCTED = 0x20
TYPES = ("application/pkcs7-mime", "application/x-pkcs7-mime")


def unwrapped(mail: Part) -> Part:
    """What a signed wrapper holds; the mail itself where it is none, or holds what only its key can open.

    Whether the signature is good is not looked at, as with any signature within a mail: DMARC or DKIM vouch for it.
    """
    if mail.type not in TYPES or mail.end - mail.start > limits.LARGEST_TEXT:
        return mail
    try:
        data = _decoded(mail)
        if not _is_simple(data):
            return mail
        wrapper = cms.ContentInfo.load(data)
        if wrapper["content_type"].native != "signed_data":
            return mail
        content = wrapper["content"]["encap_content_info"]["content"].native
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):  # what broken ASN.1 raises
        return mail
    return read_parts(content) if isinstance(content, bytes) else mail


def _is_simple(data: bytes) -> bool:
    """Whether this is one well-formed element of BER (X.690, section 8.1) with not too many within.

    The library walks through all there is in an element of indefinite length, once for each level around it.
    """
    at = 0
    open_ends: list[int | None] = []  # of the elements around; None where the length is indefinite
    for _ in range(limits.MOST_ELEMENTS):
        limit = next((end for end in reversed(open_ends) if end is not None), len(data))
        tag, size, at = _element(data, at)
        if at + (size or 0) > limit or len(open_ends) > limits.DEEPEST_ELEMENT:
            return False
        if (tag, size) == (0, 0) and open_ends and open_ends[-1] is None:
            open_ends.pop()
        elif tag & _CONSTRUCTED:
            open_ends.append(None if size is None else at + size)
        elif size is None:
            return False
        else:
            at += size
        while open_ends and open_ends[-1] == at:
            open_ends.pop()
        if not open_ends:
            return True
    return False


def _element(data: bytes, at: int) -> tuple[int, int | None, int]:
    """The tag of an element, its length or None where that is indefinite, and where its content begins."""
    tag, size = data[at], data[at + 1]
    if tag & 0x1F == 0x1F:
        raise ValueError("no S/MIME has tags of more than a byte")
    if size < 0x80:
        return tag, size, at + 2
    after = at + 2 + (size & 0x7F)
    return tag, int.from_bytes(data[at + 2 : after]) if size & 0x7F else None, after


def _decoded(mail: Part) -> bytes:
    encoding = mail.fields.first("content-transfer-encoding").strip().lower()
    return binascii.a2b_base64(mail.body) if encoding == "base64" else mail.body
