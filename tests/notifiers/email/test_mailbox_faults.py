"""The watcher when the network fails: through a proxy that cuts, refuses, freezes, delays and garbles."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from notifiers.email.mailbox.login import Mailbox
from tests.notifiers.email.memory_ledger import MemoryLedger
from tests.notifiers.email.servers import Server, assert_soon_in, mails_in
from tests.notifiers.email.watching import Watching, mailbox_on
from tests.proxy import Proxy

DONE = "Countersign/Done"


def mail(body: str) -> bytes:
    return f"From: grace@example.test\r\nMessage-ID: <{body}@test>\r\n\r\n{body}\r\n".encode()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy((server.host, server.port)) as running:
        yield running


@pytest.fixture
def settings(server: Server, proxy: Proxy) -> Mailbox:
    # IDLE is renewed so rarely that only the fault itself can make the watcher reconnect.
    return mailbox_on(server, port=proxy.port, renew_idle_seconds=600)


def test_cut_while_idling(server: Server, proxy: Proxy, settings: Mailbox, ledger: MemoryLedger) -> None:
    with Watching(settings, ledger) as watching:
        watching.until(lambda: ledger.read_until is not None)
        for number in range(3):
            proxy.cut()
            server.deliver(mail(str(number)))
            watching.until(lambda seen=number: len(ledger.marked) > seen)  # type: ignore[misc]
    assert watching.bodies == [b"0", b"1", b"2"]
    assert proxy.connections == 4


def test_it_says_that_it_looks_while_nobody_answers(proxy: Proxy, settings: Mailbox, ledger: MemoryLedger) -> None:
    proxy.refuse()
    with Watching(settings, ledger) as watching:
        watching.until(lambda: ledger.looked_at is not None)
        first = ledger.looked_at
        watching.until(lambda: ledger.looked_at != first)
        assert ledger.read_until is None


def test_frozen_while_idling(server: Server, proxy: Proxy, settings: Mailbox, ledger: MemoryLedger) -> None:
    """Nothing shows that the connection is dead; the watcher finds out only by renewing IDLE."""
    short = settings.model_copy(update={"renew_idle_seconds": 0.5, "network_seconds": 0.5})
    with Watching(short, ledger) as watching:
        watching.until(lambda: ledger.read_until is not None)
        proxy.freeze()
        server.deliver(mail("in the dark"))
        read = ledger.read_until
        watching.until_connections(proxy, 2)
        assert ledger.read_until == read or watching.bodies == []
        proxy.thaw()
        watching.until_handled(b"in the dark")
        watching.until_read_through()
    assert mails_in(server, DONE) == [b"in the dark"]


def test_frozen_while_mails_are_read(server: Server, proxy: Proxy, settings: Mailbox, ledger: MemoryLedger) -> None:
    bodies = [f"mail {number}".encode() for number in range(120)]
    for body in bodies:
        server.deliver(mail(body.decode()))

    def freeze_in_the_midst(raw: bytes, arrived: object) -> None:
        if b"mail 60\r\n" in raw and proxy.connections == 1:
            proxy.freeze()

    short = settings.model_copy(update={"network_seconds": 0.5})
    with Watching(short, ledger, freeze_in_the_midst) as watching:
        watching.until_connections(proxy, 2)
        proxy.thaw()
        watching.until_handled(*bodies)
        watching.until(lambda: ledger.read_until is not None)
    assert sorted(mails_in(server, DONE)) == sorted(bodies)


def test_refused_for_a_while(server: Server, proxy: Proxy, settings: Mailbox, ledger: MemoryLedger) -> None:
    proxy.refuse()
    server.deliver(mail("waiting"))
    with Watching(settings, ledger) as watching:
        watching.until_refused(proxy, 3)
        proxy.refuse(False)
        watching.until_handled(b"waiting")


def test_garbled_answers(server: Server, proxy: Proxy, settings: Mailbox, ledger: MemoryLedger) -> None:
    with Watching(settings, ledger) as watching:
        watching.until(lambda: ledger.read_until is not None)
        proxy.garble(2)
        server.deliver(mail("one"))
        watching.until_handled(b"one")
    assert proxy.connections > 1


def test_a_slow_line(server: Server, proxy: Proxy, settings: Mailbox, ledger: MemoryLedger) -> None:
    proxy.delay = 0.05
    for body in ("one", "two"):
        server.deliver(mail(body))
    with Watching(settings, ledger) as watching:
        watching.until_handled(b"one", b"two")
    assert proxy.connections == 1


def test_cut_again_and_again_while_a_flood_is_read(
    server: Server, proxy: Proxy, settings: Mailbox, ledger: MemoryLedger
) -> None:
    bodies = [f"mail {number}".encode() for number in range(300)]
    for body in bodies:
        server.deliver(mail(body.decode()))

    def cut_now_and_then(raw: bytes, arrived: object) -> None:
        if raw.strip().endswith((b"40", b"90")) and proxy.connections < 5:
            proxy.cut()

    with Watching(settings, ledger, cut_now_and_then) as watching:
        watching.until_handled(*bodies)
        # What was marked but not moved when a cut came is moved a little later.
        assert_soon_in(server, DONE, bodies)
    assert proxy.connections == 5


def test_stopping_is_quick_even_when_the_server_is_gone(
    server: Server, proxy: Proxy, settings: Mailbox, ledger: MemoryLedger
) -> None:
    with Watching(settings, ledger) as watching:
        watching.until(lambda: ledger.read_until is not None)
        proxy.refuse()
        proxy.cut()
        watching.until_refused(proxy, 1)
    assert watching.bodies == []
