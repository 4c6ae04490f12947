"""The exit codes, and the code for each error; documented in docs/commands.md."""

from datetime import datetime
from enum import IntEnum

from countersign.errors import BadPolicy, BadQuestion, CountersignError, NotAllowed, NotFound, Refused
from countersign.grant_reuse import covers
from countersign.models import Asked, Status
from countersign.views import RequestView


class Code(IntEnum):
    """An exit code."""

    OK = 0
    NO = 1
    BAD_INPUT = 2
    NOT_ALLOWED = 3
    UNAVAILABLE = 4
    NOT_FOUND = 5
    FAULT = 70  # EX_SOFTWARE of sysexits.h
    INTERRUPTED = 130  # what shells report for SIGINT


TITLES = {
    Code.NO: "The answer is no",
    Code.BAD_INPUT: "Bad input",
    Code.NOT_ALLOWED: "Not allowed",
    Code.UNAVAILABLE: "Unavailable",
    Code.NOT_FOUND: "Not found",
}
ERRORS: dict[type[CountersignError], Code] = {
    BadQuestion: Code.BAD_INPUT,
    BadPolicy: Code.BAD_INPUT,
    Refused: Code.NO,
    NotAllowed: Code.NOT_ALLOWED,
    NotFound: Code.NOT_FOUND,
}


def of_error(error: CountersignError) -> Code:
    """The code that this error ends with."""
    return ERRORS.get(type(error), Code.UNAVAILABLE)


def of_request(one: Asked | RequestView, source_address: str, now: datetime) -> Code:
    """The code for the state of a request, for somebody who asked from this address; waiting is no failure."""
    if one.status is Status.WAITING:
        return Code.OK
    return Code.OK if one.grant is not None and covers(one.grant, source_address, now) else Code.NO
