"""Deals with all mails of the mailbox: each is claimed, handled, marked and moved out of the way."""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Literal, TypeVar

from countersign.errors import Unavailable
from countersign.notifications import MailRef
from notifiers.email.header_values import one_sender
from notifiers.email.mailbox.fetch_retries import FetchRetries
from notifiers.email.mailbox.imap import Connection, Fetched
from notifiers.email.mailbox.login import Mailbox
from notifiers.email.mime.parts import Fields, read_fields
from notifiers.engine import Disposition, Ledger

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)  # how long a claim holds when its watcher dies before it marks the mail
LISTED_AT_ONCE = 500  # a command of some 4 kB; servers cut off longer lines
BATCH_MAILS = 50
BATCH_BYTES = 8_000_000
# How many senders' mails are dealt with side by side, so that a stranger's slow mail doesn't hold up the others'.
MOST_SENDERS_AT_ONCE = 8
MOVED_WITHIN_SECONDS = 3.0  # how long whoever handled a mail is given to move it
# After this many, what `handle` needs is taken to be down, and the mails that follow would fail too.
UNAVAILABLE_IN_A_ROW = 10
LONGEST_MESSAGE_ID = 998  # RFC 5322, 2.1.1: the longest line


class EngineFault(Unavailable):
    """A fault of ours kept this mail from being taken: it is shown again later, and the next ones are not held up."""


Handle = Callable[[bytes, datetime, bool], None]  # the mail, when it arrived, and whether it is whole
Item = TypeVar("Item")


