"""The token in a mail that proves whom it was sent to; it stands in the reply address and in the Message-ID.

A token says "this mail went to this approver about this level of this request". It decides nothing by itself: the
sender of an answer must still be that approver, and the request judges the rest. Tokens are made when a mail is
composed and never stored.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from countersign.models import Event

KEY_ID = re.compile(r"[a-z0-9]{2}")
SHORTEST_SECRET = 16  # bytes; what the tag below is cut to, so that the key is no weaker than the tag
TAG_BYTES = 16  # 128 bits of HMAC-SHA256: RFC 2104, section 5, allows cutting to half the hash
DIGEST_BYTES = 10  # of a notification's id in a Message-ID: unique among the mails of one request, secret to nobody

# What a mail is to its reader: "answer" asks for one, "help" says why a reply was none or what the requester wrote,
# "undo" says what can be undone, and "comment" asks the requester something. A word as weak as "OK" answers only the
# first, as it may mean "I see" in reply to the second; no reply to the last two is an answer.
Kind = Literal["answer", "help", "undo", "comment"]
KINDS: tuple[Kind, ...] = ("answer", "help", "undo", "comment")
KIND_OF_EVENT: dict[Event, Kind] = {
    Event.ASKED: "answer",
    Event.REMINDED: "answer",
    Event.HELP: "help",
    Event.COMMENT: "help",
    Event.ANSWER_REFUSED: "help",
    Event.SETTLED: "undo",
    Event.OPENED: "undo",
    Event.INQUIRY: "comment",
}

_TOKEN = r"[a-z0-9]{2}[a-z2-7]{26}"  # noqa: S105 - a pattern, no secret
_NUMBER = r"[1-9][0-9]{0,11}"
_TAGGED = re.compile(
    rf"[^@<>\s]+\+(?P<approval_id>{_NUMBER})-(?P<level>[1-9][0-9]{{0,2}})-(?P<token>{_TOKEN})@[^@<>\s]+"
)
_MESSAGE_ID = re.compile(
    rf"<(?P<approval_id>{_NUMBER})(?:\.(?P<level>[1-9][0-9]{{0,2}})\.(?P<token>{_TOKEN}))?"
    r"\.(?P<event>[a-z_]{1,32})\.[a-z2-7]{16}@[^@<>\s]+>"
)


# The end of our own subjects; a number alone may be that of a table, or of a ticket.
_IN_SUBJECT = re.compile(r"-\s+\w+\s+Approval\s+Notification\s+-\s+#([1-9][0-9]{0,11})(?![0-9])", re.IGNORECASE)


class KeyRing:
    """The secrets tokens are made with, newest first: the first signs, all verify, so that keys can be rotated.

    Raises ValueError for a key id that is not two characters of a-z and 0-9 or comes twice, and for a secret that is
    shorter than `SHORTEST_SECRET` bytes. Printing a ring shows its key ids only.
    """

    __slots__ = ("_keys", "signs")

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        for key_id, secret in keys:
            if not KEY_ID.fullmatch(key_id):
                raise ValueError(f"{key_id[:8]!r} is not a key id: use two characters of a-z and 0-9")
            if len(secret) < SHORTEST_SECRET:
                raise ValueError(f"the secret of key {key_id} is too short: use {SHORTEST_SECRET} random bytes or more")
        self._keys = dict(keys)
        if not keys or len(self._keys) != len(keys):
            raise ValueError("a key ring needs at least one key, and each key id only once")
        self.signs = keys[0][0]

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

    def secret(self, key_id: str) -> bytes | None:
        """The secret of a key, or None where the ring has no such key (any more)."""
        return self._keys.get(key_id)


class Ids(NamedTuple):
    """What a mail's ids say it is about. `level` is 0 and `token` empty where the mail carries no token."""

    approval_id: int
    level: int
    token: str


def make(ring: KeyRing, approval_id: int, level: int, approver_id: str, run: str = "", kind: Kind = "answer") -> str:
    """The token for one approver at one level of one request, in mails of one kind: 28 characters of a-z and 0-9.

    `run` is that of the request's workflow: a number may be given out again, as after a restored backup, a run never.
    Requests opened before tokens covered the run have none.
    """
    return _signed(ring, ring.signs, approval_id, level, approver_id, run, kind)


