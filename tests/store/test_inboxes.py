"""The ledger of mail: only one of many watchers handles a mail, and a claim whose lease is over is taken over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from countersign.notifications import MailRef
from store import Store
from tests.store.requests import at_once

LEASE = timedelta(minutes=5)
OVER = timedelta(seconds=-1)


@dataclass(frozen=True)
class Mail(MailRef):
    mailbox: str = "INBOX@mail.example.test"
    digest: str = "d" * 64
    uidvalidity: int = 1
    uid: int = 1
    message_id: str = "<one@example.test>"


def test_one_of_many_claims_it(store: Store) -> None:
    heard = at_once(lambda: store.inboxes.claim(Mail(), LEASE))
    assert sorted(heard) == ["elsewhere"] * 3 + ["ours"]


def test_the_same_mail_under_another_number_is_the_same_mail(store: Store) -> None:
    assert store.inboxes.claim(Mail(), LEASE) == "ours"
    assert store.inboxes.claim(Mail(uidvalidity=2, uid=77), LEASE) == "elsewhere"
    assert store.inboxes.claim(Mail(digest="e" * 64), LEASE) == "ours"
    assert store.inboxes.claim(Mail(mailbox="other"), LEASE) == "ours"


def test_a_claim_whose_lease_is_over_is_taken_by_one(store: Store) -> None:
    assert store.inboxes.claim(Mail(), OVER) == "ours"
    heard = at_once(lambda: store.inboxes.claim(Mail(), LEASE))
    assert sorted(heard) == ["elsewhere"] * 3 + ["ours"]


def test_a_claim_can_be_given_back(store: Store) -> None:
    store.inboxes.claim(Mail(), LEASE)
    store.inboxes.release(Mail())
    assert store.inboxes.claim(Mail(), LEASE) == "ours"


def test_what_was_handled_or_quarantined_stays_so(store: Store) -> None:
    bad = Mail(digest="b" * 64)
    for mail, disposition in ((Mail(), "handled"), (bad, "quarantined")):
        store.inboxes.claim(mail, OVER)
        store.inboxes.mark_handled(mail, disposition, "why")
        store.inboxes.release(mail)
        assert store.inboxes.claim(mail, LEASE) == disposition


def test_a_message_id_of_any_length_is_kept(store: Store) -> None:
    assert store.inboxes.claim(Mail(message_id="<" + "x" * 5000 + ">"), LEASE) == "ours"


def test_what_was_quarantined_lately_is_counted_for_each_mailbox(store: Store) -> None:
    for digest, why in (("d", "too big"), ("e", "its handler failed"), ("f", "")):
        store.inboxes.claim(Mail(digest=digest * 64), LEASE)
        store.inboxes.mark_handled(Mail(digest=digest * 64), "quarantined" if why else "handled", why)
    now = datetime.now(UTC)
    assert store.inboxes.quarantined(now - timedelta(hours=1)) == [(Mail().mailbox, 2, "its handler failed")]
    assert store.inboxes.quarantined(now + timedelta(hours=1)) == []