@dataclass
class Intake:
    """Deals with the mails of one connection. Between mails `go_on` reports progress and says whether to go on."""

    connection: Connection
    mailbox: Mailbox
    ledger: Ledger
    handle: Handle
    go_on: Callable[[], bool]
    retries: FetchRetries
    left_to_others: bool = False  # whether `take_all` left mails for those who handled them to move
    _handled_elsewhere: dict[int, float] = field(default_factory=dict)  # such mails: UID to when it was seen first
    _unavailable_in_a_row: int = 0
    # A database file has one writer at a time, and the others poll for it.
    _ledger_lock: threading.Lock = field(default_factory=threading.Lock)

    def take_all(self) -> tuple[int, int]:
        """Deal with every mail there is; gives how many were dealt with, and how many are left for later."""
        uids = self.connection.uids()
        self.retries.forget_all_but(self.connection.uidvalidity, uids)
        self._unavailable_in_a_row = done = 0
        self.left_to_others = False
        for group in self._groups(uids):
            if not self._may_go_on():
                break
            done += self._take(group)
        return done, len(uids) - done

    def _groups(self, uids: list[int]) -> Iterator[list[int]]:
        """Cut the listing into groups to ask for at once; mails that made trouble come last, each alone."""
        others = [uid for uid in uids if uid not in self.retries]
        for start in range(0, len(others), LISTED_AT_ONCE):
            yield others[start : start + LISTED_AT_ONCE]
        for uid in uids:
            if uid in self.retries and self.retries.is_due(uid):
                yield [uid]

    def _take(self, group: list[int]) -> int:
        """Deal with a group of mails and move them; gives how many were dealt with."""
        if self.retries.is_given_up(group[0]):
            ref = self._ref_unread(group[0], 0)
            end = self._handle_once(ref, lambda: None, "quarantined", "the server does not give it")
            return self._move({ref.uid: end})
        sizes = self._ask(self.connection.sizes, group)
        done = 0
        for batch in _batches(sizes, self.mailbox.largest_mail_bytes):
            if not self._may_go_on():
                break
            done += self._move(self._deal_with(batch, sizes))
        return done

    def _ask(self, question: Callable[[list[int]], dict[int, Item]], uids: list[int]) -> dict[int, Item]:
        """Ask the server about mails, remembering those about which it didn't answer."""
        found: dict[int, Item] = {}
        try:
            found = question(uids)
        finally:
            self.retries.failed([uid for uid in uids if uid not in found], alone=len(uids) == 1)
        return found

    def _deal_with(self, batch: list[int], sizes: dict[int, int]) -> dict[int, Disposition | None]:
        small = [uid for uid in batch if sizes[uid] <= self.mailbox.largest_mail_bytes]
        mails = self._ask(self.connection.fetch, small)
        self.retries.succeeded(mails)
        ends = self._handle_side_by_side(mails)
        for uid in (uid for uid in batch if uid not in small):
            if not self._may_go_on():
                break
            ends[uid] = self._take_head(uid, sizes[uid])
        return ends

    def _take_head(self, uid: int, size: int) -> Disposition | None:
        """Quarantine a mail that is too big, after its header was handled."""
        found = self._ask(self.connection.heads, [uid])
        self.retries.succeeded(found)
        if uid not in found:
            return None
        head = found[uid]
        ref = replace(self._ref_unread(uid, size), message_id=_message_id(_header(head.raw)))
        handle = partial(self.handle, head.raw, head.arrived, False)
        return self._handle_once(ref, handle, "quarantined", f"too big: {size} bytes")

    def _handle_side_by_side(self, mails: dict[int, Fetched]) -> dict[int, Disposition | None]:
        """Handle each sender's mails in their order, and those of several senders at once."""
        by_sender: dict[str, list[tuple[MailRef, Fetched]]] = {}
        for uid, mail in mails.items():
            header = _header(mail.raw)
            by_sender.setdefault(one_sender(header), []).append((self._ref(uid, mail.raw, header), mail))
        with ThreadPoolExecutor(MOST_SENDERS_AT_ONCE, thread_name_prefix="mails") as threads:
            ends = list(threads.map(self._handle_in_order, by_sender.values()))
        return {uid: end for each in ends for uid, end in each.items()}

    def _handle_in_order(self, mails: list[tuple[MailRef, Fetched]]) -> dict[int, Disposition | None]:
        ends: dict[int, Disposition | None] = {}
        for ref, mail in mails:
            if not self._may_go_on():
                break
            ends[ref.uid] = self._handle_once(ref, partial(self.handle, mail.raw, mail.arrived, True))
        return ends

    def _move(self, ends: dict[int, Disposition | None]) -> int:
        """Move the mails that were dealt with out of the way; gives how many there were."""
        dealt_with = {uid: end for uid, end in ends.items() if end}
        ours = [uid for uid in dealt_with if self._is_ours_to_move(uid)]
        self.left_to_others |= len(ours) < len(dealt_with)
        self.connection.move([uid for uid in ours if ends[uid] == "handled"], self.mailbox.done_folder)
        self.connection.move([uid for uid in ours if ends[uid] == "quarantined"], self.mailbox.quarantine_folder)
        return len(dealt_with)

    def _is_ours_to_move(self, uid: int) -> bool:
        """Whether we may move it: we handled it, or the watcher that did has not moved it in time.

        If two watchers move the same mail, there may be two copies of it.
        """
        first_seen = self._handled_elsewhere.get(uid)
        return first_seen is None or time.monotonic() - first_seen > MOVED_WITHIN_SECONDS

    def _may_go_on(self) -> bool:
        return self.go_on() and self._unavailable_in_a_row < UNAVAILABLE_IN_A_ROW

    def _handle_once(
        self, ref: MailRef, handle: Callable[[], None], end: Disposition = "handled", why: str = ""
    ) -> Disposition | None:
        """Handle a mail unless that was done before; returns its disposition, or None if it is left for later."""
        claim = self._claim(ref)
        if claim != "ours":
            return claim
        try:
            handle()
        except Unavailable as problem:
            log.warning("%s: mail %s is left for later: %s", ref.mailbox, ref.uid, problem)
            self._unavailable_in_a_row += not isinstance(problem, EngineFault)
            with self._ledger_lock:
                self.ledger.release(ref)
            return None
        except Exception as problem:  # whatever a hostile mail can break; the mailbox goes on
            log.exception("%s: mail %s broke its handler and is quarantined", ref.mailbox, ref.uid)
            self._mark(ref, "quarantined", f"its handler failed: {type(problem).__name__}")
            return "quarantined"
        self._unavailable_in_a_row = 0
        if why:
            log.warning("%s: mail %s is quarantined: %s", ref.mailbox, ref.uid, why)
        self._mark(ref, end, why)
        return end

    def _mark(self, ref: MailRef, disposition: Disposition, why: str = "") -> None:
        with self._ledger_lock:
            self.ledger.mark_handled(ref, disposition, why)

    def _claim(self, ref: MailRef) -> Literal["ours"] | Disposition | None:
        with self._ledger_lock:
            claim = self.ledger.claim(ref, LEASE)
        if claim == "elsewhere":
            return None
        if claim != "ours":
            self._handled_elsewhere.setdefault(ref.uid, time.monotonic())
        return claim

    def _ref(self, uid: int, raw: bytes, header: Fields) -> MailRef:
        digest = hashlib.sha256(raw).hexdigest()
        return MailRef(self.mailbox.name, self.connection.uidvalidity, uid, _message_id(header), digest)

    def _ref_unread(self, uid: int, size: int) -> MailRef:
        return self._ref(uid, f"{self.connection.uidvalidity}:{uid}:{size}".encode(), Fields())


def _header(raw: bytes) -> Fields:
    """The mail's header; empty where it can't be read, as the digest identifies the mail without it."""
    try:
        return read_fields(raw)
    except Exception:  # Unreadable, or a bug of ours, which must not keep other mails from being read
        return Fields()


def _message_id(header: Fields) -> str:
    """The Message-ID as text for people, without unprintable characters; "" if there is none."""
    # A database may refuse NUL or half a surrogate pair, and with it the mail, again and again.
    return "".join(filter(str.isprintable, header.first("message-id"))).strip()[:LONGEST_MESSAGE_ID]


def _batches(sizes: dict[int, int], largest: int) -> Iterator[list[int]]:
    """Cut the listing into batches that fit in memory; a mail over `largest` is not fetched and weighs nothing."""
    batch: list[int] = []
    weight = 0
    for uid, size in sizes.items():
        weighs = size if size <= largest else 0
        if batch and (len(batch) >= BATCH_MAILS or weight + weighs > BATCH_BYTES):
            yield batch
            batch, weight = [], 0
        batch.append(uid)
        weight += weighs
    if batch:
        yield batch
