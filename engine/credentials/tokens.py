"""The tokens that people make for themselves, and end."""

from datetime import UTC, datetime, timedelta

from countersign.errors import Refused
from countersign.permissions import Principal, may_end
from store import Store
from store.tokens import Owner, Token, no_token

# More programs than these nobody has.
MOST_TOKENS = 50


class PersonalTokens:
    """A person's own tokens; admins end everybody's. A token that a person makes is never an admin's by itself."""

    def __init__(self, store: Store) -> None:
        self._tokens = store.tokens

    def make(self, person: str, lasts: timedelta, label: str) -> str:
        """A new token; this is the only time that it can be read. Raises Refused for who has too many."""
        if len(self._tokens.lasting(datetime.now(UTC), person, limit=MOST_TOKENS)) >= MOST_TOKENS:
            raise Refused(f"You have {MOST_TOKENS} tokens; end one that you don't use first.")
        return self._tokens.create(Owner(kind="person", name=person), person, lasts, label)

    def end(self, token_id: str, who: Principal) -> Token:
        """End a token of one's own, or, as an admin, anybody's; again changes nothing. Raises NotFound."""
        if not may_end(who, self._tokens.one(token_id).owner.principal):
            raise no_token(token_id)
        return self._tokens.end(token_id, who.name)
