"""The secrets of the links in mails by which people sign in, once."""

import hmac
from dataclasses import dataclass

from notifiers.email.token import KeyRing, code


@dataclass(frozen=True)
class MailedLinks:
    """The secret of a link is made by the key that signs; made by any other key of the ring it is right, too."""

    ring: KeyRing

    def secret(self, link_id: str, key_id: str = "") -> str:
        """What only the mail with a one-time link shows, beside the link's id."""
        return code(self.ring, key_id or self.ring.signs, f"countersign.link:{link_id}")

    def is_secret(self, link_id: str, given: str) -> bool:
        """Whether this is the secret of that link."""
        key_id = given[:2]
        known = self.ring.secret(key_id) is not None
        expected = self.secret(link_id, key_id if known else self.ring.signs)
        return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("ascii"))
