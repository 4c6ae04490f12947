"""Rule 10: the answer to somebody who asks again while a request waits or its grant lasts."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from countersign.durations import whole_minutes
from countersign.error_codes import ErrorCode
from countersign.errors import Refused
from countersign.models import GrantStatus, GrantView, Question, Status
from countersign.times import MINUTE, duration, moment
from countersign.views import RequestView

# How much of a reason a message quotes; the request has all of it.
LONGEST_QUOTE = 200


def is_yes(grant: GrantView, now: datetime) -> bool:
    """Whether the grant is Active and its end lies ahead; both are checked at every asking (rule 8)."""
    return grant.status is GrantStatus.ACTIVE and grant.ends_at > now


def is_for(grant: GrantView, source_address: str) -> bool:
    """Whether the grant, while it lasts, permits a connection from this address (rule 10)."""
    return not grant.same_source_address or source_address == grant.source_address


def covers(grant: GrantView, source_address: str, now: datetime) -> bool:
    """Whether a grant permits a connection from this address at this time."""
    return is_yes(grant, now) and is_for(grant, source_address)


def must_be_for(grant: GrantView | None, source_address: str) -> None:
    """Raise Refused, with the remedy, if there is a grant that does not permit a connection from this address.

    Somebody who joins a waiting request from another address gets this error when it is approved; `not_from_here` warns
    them before.
    """
    if grant is not None and not is_for(grant, source_address):
        number = f"#{grant.approval_id}"
        raise Refused(
            f"The grant of {number} is for another source address; connect from there, or give {number} back and ask "
            "again."
            if grant.source_address
            else f"{number} was asked for without a source address, so gates that see an address refuse its grant; "
            f"give {number} back and ask again.",
            ErrorCode.OTHER_SOURCE_ADDRESS,
            approval_id=grant.approval_id,
            source_address=grant.source_address,
            ends_at=grant.ends_at.isoformat(),
        )


def not_from_here(view: RequestView, source_address: str) -> str:
    """A warning for somebody who waits, if the grant will not permit a connection from this address; else ""."""
    if view.status is not Status.WAITING or view.is_for(source_address):
        return ""
    which = (
        "is for another source address" if view.question.source_address else "was asked for without a source address"
    )
    number = view.approval_id
    return f"#{number} {which}, so it will not let you in from here: cancel #{number}, and ask again."


def names_no_address(view: RequestView) -> str:
    """A warning for somebody who asked without a source address, if the policy compares addresses; else ""."""
    lasts = view.grant.status is GrantStatus.ACTIVE if view.grant else view.status is Status.WAITING
    if not lasts or view.question.source_address or not view.same_source_address:
        return ""
    return f"#{view.approval_id} names no source address, so a gate that knows where you connect from refuses it."


def answer_by(grant: GrantView, granted: timedelta, question: Question) -> str:
    """The message that says yes, if this grant covers the question; else Refused says why not, and what to do.

    `granted` is how long the grant was opened for. A repeated question for no more minutes than that gets a yes, and
    the end stays as it is. A question without minutes asks for no more than what is left.
    """
    number, end = f"#{grant.approval_id}", moment(grant.ends_at)
    must_be_for(grant, question.source_address)
    if timedelta(minutes=question.minutes or 0) > granted:
        raise Refused(
            f"{question.minutes} minutes are more than the {duration(granted)} that {number} was granted for; it lasts "
            f"until {end}. Ask for no more than that to use it, or give {number} back and ask again.",
            ErrorCode.MORE_THAN_GRANTED,
            approval_id=grant.approval_id,
            minutes=question.minutes,
            limit=granted // MINUTE,
            ends_at=grant.ends_at.isoformat(),
        )
    return f"The grant of {number} lasts until {end}."


def answer_by_any(lasting: Sequence[tuple[GrantView, timedelta]], question: Question) -> tuple[GrantView, str]:
    """Of the grants that cover the question, the one that ends last, and the message that says yes.

    Each of `lasting` comes with how long it was opened for. If none covers the question, Refused says why, preferably
    about a grant that is for this source address.
    """
    refusals = []
    for grant, granted in sorted(lasting, key=lambda one: one[0].ends_at, reverse=True):
        try:
            return grant, answer_by(grant, granted, question)
        except Refused as refusal:
            refusals.append(refusal)
    raise min(refusals, key=lambda one: one.code == ErrorCode.OTHER_SOURCE_ADDRESS)


def address_asked_for(question: Question, decided: str) -> str:
    """The source address that a question is about; `decided` is that of its request.

    A renewal that names none keeps the address of the grant that lasts.
    """
    return question.source_address or (decided if question.renew else "")


def being_decided(approval_id: int, decided: Question, lasts: timedelta, again: Question) -> str:
    """The message about what is being decided, for somebody who asks again; `lasts`: how long the grant would last."""
    ticket = f", ticket {decided.ticket}" if decided.ticket else ""
    reason = " ".join(decided.reason.split())
    short = reason if len(reason) <= LONGEST_QUOTE else f"{reason[:LONGEST_QUOTE]}…"
    why = f"the reason “{short}”" if short else "no reason"
    message = f"#{approval_id} was asked for before and waits: {duration(lasts)}, with {why}{ticket}."
    if _says_the_same(decided, lasts, again):
        return message
    return f"{message} What you say now is on record and changes nothing; to ask anew, have #{approval_id} cancelled."


def on_record(question: Question) -> dict[str, str]:
    """What the record keeps of a repeated question."""
    fields = {
        "reason": question.reason,
        "ticket": question.ticket,
        "minutes": str(question.minutes or ""),
        "source_address": question.source_address,
        "renew": "yes" if question.renew else "",
    }
    return {name: value for name, value in fields.items() if value}


def _says_the_same(decided: Question, lasts: timedelta, again: Question) -> bool:
    """Whether a repeat asks for the same; what it leaves out counts as the same."""
    wanted = (again.reason, decided.reason), (again.ticket, decided.ticket), (again.minutes, whole_minutes(lasts))
    return all(now in ("", None, before) for now, before in wanted)
