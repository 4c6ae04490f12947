"""One connection to the mailbox: list, fetch, move, and wait for news. It knows nothing of what the mails mean."""

import logging
import select
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from imapclient import IMAPClient

from notifiers.email.limits import LARGEST_HEADER_BLOCK
from notifiers.email.mailbox.login import Mailbox, connect, folder_paths, hang_up, log_in

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fetched:
    """A mail, or only its header, as the server gave it; `arrived` is the server's INTERNALDATE, in UTC."""

    raw: bytes
    arrived: datetime


class Connection:
    """A logged-in connection with the folder selected. Raises OSError or imaplib's errors when it breaks."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._stuck: set[int] = set()  # dealt with, but the server would not move them
        self._client = connect(mailbox)
        try:
            log_in(self._client, mailbox)
            self._path = folder_paths(self._client)
            self._make_folders()
            selected = self._client.select_folder(self._path(mailbox.folder))
            self.uidvalidity = int(selected.get(b"UIDVALIDITY", 0))
            self.can_idle = self._client.has_capability("IDLE")
        except BaseException:
            hang_up(self._client)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind:  # a broken connection would let a polite LOGOUT wait for its timeout
            hang_up(self._client)
            return
        try:
            self._client.logout()
        except (OSError, IMAPClient.Error):  # the server hung up first, and the library leaves its socket open
            hang_up(self._client)

    def uids(self) -> list[int]:
        """List the mails of the folder, oldest first."""
        self._client.take_exists()
        return sorted(set(self._client.search("ALL")) - self._stuck)

    def sizes(self, uids: list[int]) -> dict[int, int]:
        """Ask how big mails are, in bytes; one that is gone meanwhile is left out."""
        found = self._ask_about(uids, ["RFC822.SIZE"])
        return {uid: int(found[uid][b"RFC822.SIZE"]) for uid in uids if b"RFC822.SIZE" in found.get(uid, {})}

    def fetch(self, uids: list[int]) -> dict[int, Fetched]:
        """Fetch whole mails; one that is gone meanwhile, or that the server doesn't give, is left out."""
        return self._fetched(uids, "BODY.PEEK[]", b"BODY[]")

    def heads(self, uids: list[int]) -> dict[int, Fetched]:
        """Fetch only the headers, likewise; each is cut one byte above the longest that is read."""
        most = LARGEST_HEADER_BLOCK + 1
        return self._fetched(uids, f"BODY.PEEK[HEADER]<0.{most}>", b"BODY[HEADER]<0>")

    def _fetched(self, uids: list[int], what: str, given_as: bytes) -> dict[int, Fetched]:
        found = self._ask_about(uids, [what, "INTERNALDATE"])
        return {
            uid: Fetched(found[uid][given_as], found[uid][b"INTERNALDATE"].astimezone(UTC))
            for uid in uids
            if found.get(uid, {}).get(given_as) is not None
        }

    def move(self, uids: list[int], folder: str) -> None:
        """Move mails; what the server will not move stays, and is not listed again on this connection."""
        if not uids:
            return
        try:
            try:
                self._move(uids, self._path(folder))
            except IMAPClient.AbortError:
                raise
            except IMAPClient.Error:
                self._make_folders()  # somebody may have removed it
                self._move(uids, self._path(folder))
        except IMAPClient.AbortError:
            raise
        except IMAPClient.Error as problem:
            log.warning("%s: cannot move mails to %s, they stay: %s", self._mailbox.name, folder, problem)
            self._stuck.update(uids)

    def told_of_more(self) -> bool:
        """Whether the server mentioned new mail since it was listed; IDLE would not mention it again."""
        return self._client.take_exists()

    def idle(self) -> None:
        """Ask the server to speak up at once when something changes (RFC 2177)."""
        self._client.idle()

    def heard(self, seconds: float) -> bool:
        """Wait while idling, at most `seconds`, for the server to say anything or hang up."""
        return self._client.has_buffered() or _readable(self._client.socket().fileno(), seconds)

    def leave_idle(self) -> None:
        """Make the connection usable for commands again."""
        self._client.idle_done()

    def _ask_about(self, uids: list[int], what: list[str]) -> dict[int, dict[bytes, Any]]:
        if not uids:
            return {}
        try:
            return dict(self._client.fetch(uids, what))
        except IMAPClient.AbortError:
            raise
        except IMAPClient.Error as problem:
            log.warning("%s: the server does not give mails %s: %s", self._mailbox.name, uids[:5], problem)
            return {}

    def _move(self, uids: list[int], folder: str) -> None:
        if self._client.has_capability("MOVE"):
            self._client.move(uids, folder)
            return
        self._client.copy(uids, folder)
        self._client.delete_messages(uids, silent=True)
        # Without UIDPLUS only the plain command exists; it also removes what somebody else had marked as deleted.
        self._client.expunge(uids if self._client.has_capability("UIDPLUS") else None)

    def _make_folders(self) -> None:
        for folder in (self._mailbox.folder, self._mailbox.done_folder, self._mailbox.quarantine_folder):
            path = self._path(folder)
            if path == "INBOX" or self._client.folder_exists(path):
                continue
            try:
                self._client.create_folder(path)
                self._client.subscribe_folder(path)
            except IMAPClient.AbortError:
                raise
            except IMAPClient.Error as problem:  # another watcher was first, or we may not: the move will tell
                log.info("%s: cannot make folder %s: %s", self._mailbox.name, path, problem)


def _readable(descriptor: int, seconds: float) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(seconds * 1000))
