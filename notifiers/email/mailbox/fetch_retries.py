"""Mails the server lists but doesn't give: asked for alone, less and less often, and in the end given up.

Some servers hang up over a single mail they cannot read. It must neither hide the others nor be lost at once: the
server may be able to give it again in a minute.
"""

import time
from collections.abc import Callable, Collection

FIRST_PAUSE_SECONDS = 2.0
# With pauses of 0, 2, 4, 8 and 16 seconds between them.
ATTEMPTS = 6
NEVER_FAILED = (0, 0.0)


class FetchRetries:
    """Remembers across connections which mails were asked for in vain. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._uidvalidity = 0
        # By UID: how often it was asked for alone in vain, and when it may be asked for again.
        self._failed: dict[int, tuple[int, float]] = {}

    def forget_all_but(self, uidvalidity: int, uids: Collection[int]) -> None:
        """Forget the mails that are no longer listed, and all of them if the mailbox was renumbered."""
        known = set(uids) if uidvalidity == self._uidvalidity else set()
        self._uidvalidity = uidvalidity
        self._failed = {uid: failed for uid, failed in self._failed.items() if uid in known}

    def failed(self, uids: Collection[int], *, alone: bool) -> None:
        """Note that asking for these failed; only a mail asked for alone is known to be the cause."""
        for uid in uids:
            count, not_before = self._failed.get(uid, NEVER_FAILED)
            if alone:
                # The first time it may as well have been the connection that broke.
                pause = FIRST_PAUSE_SECONDS * 2 ** (count - 1) if count else 0.0
                count, not_before = count + 1, self._clock() + pause
            self._failed[uid] = count, not_before

    def succeeded(self, uids: Collection[int]) -> None:
        """Note that the server gave these."""
        for uid in uids:
            self._failed.pop(uid, None)

    def __contains__(self, uid: int) -> bool:
        """Whether a mail is to be asked for alone."""
        return uid in self._failed

    def is_due(self, uid: int) -> bool:
        """Whether it is time to ask again."""
        return self._clock() >= self._failed.get(uid, NEVER_FAILED)[1]

    def is_given_up(self, uid: int) -> bool:
        """Whether it was asked for often enough."""
        return self._failed.get(uid, NEVER_FAILED)[0] >= ATTEMPTS
