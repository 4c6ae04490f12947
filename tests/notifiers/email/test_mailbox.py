"""The watcher on real IMAP servers: each mail handled once, whatever happens to server, folder or mail."""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from countersign.errors import Unavailable
from countersign.notifications import MailRef
from notifiers.email.mailbox.intake import UNAVAILABLE_IN_A_ROW, EngineFault
from tests.notifiers.email.memory_ledger import MemoryLedger
from tests.notifiers.email.servers import Server, assert_soon_in, client_of, mails_in
from tests.notifiers.email.watching import SECONDS, Watching, mailbox_on

DONE = "Countersign/Done"
QUARANTINE = "Countersign/Quarantine"


def mail(body: str, message_id: str = "") -> bytes:
    return f"From: grace@example.test\r\nMessage-ID: <{message_id or body}@test>\r\n\r\n{body}\r\n".encode()


def test_mail_that_arrived_while_nothing_ran_is_handled_and_moved(server: Server, ledger: MemoryLedger) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    server.deliver(mail("one"))
    server.deliver(mail("two"))
    with Watching(mailbox_on(server), ledger) as watching:
        watching.until_handled(b"one", b"two")
        watching.until_read_through()
    assert watching.bodies == [b"one", b"two"]
    assert all(before <= arrived <= datetime.now(UTC) for _, arrived in watching.mails)
    assert (mails_in(server, "INBOX"), mails_in(server, DONE)) == ([], [b"one", b"two"])


def test_mail_wakes_the_idling_watcher(server: Server, ledger: MemoryLedger) -> None:
    with Watching(mailbox_on(server, renew_idle_seconds=600), ledger) as watching:
        watching.until(lambda: ledger.read_until is not None)
        for number in range(3):
            server.deliver(mail(str(number)))
            watching.until(lambda seen=number: len(watching.mails) > seen)  # type: ignore[misc]
    assert watching.bodies == [b"0", b"1", b"2"]


def test_silence_is_believed_for_a_while_only(server: Server, ledger: MemoryLedger) -> None:
    with Watching(mailbox_on(server, renew_idle_seconds=0.2), ledger) as watching:
        for _ in range(3):
            watching.until_read_through()
    assert watching.progress >= 3


def test_a_restarted_server_is_found_again(server: Server, ledger: MemoryLedger) -> None:
    with Watching(mailbox_on(server, renew_idle_seconds=600), ledger) as watching:
        watching.until(lambda: ledger.read_until is not None)
        server.stop()
        server.start()
        server.deliver(mail("after"))
        watching.until_handled(b"after")


def test_a_mail_that_breaks_its_handler_is_quarantined_and_the_rest_goes_on(
    server: Server, ledger: MemoryLedger
) -> None:
    def fragile(raw: bytes, arrived: datetime) -> None:
        if b"poison" in raw:
            raise RecursionError("secret words of the mail")

    for body in ("one", "poison", "three"):
        server.deliver(mail(body))
    with Watching(mailbox_on(server), ledger, fragile) as watching:
        watching.until(lambda: len(ledger.marked) == 3)
        watching.until_read_through()
    assert watching.bodies == [b"one", b"three"]
    assert mails_in(server, QUARANTINE) == [b"poison"]
    assert "its handler failed: RecursionError" in {why for _, _, why in ledger.marked.values()}


def test_a_mail_that_takes_long_holds_up_its_own_sender_alone(server: Server, ledger: MemoryLedger) -> None:
    others_handled = threading.Event()

    def slow(raw: bytes, arrived: datetime) -> None:
        if b"stranger" in raw:
            assert others_handled.wait(SECONDS)

    for body in ("stranger 1", "stranger 2"):
        server.deliver(f"From: Stranger <stranger@example.net>\r\n\r\n{body}\r\n".encode())
    for body in ("one", "two", "three"):
        server.deliver(mail(body))
    with Watching(mailbox_on(server, network_seconds=SECONDS), ledger, slow) as watching:
        watching.until(lambda: len(watching.bodies) == 3)
        assert watching.bodies == [b"one", b"two", b"three"]
        others_handled.set()
        watching.until(lambda: len(ledger.marked) == 5)
        watching.until_read_through()
    assert watching.bodies[3:] == [b"stranger 1", b"stranger 2"]
    assert mails_in(server, "INBOX") == []


