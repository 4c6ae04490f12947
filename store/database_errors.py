"""What an error of a database means: whether the database fails, why, and whether that may pass by itself.

PostgreSQL's errors are known by their SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html),
SQLite's by their primary result code (https://www.sqlite.org/rescode.html). No message says where the database is.
"""

import socket
import sqlite3
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from countersign.errors import BadQuestion, CountersignError, Unavailable, message_of

LOST = "the connection to it was lost"
SILENT = "it does not answer in time"
# By the whole SQLSTATE, else by its class, which is its first two characters.
STATES = {
    "25006": "it can only be read; connect to the primary server",
    "28": "it refuses the login; check the user, the password and what its pg_hba.conf allows",
    "3D": "there is no database of that name; create it, or correct the name",
    "40": "it gave way to another transaction",
    "42501": "the user may not write there; make it the owner of the database",
    "53100": "its disk is full",
    "53300": "it has no connection left; raise its max_connections, or run fewer workers and portals",
    "53": "it has run out of memory or of other resources",
    "55P03": "somebody else held a lock for too long",
    "57014": "it was stopped, as it took too long",
    "57P03": "it is starting, or shutting down",
    "57": "it is shutting down",
    "58": "it can't read or write its files",
    "25": "it ended a transaction that had stood still",
    "08": LOST,
    "F0": "its configuration is wrong",
    "XX": "it has failed inside; its own log says why",
}
# Waiting does not help: a setting is wrong, or the database's operators have to do something.
LASTING = ("28", "3D", "42501")
CANT_OPEN, FULL = 14, 13
CODES = {
    3: "its file may not be used by this account",
    5: STATES["55P03"],
    6: STATES["55P03"],
    7: STATES["53"],
    8: "its file can only be read; make it and its folder writable for this account",
    9: STATES["57014"],
    10: STATES["58"],
    11: "its file is damaged; restore a backup",
    FULL: STATES["53100"],
    CANT_OPEN: "its file can't be opened; see that its folder exists and is writable for this account",
    15: STATES["55P03"],
    23: "its file may not be used by this account",
    26: "its file is no database",
}
LASTING_CODES = (3, 8, 11, CANT_OPEN, 23, 26)
NOT_STORED = "Something in it can't be stored: an invalid character, or a number out of range; leave it out."


class DatabaseUnavailable(Unavailable):
    """The database can't do what was asked; `why` is for operators. `lasting`: waiting does not help."""

    def __init__(self, why: str, lasting: bool = False) -> None:
        super().__init__("The database can't be reached now; try again.")
        self.why = f"the database can't be used: {why}"
        self.lasting = lasting


def for_operators(error: BaseException) -> str:
    """The message of an error for the operators of Countersign, who may know why a database fails."""
    return error.why if isinstance(error, DatabaseUnavailable) else message_of(error)


def is_lasting(error: Exception) -> bool:
    """Whether a database raised this, and waiting does not help."""
    return isinstance(error, DatabaseUnavailable) and error.lasting


def in_our_terms(error: Exception) -> CountersignError | None:
    """The caller's error for one that a transaction raised; None for one that is our own fault."""
    if isinstance(error, PoolTimeoutError):
        return DatabaseUnavailable(SILENT)
    if isinstance(error, UnicodeEncodeError | OverflowError):  # the drivers themselves refuse to send it
        return BadQuestion(NOT_STORED)
    if isinstance(error, OSError):
        return _network(error)
    if not isinstance(error, DBAPIError):
        return None
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite(error.orig)
    return _postgres(error.orig) or (DatabaseUnavailable(LOST) if error.connection_invalidated else None)


def _sqlite(error: sqlite3.Error) -> CountersignError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return DatabaseUnavailable(CODES[code], code in LASTING_CODES) if code in CODES else None


def _postgres(error: BaseException | None) -> CountersignError | None:
    told: Any = error.args[0] if error and error.args else None
    state = told.get("C", "") if isinstance(told, dict) else ""
    if state.startswith("22"):
        return BadQuestion(NOT_STORED)
    for known in (state, state[:2]):
        if known in STATES:
            return DatabaseUnavailable(STATES[known], known in LASTING)
    # The driver raises this for anything that happens to a connection.
    if type(error).__name__ == "InterfaceError":
        return _network(error.__cause__ if error else None)
    return None


def _network(cause: BaseException | None) -> DatabaseUnavailable:
    if isinstance(cause, ConnectionRefusedError):
        return DatabaseUnavailable("nothing listens there; is it running?")
    if isinstance(cause, socket.gaierror):
        return DatabaseUnavailable("its host's name is not known; check the host")
    return DatabaseUnavailable(SILENT if isinstance(cause, TimeoutError) else LOST)
