"""The public key that makes a device what it is: read from base64, in one spelling."""

import base64
import binascii
import hashlib
from typing import Annotated, Literal

from pydantic import Field

KeyType = Literal["x25519", "ed25519", "p256"]
# Bytes of a public key: RFC 7748, RFC 8032, and an uncompressed or compressed point of SEC 1, 2.3.3.
LENGTHS: dict[str, tuple[int, ...]] = {"x25519": (32,), "ed25519": (32,), "p256": (33, 65)}
# What a point of P-256 begins with, by its length.
FIRST_BYTES = {33: (2, 3), 65: (4,)}
LONGEST_KEY = 120
KeyText = Annotated[str, Field(max_length=LONGEST_KEY)]


def canonical_key(text: str, key_type: KeyType) -> str:
    """The key in base64 (RFC 4648, section 4); ValueError says what to send instead."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is no base64; send the raw public key, as `wg pubkey` prints it") from None
    if len(key) not in LENGTHS[key_type] or (key_type == "p256" and key[0] not in FIRST_BYTES[len(key)]):
        raise ValueError(f"has {len(key)} bytes, which no public key of {key_type} is; send the raw public key")
    if not any(key):
        raise ValueError("is all zeros; send the public key of the device")
    return base64.b64encode(key).decode()


def short_of(key: str) -> str:
    """A key as people compare it: the first half of its SHA-256, in groups of four."""
    digest = hashlib.sha256(base64.b64decode(key)).hexdigest()[:32]
    return " ".join(digest[n : n + 4] for n in range(0, len(digest), 4))