def test_a_mail_is_fetched_that_is_as_big_as_providers_let_through(server: Server, ledger: MemoryLedger) -> None:
    line = b"x" * 998 + b"\r\n"
    server.deliver(b"From: grace@example.test\r\n\r\n" + line * 15_000)
    with Watching(mailbox_on(server, network_seconds=SECONDS), ledger) as watching:
        watching.until(lambda: len(ledger.marked) == 1)
    assert [len(raw) > 15_000_000 for raw, _ in watching.mails] == [True]


def test_mails_that_a_fault_of_ours_keeps_back_hold_up_no_other_and_are_not_lost(
    server: Server, ledger: MemoryLedger
) -> None:
    mended = False

    def faulty(raw: bytes, arrived: datetime) -> None:
        if b"kept back" in raw and not mended:
            raise EngineFault("An internal error.")

    kept_back = [f"kept back {number}" for number in range(2 * UNAVAILABLE_IN_A_ROW)]
    for body in (*kept_back, "last"):
        server.deliver(mail(body))
    with Watching(mailbox_on(server), ledger, faulty) as watching:
        watching.until(lambda: len(ledger.marked) == 1)
        assert watching.bodies == [b"last"]
        assert ledger.read_until is None
        mended = True
        watching.until_read_through()
    assert len(ledger.marked) == len(kept_back) + 1
    assert mails_in(server, QUARANTINE) == []


def test_a_mail_over_the_limit_is_quarantined_unread(server: Server, ledger: MemoryLedger) -> None:
    server.deliver(mail("big" * 1000))
    server.deliver(mail("small"))
    with Watching(mailbox_on(server, largest_mail_bytes=1000), ledger) as watching:
        watching.until(lambda: len(ledger.marked) == 2)
        watching.until_read_through()
    assert watching.bodies == [b"small"]
    assert mails_in(server, QUARANTINE) == [b"big" * 1000]


def test_of_a_mail_over_the_limit_the_header_alone_is_taken(server: Server, ledger: MemoryLedger) -> None:
    heads: list[bytes] = []

    def once_in_vain(head: bytes, arrived: datetime) -> None:
        assert datetime.now(UTC) - arrived < timedelta(minutes=5)
        heads.append(head)
        if len(heads) == 1:
            raise Unavailable("the database is down")

    server.deliver(mail("big" * 1000, "large"))
    with Watching(mailbox_on(server, largest_mail_bytes=1000), ledger, None, once_in_vain) as watching:
        watching.until(lambda: len(ledger.marked) == 1)
        watching.until_read_through()
    assert watching.bodies == []
    assert [head.strip() for head in heads] == [b"From: grace@example.test\r\nMessage-ID: <large@test>"] * 2
    ((ref, disposition, why),) = ledger.marked.values()
    assert (ref.message_id, disposition) == ("<large@test>", "quarantined")
    assert why.startswith("too big: 3")
    assert mails_in(server, QUARANTINE) == [b"big" * 1000]


def test_what_is_unavailable_is_tried_again_and_nothing_counts_as_read_before(
    server: Server, ledger: MemoryLedger
) -> None:
    down = threading.Event()
    tries = []

    def waiting_for_database(raw: bytes, arrived: datetime) -> None:
        tries.append(raw)
        if len(tries) == 3:
            down.set()
        if len(tries) < 4:
            raise Unavailable("the database is down")
        assert ledger.read_until is None

    server.deliver(mail("patient"))
    with Watching(mailbox_on(server), ledger, waiting_for_database) as watching:
        assert down.wait(SECONDS)
        watching.until_handled(b"patient")
        watching.until_read_through()
    assert mails_in(server, DONE) == [b"patient"]


