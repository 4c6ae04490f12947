"""The secrets of machines: recognisable by whoever scans for leaks, with a checksum, and kept as a salted hash only.

A secret is its prefix, 256 random bits, and the CRC-32 of both, in hexadecimal: what is mistyped or cut off is refused
without the database, and a scanner takes no other text for one, as with the tokens of GitHub
(https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/).

What is kept is HMAC-SHA-256 under a salt of its own, which is the extraction of HKDF (RFC 5869, 2.2). A slow function
is for secrets that can be guessed; nobody guesses 256 random bits, and a slow one would only let callers keep the
processor busy. The salt keeps two copies of one database from being compared, and equal secrets from being seen.
"""

import re
import secrets
import zlib
from collections.abc import Mapping
from hmac import compare_digest, digest
from typing import Any

SECRET_BYTES = 32
SALT_BYTES = 16
CHECKSUM_DIGITS = 8
PREFIX = "cs_service_"
KEY_PREFIX = "cs_provisioning_"
_RANDOM_AND_CHECKSUM = f"[0-9a-f]{{{2 * SECRET_BYTES + CHECKSUM_DIGITS}}}"
CLIENT_ID = re.compile(r"st[0-9a-f]{12}")
SERVICE_SECRET = re.compile(PREFIX + _RANDOM_AND_CHECKSUM)
# A provisioning key is sent alone, so it holds its id, too.
PROVISIONING_KEY = re.compile(rf"{KEY_PREFIX}(?P<id>k[0-9a-f]{{12}})_{_RANDOM_AND_CHECKSUM}")


def new_secret(prefix: str) -> str:
    """A secret, which can be read only now."""
    text = prefix + secrets.token_hex(SECRET_BYTES)
    return text + _checksum(text)


def is_whole(text: str, form: re.Pattern[str]) -> bool:
    """Whether this has the form, and its checksum is right."""
    return form.fullmatch(text) is not None and text[-CHECKSUM_DIGITS:] == _checksum(text[:-CHECKSUM_DIGITS])


def kept(secret: str) -> dict[str, str]:
    """A secret as it is kept: its columns."""
    salt = secrets.token_hex(SALT_BYTES)
    return {"salt": salt, "hash": _hashed(secret, salt)}


def is_kept(secret: str, columns: Mapping[str, Any], prefix: str = "") -> bool:
    """Whether these columns keep this secret; it takes the same time whatever they hold."""
    salt, found = columns.get(f"{prefix}salt") or "", columns.get(f"{prefix}hash") or ""
    return compare_digest(found, _hashed(secret, salt))


def _hashed(secret: str, salt: str) -> str:
    return digest(salt.encode(), secret.encode(), "sha256").hex()


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):0{CHECKSUM_DIGITS}x}"
