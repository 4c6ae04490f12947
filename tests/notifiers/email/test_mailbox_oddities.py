"""The watcher on servers that behave oddly, each as some real one does."""

from __future__ import annotations

import gc
import itertools
import warnings
from datetime import timedelta

import pytest

from countersign.errors import Unavailable
from countersign.notifications import MailRef
from notifiers.email import mailbox
from notifiers.email.mailbox.fetch_retries import ATTEMPTS, FetchRetries
from notifiers.email.mailbox.imap import Connection
from notifiers.email.mailbox.intake import UNAVAILABLE_IN_A_ROW, Intake
from notifiers.engine import Claim
from tests.notifiers.email.memory_ledger import MemoryLedger
from tests.notifiers.email.odd_server import Oddity, OddServer
from tests.notifiers.email.servers import Sandbox
from tests.notifiers.email.watching import SECONDS, Watching, mailbox_on, nothing
from tests.proxy import Proxy

MAIL = b"Message-ID: <one@test>\r\n\r\none"


def test_news_told_before_idling_is_heard(ledger: MemoryLedger) -> None:
    with (
        OddServer("speaks before idling") as server,
        Watching(mailbox_on(server, renew_idle_seconds=600), ledger) as watching,
    ):
        watching.until(lambda: ledger.read_until is not None)
        server.deliver(MAIL)
        watching.until_handled(b"one")
        server.oddity = None


@pytest.mark.parametrize("oddity", ["refuses to idle", "ends idle at once", "cries wolf"])
def test_a_connection_that_makes_no_sense_is_made_anew_without_haste(
    oddity: Oddity, ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "EMPTY_WAKE_SECONDS", 0.4)  # what counts as at once on a busy machine
    with OddServer(oddity) as server, Watching(mailbox_on(server), ledger) as watching:
        server.deliver(MAIL)
        watching.until_handled(b"one")
        with server.changed:
            assert server.changed.wait_for(lambda: server.sessions >= 3, SECONDS)
        server.oddity = None
        server.deliver(MAIL.replace(b"one", b"two"))
        watching.until_handled(b"one", b"two")
    assert server.moved == [MAIL, MAIL.replace(b"one", b"two")]


def test_a_connection_that_the_server_ended_first_is_closed_here_too() -> None:
    with (
        Sandbox() as server,
        Proxy((server.host, server.port)) as proxy,
        Connection(mailbox_on(server, port=proxy.port)) as connection,
    ):
        proxy.cut()
    with warnings.catch_warnings(record=True) as left_open:
        warnings.simplefilter("always", ResourceWarning)
        del connection
        gc.collect()
    assert left_open == []


def test_a_mail_withheld_for_a_while_is_read_later(ledger: MemoryLedger, caplog: pytest.LogCaptureFixture) -> None:
    with OddServer("withholds") as server, Watching(mailbox_on(server), ledger) as watching:
        server.deliver(MAIL)
        server.deliver(MAIL.replace(b"one", b"two"))
        watching.until_logged(caplog, "the server does not give mails [1]:")
        assert watching.bodies == []
        server.oddity = None
        watching.until_handled(b"one", b"two")


def test_where_no_folder_can_be_made_mails_are_handled_all_the_same(ledger: MemoryLedger) -> None:
    with OddServer("no folders") as server, Watching(mailbox_on(server), ledger) as watching:
        server.deliver(MAIL)
        watching.until_handled(b"one")


def test_a_mail_withheld_for_good_is_given_up_and_holds_nothing_up(ledger: MemoryLedger) -> None:
    with OddServer("withholds") as server:
        server.deliver(MAIL)
        retries = FetchRetries(clock=itertools.count(step=1000).__next__)
        settings = mailbox_on(server)
        with Connection(settings) as connection:
            intake = Intake(connection, settings, ledger, nothing, lambda: True, retries)
            looks = [intake.take_all() for _ in range(ATTEMPTS)]
    assert looks == [(0, 1)] * (ATTEMPTS - 1) + [(1, 0)]  # the first look asks twice
    assert [why for _, _, why in ledger.marked.values()] == ["the server does not give it"]
    assert server.moved == [MAIL]


def test_when_all_is_down_the_rest_is_not_tried(ledger: MemoryLedger) -> None:
    tried = []

    def down(raw: bytes, arrived: object, whole: bool) -> None:
        tried.append(raw)
        raise Unavailable("the database is down")

    with OddServer("withholds") as server:
        server.oddity = None
        for number in range(3 * UNAVAILABLE_IN_A_ROW):
            server.deliver(b"Subject: x\r\n\r\n%d" % number)
        settings = mailbox_on(server)
        with Connection(settings) as connection:
            intake = Intake(connection, settings, ledger, down, lambda: True, FetchRetries())
            assert intake.take_all() == (0, 3 * UNAVAILABLE_IN_A_ROW)
    assert len(tried) == UNAVAILABLE_IN_A_ROW


def test_a_ledger_that_is_down_is_waited_for(ledger: MemoryLedger) -> None:
    class DownAtFirst(MemoryLedger):
        calls = 0

        def claim(self, mail: MailRef, lease: timedelta) -> Claim:
            self.calls += 1
            if self.calls < 3:
                raise Unavailable("the database is down")
            return super().claim(mail, lease)

    with OddServer("no folders") as server, Watching(mailbox_on(server), DownAtFirst()) as watching:
        server.deliver(MAIL)
        watching.until_handled(b"one")
