"""What went wrong, for programs: one code for each kind of error, the same for ever.

Over HTTP a code is the end of a problem's `type` (RFC 9457); docs/api.md lists them all, with their fields.
"""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Which error it is; the text of an error may change, its code never."""

    # Of the root and its classes, where nothing more exact is known.
    INTERNAL = "internal"
    MALFORMED = "malformed"
    BAD_POLICY = "bad-policy"
    REFUSED = "refused"
    NOT_FOUND = "not-found"
    NOT_ALLOWED = "not-allowed"
    UNREACHABLE = "unreachable"
    UNAVAILABLE = "unavailable"
    TOO_MANY = "too-many"

    # Asking.
    NO_POLICY = "no-policy"
    UNKNOWN_REQUESTER = "unknown-requester"
    DISABLED_REQUESTER = "disabled-requester"
    UNKNOWN_DEVICE = "unknown-device"
    TOO_MANY_MINUTES = "too-many-minutes"
    MORE_THAN_GRANTED = "more-than-granted"
    OTHER_SOURCE_ADDRESS = "other-source-address"

    # Applying a policy.
    OTHER_POLICY = "other-policy"
    AUTHOR_LOSES_ADMIN = "author-loses-admin"
    NO_VERSION = "no-version"

    # Answering.
    ALREADY_SETTLED = "already-settled"
    TOO_LATE = "too-late"
    OWN_REQUEST = "own-request"
    DISABLED_PERSON = "disabled-person"
    NOT_ASKED = "not-asked"
    OTHER_LEVEL = "other-level"
    OTHER_REQUEST = "other-request"
    COUNTED_ALREADY = "counted-already"
    CHANNEL_NOT_ALLOWED = "channel-not-allowed"
    REASON_NEEDED = "reason-needed"

    # Cancelling and revoking.
    NO_REQUEST = "no-request"
    NO_GRANT = "no-grant"
    GRANT_OVER = "grant-over"
    NOT_THEIRS = "not-theirs"

    # Who calls.
    NO_TOKEN = "no-token"  # noqa: S105 - says that there is none
    INVALID_TOKEN = "invalid-token"  # noqa: S105
    PERSON_ONLY = "person-only"
    ADMIN_ONLY = "admin-only"
    OTHER_REQUESTER = "other-requester"
    OTHER_DEVICE = "other-device"
    OTHER_PROTOCOL = "other-protocol"
    OTHER_MAIL = "other-mail"

    # HTTP.
    UNREADABLE_BODY = "unreadable-body"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    TOO_LARGE = "too-large"
    KEY_REUSED = "key-reused"

    # Too much of it.
    TOO_MANY_AT_ONCE = "too-many-at-once"
    TOO_MANY_REQUESTS = "too-many-requests"
    TOO_MANY_REFUSALS = "too-many-refusals"

    # What is needed can't be reached.
    NO_WORKER = "no-worker"
    NO_MAIL_READ = "no-mail-read"


TITLES = {
    ErrorCode.INTERNAL: "A fault of Countersign itself",
    ErrorCode.MALFORMED: "Something that was sent is missing or wrong",
    ErrorCode.BAD_POLICY: "The policy has mistakes",
    ErrorCode.REFUSED: "The answer is no",
    ErrorCode.NOT_FOUND: "There is no such thing",
    ErrorCode.NOT_ALLOWED: "Whoever calls may not do this",
    ErrorCode.UNREACHABLE: "Somebody can't be reached",
    ErrorCode.UNAVAILABLE: "Something that is needed can't be reached now",
    ErrorCode.TOO_MANY: "Too much of this",
    ErrorCode.NO_POLICY: "No policy is in force yet",
    ErrorCode.UNKNOWN_REQUESTER: "The requester is not in the directory",
    ErrorCode.DISABLED_REQUESTER: "The requester is disabled",
    ErrorCode.UNKNOWN_DEVICE: "The device is in no device group",
    ErrorCode.TOO_MANY_MINUTES: "A grant may not last that long here",
    ErrorCode.MORE_THAN_GRANTED: "A grant lasts, for fewer minutes than these",
    ErrorCode.OTHER_SOURCE_ADDRESS: "The grant is for another source address",
    ErrorCode.OTHER_POLICY: "Another policy was applied meanwhile",
    ErrorCode.AUTHOR_LOSES_ADMIN: "Whoever applies this policy would be no admin any more",
    ErrorCode.NO_VERSION: "There is no such version of the policy",
    ErrorCode.ALREADY_SETTLED: "The request no longer waits",
    ErrorCode.TOO_LATE: "The answer came after the deadline",
    ErrorCode.OWN_REQUEST: "Nobody decides on their own request",
    ErrorCode.DISABLED_PERSON: "Whoever does this is disabled or unknown",
    ErrorCode.NOT_ASKED: "Whoever answers is not asked",
    ErrorCode.OTHER_LEVEL: "The answer was for another level",
    ErrorCode.OTHER_REQUEST: "That is not the request which is open here",
    ErrorCode.COUNTED_ALREADY: "This person's approval was counted before",
    ErrorCode.CHANNEL_NOT_ALLOWED: "The policy lets nobody decide by this channel",
    ErrorCode.REASON_NEEDED: "A rejection needs a reason here",
    ErrorCode.NO_REQUEST: "There is no such request, as far as whoever calls may see",
    ErrorCode.NO_GRANT: "The request has no grant",
    ErrorCode.GRANT_OVER: "The grant is over",
    ErrorCode.NOT_THEIRS: "Whoever calls has no part in it that allows this",
    ErrorCode.NO_TOKEN: "A token is needed",
    ErrorCode.INVALID_TOKEN: "The token is unknown, has ended, or opens nothing",
    ErrorCode.PERSON_ONLY: "This is for people",
    ErrorCode.ADMIN_ONLY: "This is for admins",
    ErrorCode.OTHER_REQUESTER: "The token does not ask for this requester",
    ErrorCode.OTHER_DEVICE: "The gateway does not ask for this device",
    ErrorCode.OTHER_PROTOCOL: "The gateway does not ask for this protocol",
    ErrorCode.OTHER_MAIL: "The mail is somebody else's",
    ErrorCode.UNREADABLE_BODY: "The body can't be read",
    ErrorCode.METHOD_NOT_ALLOWED: "Another method is answered here",
    ErrorCode.TOO_LARGE: "The body is too large",
    ErrorCode.KEY_REUSED: "The Idempotency-Key was used for something else",
    ErrorCode.TOO_MANY_AT_ONCE: "Too many calls of one token at the same time",
    ErrorCode.TOO_MANY_REQUESTS: "Too many requests of one person within an hour",
    ErrorCode.TOO_MANY_REFUSALS: "Too much of what one person tried was refused",
    ErrorCode.NO_WORKER: "No worker answers",
    ErrorCode.NO_MAIL_READ: "This portal reads no mail",
}
