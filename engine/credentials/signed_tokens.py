"""JSON Web Tokens (RFC 7519) that somebody else signed."""

from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

# Signatures that only the holder of the key can make. `none`, and those by a secret that is shared, are not among them.
ALGORITHMS = (*(f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)), "EdDSA", "Ed25519")
# How far the clock of whoever signed may be from ours.
LEEWAY_SECONDS = 60


def decoded(text: str, keys: KeySet) -> jwt.Token:
    """A token whose signature by one of these keys was verified. Raises JoseError, ValueError, TypeError."""
    return jwt.decode(text, keys, registry=JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False))
