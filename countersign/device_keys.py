"""The public key that identifies a device: read from base64, and always spelled alike."""

import base64
import binascii
import hashlib
from typing import Annotated, Literal

from pydantic import Field

KeyType = Literal["x25519", "ed25519", "p256"]
# Bytes of a public key: RFC 7748, RFC 8032, and an uncompressed point of SEC 1, 2.3.3, which begins with 4.
LENGTHS = {"x25519": 32, "ed25519": 32, "p256": 65}
UNCOMPRESSED = 4
# RFC 7748, section 5: this bit of the last byte is ignored, so one key could be written in two ways.
UNUSED_BIT = 0x80
LONGEST_KEY = 120
KeyText = Annotated[str, Field(max_length=LONGEST_KEY)]


def canonical_key(text: str, key_type: KeyType) -> str:
    """The key in base64 (RFC 4648, section 4); ValueError says what to send instead."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64; send the raw public key, as `wg pubkey` prints it") from None
    if len(key) != LENGTHS[key_type] or (key_type == "p256" and key[0] != UNCOMPRESSED):
        raise ValueError(f"has {len(key)} bytes, which no public key of {key_type} is; send the raw public key")
    if key_type == "x25519" and key[-1] & UNUSED_BIT:
        raise ValueError("has its highest bit set, which no program that makes keys does; send it as it was made")
    if not any(key):
        raise ValueError("is all zeros; send the public key of the device")
    return base64.b64encode(key).decode()


def short_of(key: str) -> str:
    """A key as people compare it: the first half of its SHA-256, in groups of four."""
    digest = hashlib.sha256(base64.b64decode(key)).hexdigest()[:32]
    return " ".join(digest[n : n + 4] for n in range(0, len(digest), 4))
