"""The secrets of the one-time links in mails with which people sign in."""

import hmac
from dataclasses import dataclass

from notifiers.email.token import KeyRing, code


@dataclass(frozen=True)
class MailedLinks:
    """Makes the secret of a link with the key that signs, and accepts one made with any key of the ring."""

    ring: KeyRing

    def secret(self, link_id: str, key_id: str = "") -> str:
        """The secret that stands behind the id in a one-time link; only the mail shows it."""
        return code(self.ring, key_id or self.ring.signs, f"countersign.link:{link_id}")

    def is_secret(self, link_id: str, given: str) -> bool:
        """Whether this is the secret of that link."""
        key_id = given[:2]
        known = self.ring.secret(key_id) is not None
        expected = self.secret(link_id, key_id if known else self.ring.signs)
        return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("ascii"))