def kind_of(ring: KeyRing, token: str, approval_id: int, level: int, approver_id: str, run: str = "") -> Kind | None:
    """The kind of mail in which this token was sent to exactly this approver, about this level, request and run.

    None if no key of the ring made it for exactly that.
    """
    folded = token.lower()
    key_id = folded[:2]
    if ring.secret(key_id) is None:
        return None
    given = folded.encode("utf-8", "replace")
    about = approval_id, level, approver_id, run
    kinds = [one for one in KINDS if hmac.compare_digest(given, _signed(ring, key_id, *about, one).encode("ascii"))]
    return kinds[0] if kinds else None


def _signed(ring: KeyRing, key_id: str, approval_id: int, level: int, approver_id: str, run: str, kind: Kind) -> str:
    # Numbers hold no colon, so no two of these texts are the same, whatever the approver's id holds.
    # A run makes it another context, and so does each kind, so that none of these equals a text without.
    context = "countersign.email" if kind == "answer" else f"countersign.email.{kind}"
    context = f"{context}.run:{run}" if run else context
    return code(ring, key_id, f"{context}:{approval_id:d}:{level:d}:{approver_id}", TAG_BYTES)


def code(ring: KeyRing, key_id: str, text: str, most: int | None = None) -> str:
    """A key's id, followed by its HMAC-SHA256 of a text, cut to at most `most` bytes, in base32."""
    mac = hmac.digest(ring.secret(key_id) or b"", text.encode("utf-8", "surrogatepass"), "sha256")
    return key_id + _base32(mac[:most])


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode("ascii").rstrip("=").lower()


def reply_address(address: str, approval_id: int, level: int, token: str) -> str:
    """The address for an answer to us: `user+1042-1-<token>@host`, from `user@host`."""
    user, _, host = address.rpartition("@")
    return f"{user}+{approval_id}-{level}-{token}@{host}"


def in_address(address: str) -> Ids | None:
    """What a bare address (no display name) is tagged with, or None. Mail servers may have changed its case."""
    return _ids(_TAGGED.fullmatch(address.strip().lower()))


def message_id(domain: str, ids: Ids | None, event: str, notification_id: str) -> str:
    """The Message-ID of a notification, always the same for one notification, so that a mail sent twice is one mail.

    `<1042.1.<token>.asked.<digest>@host>`, or `<1042.settled.<digest>@host>` where no answer is expected; without `ids`
    it is about no request: `<mailbox_unread.<digest>@host>`.
    """
    about = f"{ids.approval_id}.{ids.level}.{ids.token}." if ids and ids.token else f"{ids.approval_id}." if ids else ""
    return f"<{about}{event}.{_digest(notification_id)}@{domain}>"


def thread_id(domain: str, approval_id: int, person_id: str) -> str:
    """The id that all mails to one person about one request refer to, which makes them one thread."""
    return f"<{approval_id}.thread.{_digest(f'{approval_id}:{person_id}')}@{domain}>"


def in_subject(subject: str) -> int | None:
    """The request that a subject names in the form of ours; None if it names none, or several."""
    numbers = set(_IN_SUBJECT.findall(subject))
    return int(numbers.pop()) if len(numbers) == 1 else None


def kind_said(message_id: str, kind: Kind) -> Kind:
    """The kind of one of our mails, by its Message-ID; `kind` where that doesn't say, as with anybody else's mail."""
    found = _MESSAGE_ID.fullmatch(message_id.strip().lower())
    kinds = {event.value: its for event, its in KIND_OF_EVENT.items()}
    return kinds.get(found["event"], kind) if found else kind


def in_message_id(text: str) -> Ids | None:
    """What one of our Message-IDs, as found in In-Reply-To or References, is about; None for anybody else's."""
    return _ids(_MESSAGE_ID.fullmatch(text.strip().lower()))


def _digest(text: str) -> str:
    return _base32(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:DIGEST_BYTES])


def _ids(found: re.Match[str] | None) -> Ids | None:
    if found is None:
        return None
    return Ids(int(found["approval_id"]), int(found["level"] or 0), found["token"] or "")


def masked(text: str) -> str:
    """A Message-ID or address as it may stand in a record or a log: the token cut down to its key's id."""
    return re.sub(rf"({KEY_ID.pattern})[a-z2-7]{{26}}(?=[.@])", r"\1…", text)