def test_one_mail_that_stays_unavailable_does_not_hold_up_the_others(server: Server, ledger: MemoryLedger) -> None:
    def never_for_the_first(raw: bytes, arrived: datetime) -> None:
        if b"first" in raw:
            raise Unavailable("not yet")

    server.deliver(mail("first"))
    with Watching(mailbox_on(server), ledger, never_for_the_first) as watching:
        for body in (b"second", b"third"):
            server.deliver(mail(body.decode()))
            watching.until(lambda wanted=body: wanted in watching.bodies)  # type: ignore[misc]
    assert mails_in(server, "INBOX") == [b"first"]
    assert ledger.read_until is None


def test_the_same_message_id_on_other_content_is_another_mail(server: Server, ledger: MemoryLedger) -> None:
    for body in ("one", "two"):
        server.deliver(mail(body, message_id="same"))
    with Watching(mailbox_on(server), ledger) as watching:
        watching.until_handled(b"one", b"two")


def test_mail_handled_but_not_moved_before_a_crash_is_not_handled_again(server: Server, ledger: MemoryLedger) -> None:
    server.deliver(mail("one"))
    with Watching(mailbox_on(server), ledger) as watching:
        watching.until_read_through()
    with client_of(server, DONE) as client:
        client.move(client.search(), "INBOX")
    with Watching(mailbox_on(server, renew_idle_seconds=600), ledger) as again:
        assert_soon_in(server, DONE, [b"one"])
    assert (watching.bodies, again.bodies) == ([b"one"], [])


def test_two_watchers_share_the_work_without_doing_any_of_it_twice(server: Server, ledger: MemoryLedger) -> None:
    bodies = [f"mail {number}".encode() for number in range(120)]
    for body in bodies[:60]:
        server.deliver(mail(body.decode()))
    with Watching(mailbox_on(server), ledger) as one, Watching(mailbox_on(server), ledger) as other:
        for body in bodies[60:]:
            server.deliver(mail(body.decode()))
        one.until(lambda: len(ledger.marked) == len(bodies))
        one.until_read_through()
        other.until_read_through()
    assert sorted(one.bodies + other.bodies) == sorted(bodies)
    assert sorted(mails_in(server, DONE)) == sorted(bodies)


def test_a_claim_whose_watcher_died_is_taken_over_once_its_lease_ends(server: Server, ledger: MemoryLedger) -> None:
    settings = mailbox_on(server)
    raw = mail("one")
    dead = MailRef(settings.name, 1, 1, "", hashlib.sha256(raw).hexdigest())
    assert ledger.claim(dead, timedelta(seconds=1)) == "ours"
    server.deliver(raw)
    with Watching(settings, ledger) as watching:
        watching.until(lambda: ledger.claims_refused > 0)
        assert watching.bodies == []
        watching.until_handled(b"one")


def test_folders_removed_under_it_are_made_again(server: Server, ledger: MemoryLedger) -> None:
    with Watching(mailbox_on(server), ledger) as watching:
        watching.until_read_through()
        with client_of(server) as client:
            client.delete_folder(DONE)
        server.deliver(mail("one"))
        watching.until_handled(b"one")
        watching.until_read_through()
    assert mails_in(server, DONE) == [b"one"]


def test_a_folder_moved_away_under_it_is_found_again(server: Server, ledger: MemoryLedger) -> None:
    with Watching(mailbox_on(server, folder="Approvals"), ledger) as watching, client_of(server) as person:
        watching.until_read_through()
        person.rename_folder("Approvals", "Elsewhere")
        with suppress(person.Error):  # the watcher may be first
            person.create_folder("Approvals")
        person.append("Approvals", mail("one"))
        watching.until_handled(b"one")
