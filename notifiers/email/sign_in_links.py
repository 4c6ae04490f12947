"""The secrets of the links in mails by which people sign in, once."""

import hmac

from notifiers.email.token import KeyRing, code


def link_secret(ring: KeyRing, link_id: str, key_id: str = "") -> str:
    """What only the mail with a one-time link shows, beside the link's id."""
    return code(ring, key_id or ring.signs, f"countersign.link:{link_id}")


def is_link_secret(ring: KeyRing, link_id: str, secret: str) -> bool:
    """Whether this is the secret of that link, made by any key of the ring."""
    key_id = secret[:2]
    known = ring.secret(key_id) is not None
    expected = link_secret(ring, link_id, key_id if known else ring.signs)
    return hmac.compare_digest(secret.encode("utf-8", "replace"), expected.encode("ascii"))
