"""What went wrong, for programs: one code for each kind of error, the same for ever.

Over HTTP a code is the end of a problem's `type` (RFC 9457); docs/api.md lists them all, with their fields.
"""

from enum import StrEnum
from typing import Self


class ErrorCode(StrEnum):
    """Which error it is, and what it means; the texts of an error may change, its code never."""

    meaning: str

    def __new__(cls, code: str, meaning: str = "") -> Self:
        """A code and its meaning, as written below."""
        one = str.__new__(cls, code)
        one._value_, one.meaning = code, meaning
        return one

    # The codes of CountersignError and its subclasses, for when nothing more exact is known.
    INTERNAL = "internal", "A fault of Countersign itself"
    MALFORMED = "malformed", "Something that was sent is missing or wrong"
    BAD_POLICY = "bad-policy", "The policy has mistakes"
    REFUSED = "refused", "The answer is no"
    NOT_FOUND = "not-found", "There is no such thing"
    NOT_ALLOWED = "not-allowed", "Whoever calls may not do this"
    UNREACHABLE = "unreachable", "Somebody can't be reached"
    UNAVAILABLE = "unavailable", "Something that is needed can't be reached now"
    TOO_MANY = "too-many", "Too much of this"

    # Asking.
    NO_POLICY = "no-policy", "No policy is in force yet"
    UNKNOWN_REQUESTER = "unknown-requester", "The requester is not in the directory"
    DISABLED_REQUESTER = "disabled-requester", "The requester is disabled"
    UNKNOWN_DEVICE = "unknown-device", "The device is in no device group"
    TOO_MANY_MINUTES = "too-many-minutes", "A grant may not last that long here"
    MORE_THAN_GRANTED = "more-than-granted", "A grant lasts, for fewer minutes than these"
    NO_RDP_GATE = "no-rdp-gate", "There is no gate for RDP"
    INVALID_ROUTING_TOKEN = "invalid-routing-token", "The routing token lets no connection in"
    OTHER_SOURCE_ADDRESS = "other-source-address", "The grant is for another source address"

    # Applying a policy.
    OTHER_POLICY = "other-policy", "Another policy was applied meanwhile"
    AUTHOR_LOSES_ADMIN = "author-loses-admin", "Whoever applies this policy would be no admin any more"
    NO_VERSION = "no-version", "There is no such version of the policy"

    # Answering.
    ALREADY_SETTLED = "already-settled", "The request no longer waits"
    TOO_LATE = "too-late", "The answer came after the deadline"
    OWN_REQUEST = "own-request", "Nobody decides on their own request"
    DISABLED_PERSON = "disabled-person", "Whoever does this is disabled or unknown"
    NOT_ASKED = "not-asked", "Whoever answers is not asked"
    OTHER_LEVEL = "other-level", "The answer was for another level"
    OTHER_REQUEST = "other-request", "That is not the request which is open here"
    COUNTED_ALREADY = "counted-already", "This person's approval was counted before"
    CHANNEL_NOT_ALLOWED = "channel-not-allowed", "The policy lets nobody decide by this channel"
    CONFIRMATION_NEEDED = "confirmation-needed", "Approving needs a fresh sign-in on the page"
    REASON_NEEDED = "reason-needed", "A rejection needs a reason here"

    # Cancelling and revoking.
    NO_REQUEST = "no-request", "There is no such request, as far as whoever calls may see"
    NO_GRANT = "no-grant", "The request has no grant"
    GRANT_OVER = "grant-over", "The grant is over"
    NOT_THEIRS = "not-theirs", "The caller is not allowed to do this to the request"

    # Who calls.
    NO_TOKEN = "no-token", "A token is needed"
    INVALID_TOKEN = "invalid-token", "The token is unknown, has ended, or opens nothing"
    AUTHORIZATION_PENDING = "authorization-pending", "The person has not answered yet"
    SLOW_DOWN = "slow-down", "The program polls too often"
    ACCESS_DENIED = "access-denied", "The person said no"
    EXPIRED_TOKEN = "expired-token", "The login is too old, or was used"
    SIGN_IN_NEEDED = "sign-in-needed", "A browser has to sign in first, and may have to ask for access"
    PERSON_ONLY = "person-only", "This is for people"
    ADMIN_ONLY = "admin-only", "This is for admins"
    DEVICES_ONLY = "devices-only", "A machine registers itself, and may do nothing else"
    OTHER_REQUESTER = "other-requester", "The token does not ask for this requester"
    OTHER_DEVICE = "other-device", "The gateway does not ask for this device"
    OTHER_PROTOCOL = "other-protocol", "The gateway does not ask for this protocol"
    KEY_TAKEN = "key-taken", "The key belongs to a device of somebody else"
    MAY_NOT_LEAVE = "may-not-leave", "Devices may not leave here"
    OTHER_MAIL = "other-mail", "The mail is somebody else's"

    # HTTP.
    UNREADABLE_BODY = "unreadable-body", "The body can't be read"
    METHOD_NOT_ALLOWED = "method-not-allowed", "Another method is answered here"
    TOO_LARGE = "too-large", "The body is too large"
    KEY_REUSED = "key-reused", "The Idempotency-Key was used for something else"

    # Too much of it.
    TOO_MANY_AT_ONCE = "too-many-at-once", "Too many calls of one token at the same time"
    TOO_MANY_CALLS = "too-many-calls", "Too many calls of one token within a minute"
    TOO_MANY_REQUESTS = "too-many-requests", "Too many requests of one person within an hour"
    TOO_MANY_REFUSALS = "too-many-refusals", "Too much of what one person tried was refused"

    TOO_MANY_DEVICES = "too-many-devices", "Too many devices wait for an approval"

    # What is needed can't be reached.
    NO_WORKER = "no-worker", "No worker answers"
    NO_MAIL_READ = "no-mail-read", "This portal reads no mail"
