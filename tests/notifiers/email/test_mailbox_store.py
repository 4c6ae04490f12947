"""The watcher with the real ledger: several of them on one database never do the same work twice."""

from __future__ import annotations

from datetime import datetime, timedelta

from countersign.notifications import MailRef
from notifiers.engine import Claim, Disposition
from store import Store
from tests.notifiers.email.memory_ledger import MemoryLedger
from tests.notifiers.email.servers import Sandbox, assert_soon_in
from tests.notifiers.email.watching import Watching, mailbox_on

HOSTILE = [
    b"Message-ID: <nul\0@test>",
    b"Message-ID: \xff\xfe\xed\xa0\x80",
    b"Message-ID: =?utf-8?q?=00=ED=A0=80?=",
    b"Message-ID: " + b"x" * 5000,
    b"Message-ID: " + "\N{RIGHT-TO-LEFT OVERRIDE}".encode(),
    b"Message-ID",
    b"",
]


class StoreLedger(MemoryLedger):
    """The store's ledger, which a test can wait on: claims and marks go to the database first."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store

    def claim(self, mail: MailRef, lease: timedelta) -> Claim:
        return self.store.inboxes.claim(mail, lease)

    def mark_handled(self, mail: MailRef, disposition: Disposition, why: str = "") -> None:
        self.store.inboxes.mark_handled(mail, disposition, why)
        super().mark_handled(mail, disposition, why)

    def read_through(self, inbox: str, at: datetime) -> None:
        self.store.inboxes.read_through(inbox, at)
        with self.changed:
            self.read_until = at
            self.changed.notify_all()


def test_two_watchers_on_one_database_handle_each_mail_once(database_url: str) -> None:
    store = Store(database_url)
    bodies = [f"mail {number}".encode() for number in range(60)]
    with Sandbox() as server:
        for body in bodies[:30]:
            server.deliver(b"Subject: x\r\n\r\n" + body)
        ledger = StoreLedger(store)
        with Watching(mailbox_on(server), ledger) as one, Watching(mailbox_on(server), ledger) as other:
            for body in bodies[30:]:
                server.deliver(b"Subject: x\r\n\r\n" + body)
            one.until(lambda: len(ledger.marked) == len(bodies))
            assert_soon_in(server, "Countersign/Done", bodies)
    store.close()
    assert sorted(one.bodies + other.bodies) == sorted(bodies)


def test_no_message_id_keeps_a_mail_out_of_the_ledger(database_url: str) -> None:
    store = Store(database_url)
    bodies = [str(number).encode() for number in range(len(HOSTILE))]
    with Sandbox() as server:
        for header, body in zip(HOSTILE, bodies, strict=True):
            server.deliver(b"Subject: x\r\n" + header + b"\r\n\r\n" + body)
        with Watching(mailbox_on(server), StoreLedger(store)) as watching:
            watching.until(lambda: len(watching.ledger.marked) == len(HOSTILE))
    store.close()
    assert len(watching.mails) == len(HOSTILE)
