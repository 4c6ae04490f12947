"""One look through the mailbox: each mail claimed, handled, marked and moved out of the way."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import parseaddr
from typing import Literal, TypeVar

from countersign.errors import Unavailable
from notifiers.email.mailbox.fetch_retries import FetchRetries
from notifiers.email.mailbox.imap import Connection, Fetched, Mailbox
from notifiers.email.mailbox.ledger import Disposition, Ledger, MailRef

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)  # how long a claim holds when its watcher dies before it marks the mail
LISTED_AT_ONCE = 500  # a command of some 4 kB; servers cut off longer lines
BATCH_MAILS = 50
BATCH_BYTES = 8_000_000
# So many senders' mails are dealt with side by side, so that no stranger's mail that takes long holds up the others'.
MOST_SENDERS_AT_ONCE = 8
STRAY_SECONDS = 3.0  # how long whoever handled a mail is given to move it
# Then whatever `handle` needs is down, and the rest of the look would fail alike.
UNAVAILABLE_IN_A_ROW = 10
LONGEST_MESSAGE_ID = 998  # RFC 5322, 2.1.1: the longest line
HEAD_BYTES = 65_536


class EngineFault(Unavailable):
    """A fault of ours kept this mail from being taken: it is shown again later, and the next ones are not held up."""


Handle = Callable[[bytes, datetime], None]
Given = TypeVar("Given")


class Intake:
    """Deals with the mails of one connection; `go_on` is asked between mails, and tells that we live."""

    def __init__(
        self,
        connection: Connection,
        mailbox: Mailbox,
        ledger: Ledger,
        handle: Handle,
        go_on: Callable[[], bool],
        retries: FetchRetries,
    ) -> None:
        self._connection = connection
        self._mailbox = mailbox
        self._ledger = ledger
        self._handle = handle
        self._go_on = go_on
        self._retries = retries
        self._unavailable_in_a_row = 0
        self._ledger_lock = threading.Lock()  # a database file has one writer, and who waits for it polls
        self._strays: dict[int, float] = {}  # handled by somebody, not yet moved: UID to when it was seen first
        self.strays_lie = False  # after a look: whether such mails were left for now

    def take_all(self) -> tuple[int, int]:
        """Deal with every mail there is; gives how many were dealt with, and how many are left for later."""
        uids = self._connection.uids()
        self._retries.forget_all_but(self._connection.uidvalidity, uids)
        self._unavailable_in_a_row = done = 0
        self.strays_lie = False
        for group in self._groups(uids):
            if not self._may_go_on():
                break
            done += self._take(group)
        return done, len(uids) - done

    def _groups(self, uids: list[int]) -> Iterator[list[int]]:
        """Cut the listing into groups to ask for at once; mails that made trouble come last, each alone."""
        calm = [uid for uid in uids if uid not in self._retries]
        for start in range(0, len(calm), LISTED_AT_ONCE):
            yield calm[start : start + LISTED_AT_ONCE]
        for uid in uids:
            if uid in self._retries and self._retries.is_due(uid):
                yield [uid]

    def _take(self, group: list[int]) -> int:
        """Deal with a group of mails and move them; gives how many were dealt with."""
        if self._retries.is_hopeless(group[0]):
            ends = {group[0]: self._set_aside(self._ref_unread(group[0], 0), "the server does not give it")}
            return self._move(ends)
        sizes = self._ask(self._connection.sizes, group)
        done = 0
        for batch in _batches(sizes, self._mailbox.largest_mail_bytes):
            if not self._may_go_on():
                break
            done += self._move(self._deal_with(batch, sizes))
        return done

    def _ask(self, question: Callable[[list[int]], dict[int, Given]], uids: list[int]) -> dict[int, Given]:
        """Ask the server about mails, remembering those about which it didn't answer."""
        given: dict[int, Given] = {}
        try:
            given = question(uids)
        finally:
            self._retries.failed([uid for uid in uids if uid not in given], alone=len(uids) == 1)
        return given

    def _deal_with(self, batch: list[int], sizes: dict[int, int]) -> dict[int, Disposition | None]:
        small = [uid for uid in batch if sizes[uid] <= self._mailbox.largest_mail_bytes]
        mails = self._ask(self._connection.fetch, small)
        self._retries.given(mails)
        ends = self._handle_side_by_side(mails)
        for uid in (uid for uid in batch if uid not in small):
            if not self._may_go_on():
                break
            ends[uid] = self._set_aside(self._ref_unread(uid, sizes[uid]), f"too big: {sizes[uid]} bytes")
        return ends

    def _handle_side_by_side(self, mails: dict[int, Fetched]) -> dict[int, Disposition | None]:
        """Handle each sender's mails in their order, and those of several senders at once."""
        by_sender: dict[str, list[tuple[MailRef, Fetched]]] = {}
        for uid, mail in mails.items():
            head = _head(mail.raw)
            by_sender.setdefault(_sender(head), []).append((self._ref(uid, mail.raw, head), mail))
        with ThreadPoolExecutor(MOST_SENDERS_AT_ONCE, thread_name_prefix="mails") as threads:
            ends = list(threads.map(self._handle_in_order, by_sender.values()))
        return {uid: end for each in ends for uid, end in each.items()}

    def _handle_in_order(self, mails: list[tuple[MailRef, Fetched]]) -> dict[int, Disposition | None]:
        ends: dict[int, Disposition | None] = {}
        for ref, mail in mails:
            if not self._may_go_on():
                break
            ends[ref.uid] = self._handle_once(ref, mail)
        return ends

    def _move(self, ends: dict[int, Disposition | None]) -> int:
        """Move what was dealt with out of the way; gives how many that were."""
        dealt_with = {uid: end for uid, end in ends.items() if end}
        ours = [uid for uid in dealt_with if self._is_ours_to_move(uid)]
        self.strays_lie |= len(ours) < len(dealt_with)
        self._connection.move([uid for uid in ours if ends[uid] == "handled"], self._mailbox.done_folder)
        self._connection.move([uid for uid in ours if ends[uid] == "quarantined"], self._mailbox.quarantine_folder)
        return len(dealt_with)

    def _is_ours_to_move(self, uid: int) -> bool:
        """Whether we handled it, or whoever did has left it lying; two who move one mail may make two of it."""
        first_seen = self._strays.get(uid)
        return first_seen is None or time.monotonic() - first_seen > STRAY_SECONDS

    def _may_go_on(self) -> bool:
        return self._go_on() and self._unavailable_in_a_row < UNAVAILABLE_IN_A_ROW

    def _handle_once(self, ref: MailRef, mail: Fetched) -> Disposition | None:
        claim = self._claim(ref)
        if claim != "ours":
            return claim
        try:
            self._handle(mail.raw, mail.arrived)
        except Unavailable as problem:
            log.warning("%s: mail %s is left for later: %s", ref.mailbox, ref.uid, problem)
            self._unavailable_in_a_row += not isinstance(problem, EngineFault)
            with self._ledger_lock:
                self._ledger.release(ref)
            return None
        except Exception as problem:  # whatever a hostile mail can break; the mailbox goes on
            log.exception("%s: mail %s broke its handler and is quarantined", ref.mailbox, ref.uid)
            why = f"its handler failed: {type(problem).__name__}"
            self._mark(ref, "quarantined", why)
            return "quarantined"
        self._unavailable_in_a_row = 0
        self._mark(ref, "handled")
        return "handled"

    def _mark(self, ref: MailRef, disposition: Disposition, why: str = "") -> None:
        with self._ledger_lock:
            self._ledger.mark_handled(ref, disposition, why)

    def _set_aside(self, ref: MailRef, why: str) -> Disposition | None:
        claim = self._claim(ref)
        if claim != "ours":
            return claim
        log.warning("%s: mail %s is quarantined: %s", ref.mailbox, ref.uid, why)
        self._mark(ref, "quarantined", why)
        return "quarantined"

    def _claim(self, ref: MailRef) -> Literal["ours"] | Disposition | None:
        with self._ledger_lock:
            claim = self._ledger.claim(ref, LEASE)
        if claim == "elsewhere":
            return None
        if claim != "ours":
            self._strays.setdefault(ref.uid, time.monotonic())
        return claim

    def _ref(self, uid: int, raw: bytes, head: Message | None) -> MailRef:
        digest = hashlib.sha256(raw).hexdigest()
        return MailRef(self._mailbox.name, self._connection.uidvalidity, uid, _message_id(head), digest)

    def _ref_unread(self, uid: int, size: int) -> MailRef:
        place = f"{self._connection.uidvalidity}:{uid}:{size}"
        return MailRef(
            self._mailbox.name, self._connection.uidvalidity, uid, "", hashlib.sha256(place.encode()).hexdigest()
        )


def _head(raw: bytes) -> Message | None:
    """The mail's headers; None where the parser cannot read them."""
    try:
        return BytesHeaderParser().parsebytes(raw[:HEAD_BYTES])
    except Exception:  # hostile headers raise many kinds, and the digest identifies the mail without them
        return None


def _field(head: Message | None, name: str) -> str:
    try:
        return str(head.get(name, "")) if head else ""
    except Exception:  # the same
        return ""


def _message_id(head: Message | None) -> str:
    """The Message-ID as text for people; what the parser cannot read is none."""
    # A database may refuse NUL or half a surrogate pair, and with it the mail, again and again.
    return "".join(filter(str.isprintable, _field(head, "Message-ID"))).strip()[:LONGEST_MESSAGE_ID]


def _sender(head: Message | None) -> str:
    """From whom a mail says it is, by which the order of their mails is kept."""
    return parseaddr(_field(head, "From")[:LONGEST_MESSAGE_ID])[1].lower()


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
