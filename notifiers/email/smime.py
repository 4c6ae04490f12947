"""The mail inside an S/MIME wrapper that is signed and not encrypted (RFC 8551, section 3.5.2)."""

from __future__ import annotations

import binascii

from asn1crypto import cms

from notifiers.email import caps
from notifiers.email.parts import Part, read_parts

TYPES = ("application/pkcs7-mime", "application/x-pkcs7-mime")


def unwrapped(mail: Part) -> Part:
    """What a signed wrapper holds; the mail itself where it is none, or holds what only its key can open.

    Whether the signature is good is not looked at, as with any signature within a mail: DMARC or DKIM vouch for it.
    """
    if mail.type not in TYPES or mail.end - mail.start > caps.LARGEST_TEXT:
        return mail
    try:
        wrapper = cms.ContentInfo.load(_decoded(mail))
        if wrapper["content_type"].native != "signed_data":
            return mail
        content = wrapper["content"]["encap_content_info"]["content"].native
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):  # what broken ASN.1 raises
        return mail
    return read_parts(content) if isinstance(content, bytes) else mail


def _decoded(mail: Part) -> bytes:
    encoding = mail.fields.first("content-transfer-encoding").strip().lower()
    return binascii.a2b_base64(mail.body) if encoding == "base64" else mail.body
