"""API tokens: made and ended, each on record, by operators and by the people whose tokens they are."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from countersign.errors import Refused
from countersign.permissions import Principal, may_end
from countersign.transitions import Kind
from engine.part import EnginePart
from engine.record import record
from store import tokens
from store.events import lock_feed
from store.tokens import Owner, Token, no_token

# The use of a token, or of a certificate, is written at most this often.
USED_EVERY = timedelta(minutes=1)
# Nobody has more programs than this.
MOST_TOKENS = 50


class TokenActions(EnginePart):
    """Each method is one transaction. A token that a person makes is never an admin's by itself."""

    def create(self, owner: Owner, who: str, lasts: timedelta | None = None, label: str = "") -> str:
        """Make a token that ends after `lasts`; this is the only time that it can be read. `who` is for the record."""
        with self.database.transaction() as connection:
            return create(connection, owner, who, lasts, label)

    def end(self, token_id: str, who: str) -> Token:
        """End a token for good; ending it again changes nothing. Raises NotFound."""
        with self.database.transaction() as connection:
            return _end(connection, token_id, who)

    def make_own(self, person: str, lasts: timedelta, label: str) -> str:
        """A new token of a person; this is the only time that it can be read. Raises Refused if they have too many."""
        with self.database.transaction() as connection:
            lock_feed(connection)
            if len(tokens.lasting(connection, datetime.now(UTC), person, limit=MOST_TOKENS)) >= MOST_TOKENS:
                raise Refused(f"You have {MOST_TOKENS} tokens; end one that you don't use first.")
            return create(connection, Owner(kind="person", name=person), person, lasts, label)

    def end_own(self, token_id: str, who: Principal) -> Token:
        """End a token of one's own, or, as an admin, anybody's; again changes nothing. Raises NotFound."""
        with self.database.transaction() as connection:
            if not may_end(who, tokens.one(connection, token_id).owner.principal):
                raise no_token(token_id)
            return _end(connection, token_id, who.name)

    def note_use(self, token_id: str, kind: str = "token", now: datetime | None = None) -> None:
        """Remember that a credential of this kind is used now, unless a use within USED_EVERY is known."""
        now = now or datetime.now(UTC)
        with self.database.transaction() as connection:
            tokens.note_use(connection, token_id, now, now - USED_EVERY, kind)


def create(connection: Connection, owner: Owner, who: str, lasts: timedelta | None, label: str) -> str:
    """Make a token, on record. A gateway is never an admin."""
    now = datetime.now(UTC)
    token = tokens.add(connection, owner, label, now, now + lasts if lasts else None)
    _record(connection, "token_created", token.split("_")[1], owner, who, now)
    return token


def _end(connection: Connection, token_id: str, who: str) -> Token:
    now = datetime.now(UTC)
    ended = tokens.end(connection, token_id, now)
    token = tokens.one(connection, token_id)
    if ended:
        _record(connection, "token_ended", token_id, token.owner, who, now)
    return token


def _record(connection: Connection, kind: Kind, token_id: str, owner: Owner, who: str, at: datetime) -> None:
    detail = f"token {token_id} of {owner.kind} {owner.name}" + (", an admin" if owner.is_admin else "")
    record(connection, kind, who, detail, {"token": token_id}, at)
