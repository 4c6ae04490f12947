"""The watcher on servers that differ: numbering, folders, extensions, encryption, permissions. All on Dovecot."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifiers.email.mailbox.imap import Connection
from tests.dovecot import WHY_NOT, Account, Dovecot, dovecot_binary
from tests.notifiers.email.memory_ledger import MemoryLedger
from tests.notifiers.email.servers import assert_soon_in, client_of, mails_in
from tests.notifiers.email.watching import Watching, mailbox_on

pytestmark = pytest.mark.skipif(dovecot_binary() is None, reason=WHY_NOT)
DONE = "Countersign/Done"
QUARANTINE = "Countersign/Quarantine"
WITH_IDLE = "IMAP4rev1 NAMESPACE IDLE"


def mail(body: str) -> bytes:
    return f"From: grace@example.test\r\nMessage-ID: <{body}@test>\r\n\r\n{body}\r\n".encode()


def offering(capabilities: str) -> str:
    return f"protocol imap {{\n  imap_capability = {capabilities}\n}}\n"


@pytest.fixture
def own_dovecot() -> Iterator[Dovecot]:
    """A Dovecot of the test's own, which it may stop."""
    with Dovecot() as server:
        yield server


def test_a_renumbered_mailbox_is_read_again_but_nothing_is_handled_again(
    own_dovecot: Dovecot, ledger: MemoryLedger
) -> None:
    account = Account(own_dovecot, "countersign")
    for body in ("one", "two"):
        account.deliver(mail(body))
    with Watching(mailbox_on(account), ledger) as watching:
        watching.until_handled(b"one", b"two")
        watching.until_read_through()
        account.stop()
        for path in (account.maildir / ".Countersign.Done" / "cur").iterdir():  # as if restored from a backup
            path.rename(account.maildir / "cur" / path.name)
        account.renumber()
        account.deliver(mail("three"))
        account.start()
        watching.until_handled(b"one", b"two", b"three")
        assert_soon_in(account, DONE, [b"one", b"two", b"three"])
    assert len({ref.uidvalidity for ref, _, _ in ledger.marked.values()}) == 2


def test_login_refused_for_a_while(
    own_dovecot: Dovecot, ledger: MemoryLedger, caplog: pytest.LogCaptureFixture
) -> None:
    account = Account(own_dovecot, "countersign")
    own_dovecot.stop()
    own_dovecot.start(password="other")
    account.deliver(mail("waiting"))
    with Watching(mailbox_on(account), ledger) as watching:
        watching.until_logged(caplog, "LoginError")
        own_dovecot.stop()
        own_dovecot.start()
        watching.until_handled(b"waiting")
    assert account.password not in caplog.text


@pytest.mark.parametrize("more", [" UIDPLUS", ""])
def test_without_move_mail_is_copied_and_expunged(more: str, ledger: MemoryLedger) -> None:
    with Dovecot(more=offering(WITH_IDLE + more)) as server:
        account = Account(server, "countersign")
        for body in ("one", "poison", "two"):
            account.deliver(mail(body))
        with Watching(mailbox_on(account), ledger, breaks_on_poison) as watching:
            watching.until(lambda: len(ledger.marked) == 3)
            watching.until_read_through()
        assert (mails_in(account, "INBOX"), mails_in(account, DONE)) == ([], [b"one", b"two"])
        assert mails_in(account, QUARANTINE) == [b"poison"]


def breaks_on_poison(raw: bytes, arrived: object) -> None:
    if b"poison" in raw:
        raise ValueError


def test_with_uidplus_only_our_own_mails_are_expunged(ledger: MemoryLedger) -> None:
    with Dovecot(more=offering(WITH_IDLE + " UIDPLUS")) as server:
        account = Account(server, "countersign")
        for body in ("theirs", "ours"):
            account.deliver(mail(body))
        with client_of(account) as person:
            theirs, ours = person.search()
            person.delete_messages([theirs])
        with Connection(mailbox_on(account)) as connection:
            connection.move([ours], DONE)
        assert (mails_in(account, "INBOX"), mails_in(account, DONE)) == ([b"theirs"], [b"ours"])


def test_without_idle_the_mailbox_is_polled(ledger: MemoryLedger) -> None:
    with Dovecot(more=offering("IMAP4rev1 NAMESPACE MOVE UIDPLUS")) as server:
        account = Account(server, "countersign")
        with Watching(mailbox_on(account, renew_idle_seconds=600), ledger) as watching:
            watching.until_read_through()
            account.deliver(mail("one"))
            watching.until_handled(b"one")


def test_folders_are_made_where_the_server_wants_them(ledger: MemoryLedger) -> None:
    with Dovecot(prefix="INBOX.", separator=".") as server:
        account = Account(server, "countersign")
        account.deliver(mail("one"))
        with Watching(mailbox_on(account), ledger) as watching:
            watching.until_handled(b"one")
            watching.until_read_through()
        assert mails_in(account, "INBOX.Countersign.Done") == [b"one"]


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_encrypted_connections_wake_as_well(security: str, ledger: MemoryLedger) -> None:
    with Dovecot(tls=True) as server:
        account = Account(server, "countersign")
        settings = mailbox_on(account, **server.settings_for(security), renew_idle_seconds=600)
        with Watching(settings, ledger) as watching:
            watching.until(lambda: ledger.read_until is not None)
            for number in range(3):
                account.deliver(mail(str(number)))
                watching.until(lambda seen=number: len(watching.mails) > seen)  # type: ignore[misc]
    assert watching.bodies == [b"0", b"1", b"2"]


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_server_that_cannot_prove_who_it_is_gets_no_password(security: str) -> None:
    with Dovecot(tls=True) as server:
        settings = mailbox_on(Account(server, "countersign"), **server.settings_for(security) | {"ca_file": None})
        with pytest.raises(ssl.SSLCertVerificationError):
            Connection(settings)
        assert "auth attempts" not in server.log().replace("no auth attempts", "")


def test_a_server_without_starttls_gets_no_password(account: Account) -> None:
    with pytest.raises(Exception, match="STARTTLS"):
        Connection(mailbox_on(account, security="starttls"))


def test_what_cannot_be_moved_stays_and_holds_nothing_up(account: Account, ledger: MemoryLedger) -> None:
    with Watching(mailbox_on(account), ledger) as watching:
        watching.until_read_through()
        (account.maildir / ".Countersign.Done").chmod(0)
        account.deliver(mail("one"))
        watching.until_handled(b"one")
        account.deliver(mail("two"))
        watching.until_handled(b"one", b"two")
        watching.until_read_through()
    (account.maildir / ".Countersign.Done").chmod(0o700)
    assert mails_in(account, "INBOX") == [b"one", b"two"]
    with Watching(mailbox_on(account), ledger) as again:
        assert_soon_in(account, DONE, [b"one", b"two"])
    assert again.bodies == []


def test_a_mail_the_server_cannot_give_does_not_hide_the_others(account: Account, ledger: MemoryLedger) -> None:
    for body in ("one", "broken", "three"):
        account.deliver(mail(body))
    with client_of(account) as person:  # so that the server knows them all
        assert len(person.search()) == 3
    broken = next(path for path in all_mails(account.maildir) if b"broken" in path.read_bytes())
    broken.chmod(0)
    with Watching(mailbox_on(account), ledger) as watching:
        watching.until_handled(b"one", b"three")
        broken.chmod(0o600)
        watching.until_handled(b"one", b"three", b"broken")
        watching.until_read_through()


def all_mails(maildir: Path) -> list[Path]:
    return [*(maildir / "cur").iterdir(), *(maildir / "new").iterdir()]
