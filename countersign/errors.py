"""The one exception tree.

CountersignError
├── BadQuestion      the question itself is malformed: names the field and the remedy
├── BadPolicy        the policy file is wrong: names every error with its line
├── Refused          understood, and the answer is no; the text says why
├── NotFound         no such request, grant or person
├── NotAllowed       the caller may not do this
├── Unreachable      this person can't be reached by this channel, now or later
└── Unavailable      Temporal, the database or the mail server cannot be reached; try again
    ├── TooMany      the caller does too much of this; try again later
    ├── Delayed      it is stored, and continues as soon as a worker is back; nobody has to do it again
    ├── Unconfirmed  a message was sent, but it is not known whether it was accepted
    ├── BadSetting   the server is there, but a setting is wrong for it: change that before trying again
    └── NotYet       an answer to a level that its request has not reached yet

`message_of` turns any exception into the message that a person reads; `code` and `fields` say the same to programs.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from countersign.error_codes import ErrorCode
from countersign.times import moment


class CountersignError(Exception):
    """The root: everything Countersign raises on purpose. Its text is written for people.

    For programs, `code` says which error it is, and `fields` has details such as a limit or an address, as JSON values.
    """

    code: str = ErrorCode.INTERNAL

    def __init__(self, message: str = "", /, code: str = "", **fields: Any) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.fields = fields

    @property
    def details(self) -> dict[str, Any]:
        """Code and fields in one, as they are stored and sent; `**details` makes the same error again."""
        return {"code": str(self.code), **self.fields}


class BadQuestion(CountersignError):
    """The question is malformed; the text names the field and the remedy."""

    code = ErrorCode.MALFORMED


class BadPolicy(CountersignError):
    """The policy file is wrong; `problems` lists each error, with its line where one is known."""

    code = ErrorCode.BAD_POLICY

    def __init__(self, problems: list[str], total: int = 0) -> None:
        """`total` is how many problems there are, if `problems` doesn't list them all."""
        super().__init__("\n".join(problems))
        self.problems = problems
        self.total = total or len(problems)

    @property
    def headline(self) -> str:
        """A line that says how many mistakes there are."""
        return "the policy has a mistake" if self.total == 1 else f"the policy has {self.total} mistakes"


class Refused(CountersignError):
    """Understood, and refused; the text says why."""

    code = ErrorCode.REFUSED


class NotFound(CountersignError):
    """No such request, grant, person or policy."""

    code = ErrorCode.NOT_FOUND


class NotAllowed(CountersignError):
    """Whoever asks may not do this; the text says who may."""

    code = ErrorCode.NOT_ALLOWED


class Unreachable(CountersignError):
    """This person can't be reached by this channel, now or later (a refused address)."""

    code = ErrorCode.UNREACHABLE


class Unavailable(CountersignError):
    """Something we need cannot be reached now; try again later."""

    code = ErrorCode.UNAVAILABLE


def no_request(approval_id: int) -> NotFound:
    """There is no such request; also for one that the caller may not see."""
    return NotFound(f"There is no request #{approval_id}.", ErrorCode.NO_REQUEST, approval_id=approval_id)


# For people who are disabled or not in the directory, whatever they try, on every channel (rule 6).
NOT_IN_POLICY = "{} is disabled or not in the policy; add them, and apply it first."
DISABLED = "Your account is disabled or unknown, so you may not do this; ask an administrator to enable it."


def own_request() -> Refused:
    """An answer of the requester (rule 3)."""
    return Refused("Nobody may decide on their own request.", ErrorCode.OWN_REQUEST)


def not_asked(approval_id: int) -> Refused:
    """An answer of somebody who is not asked about this request."""
    return Refused(f"You are not asked about #{approval_id}.", ErrorCode.NOT_ASKED)


def counted_already(level: int) -> Refused:
    """Somebody approved the current level again."""
    message = "Your approval has been counted already; it counts once a level."
    return Refused(message, ErrorCode.COUNTED_ALREADY, level=level)


