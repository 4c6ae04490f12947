"""Keys for devices that don't exist."""

import base64
import secrets


def new_key() -> str:
    """A public key of X25519, in base64; nobody has its private half."""
    return base64.b64encode(secrets.token_bytes(31) + bytes([secrets.randbelow(128)])).decode()
