"""Look-ups of this host's accounts, which may be kept by a server elsewhere (LDAP, SSSD) that hangs."""

import asyncio
import pwd
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from countersign.errors import Unavailable
from countersign.gates.calls import Calls

MOST_AT_ONCE = 16
ANSWER_SECONDS = 10.0

T = TypeVar("T")


def account_named(name: str) -> pwd.struct_passwd | None:
    """The account of this name; None if there is none."""
    with suppress(KeyError, ValueError):  # ValueError: the name holds a null byte
        return pwd.getpwnam(name)
    return None


class Accounts(Calls):
    """Runs look-ups of accounts (getpwnam(3)) beside the event loop, and waits ANSWER_SECONDS at most."""

    def __init__(self) -> None:
        super().__init__(MOST_AT_ONCE)

    async def __call__(self, call: Callable[[], T]) -> T:
        """What the call returns or raises; Unavailable if it takes too long."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await super().__call__(call)
        except TimeoutError:
            raise Unavailable("The accounts of this host can't be looked up now; try again.") from None