def other_level(approval_id: int, level: int, at_level: int) -> Refused:
    """An answer was for a level other than the current one."""
    message = f"That answer was for level {level}; #{approval_id} is at level {at_level}."
    return Refused(message, ErrorCode.OTHER_LEVEL, level=level, at_level=at_level)


def counted_at(approval_id: int, level: int, at_level: int) -> Refused:
    """Somebody approved again at a level that was passed meanwhile: their approval has been counted."""
    message = f"Your approval of level {level} has been counted already; #{approval_id} is at level {at_level}."
    return Refused(message, ErrorCode.COUNTED_ALREADY, level=level)


def already_settled(approval_id: int, status: str, how: str) -> Refused:
    """A request has ended, so nothing more can be done about it; `how` is the message of its end."""
    message = f"#{approval_id} is already {status}: {how}"
    return Refused(message, ErrorCode.ALREADY_SETTLED, approval_id=approval_id, request_status=status)


def read_too_late(approval_id: int, arrived: datetime, deadline: datetime) -> Refused:
    """An answer arrived before its request expired, but was read only afterwards."""
    message = (
        f"Your answer arrived in time, {moment(arrived)}, but could not be read before #{approval_id} expired, "
        f"{moment(deadline)}; so it decided nothing. Whoever still needs it has to ask again."
    )
    return Refused(message, ErrorCode.ALREADY_SETTLED, approval_id=approval_id, request_status="Expired")


def channel_not_allowed(approval_id: int, channel: str) -> Refused:
    """The policy of a request lets nobody decide by this channel."""
    message = f"#{approval_id} can't be decided by {channel}; its policy wants another channel."
    return Refused(message, ErrorCode.CHANNEL_NOT_ALLOWED, channel=channel)


def reason_needed(approval_id: int) -> Refused:
    """A rejection without a comment, where the policy wants one."""
    message = f"A rejection of #{approval_id} needs a reason; say why, and answer again."
    return Refused(message, ErrorCode.REASON_NEEDED)


def confirmation_needed(approval_id: int) -> Refused:
    """An approval that counts only on the page, after signing in again."""
    message = (
        f"#{approval_id} can be approved on its page alone: open it in the portal, and sign in again when it says so. "
        "A rejection counts by any channel."
    )
    return Refused(message, ErrorCode.CONFIRMATION_NEEDED)


def refused_with(message: str, details: Any) -> CountersignError:
    """A refusal that was stored or sent, as Refused or TooMany; `details` is ignored if it isn't a mapping."""
    named = dict(details) if isinstance(details, Mapping) else {}
    kind = TooMany if named.get("code") == ErrorCode.TOO_MANY_REQUESTS else Refused
    return kind(message, **named)


# The longest `retry_after` that we believe, in seconds.
LONGEST_RETRY_AFTER = 24 * 60 * 60


class TooMany(Unavailable):
    """The caller does too much of this; `fields` give the `limit`, and in how many seconds to try again."""

    code = ErrorCode.TOO_MANY

    @property
    def retry_after(self) -> int:
        """In how many seconds to try again; 1 if the reply, which may be a proxy's, has no number for it."""
        seconds = self.fields.get("retry_after")
        return min(max(seconds, 1), LONGEST_RETRY_AFTER) if isinstance(seconds, int) else 1


class Delayed(Unavailable):
    """What was asked for is stored, but no worker is there: it goes on by itself as soon as one is back."""

    code = ErrorCode.NO_WORKER


class Unconfirmed(Unavailable):
    """A message was sent completely, but whether it was accepted is not known: sent again, it may come twice."""


class BadSetting(Unavailable):
    """A server that we need answers, but a setting (a namespace, a key) is wrong for it; the text names the setting."""


class NotYet(Unavailable):
    """A request can't judge an answer yet: as far as its workflow knows, the answer's level is still to come."""


def message_of(error: BaseException) -> str:
    """The message of an error for a person: ours as written, anything else without its inner details."""
    if isinstance(error, CountersignError):
        return str(error)
    return f"An internal error ({type(error).__name__}); the log has the details."
