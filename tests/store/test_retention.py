"""Old rows are forgotten a little at a time; rows that are still needed, and the record, never."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from benchmarks.plans import statements
from countersign.certificates import Revoking
from countersign.models import GeneralEvent, GrantStatus, Status
from countersign.notifications import MailRef, RejectedInput
from countersign.permissions import Principal
from countersign.transitions import GrantEnd
from engine.credentials.client_certificates import ClientCertificates
from engine.notifications.deliveries import Deliveries
from engine.notifications.general import write_to_enabled
from engine.policy import apply_policy
from engine.upkeep import Kept
from sandbox.history import policy as policy_of_history
from sandbox.history import write_history
from store import Store, application_sessions
from store.retention import AT_ONCE, FEW_REQUESTS, Retention
from store.tables import application_sessions as application_sessions_table
from store.tables import (
    client_certificates,
    events,
    idempotency,
    mails,
    notifications,
    rejected_input,
    revoked_certificates,
    signals,
)
from tests.authority import Authority
from tests.store.requests import a_transition, approved, asking, kinds, opened, sent, transactions, unsent, write

ADA = Principal("ada", admin=True)

YEAR = timedelta(days=365)
KEPT = Kept(mails=timedelta(days=30), signals=timedelta(days=30), notifications=timedelta(days=30))
LATER = datetime.now(UTC) + YEAR


def count(store: Store, table: object) -> int:
    with store.database.reading() as connection:
        found: int = connection.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[arg-type]
    return found


def forget(store: Store, now: datetime = LATER) -> int:
    """Forget all that is old; how many turns it took."""
    retention, turns = Retention(store.database), 1
    while retention.forget_some(KEPT.oldest(now)):
        turns += 1
    return turns


def a_mail(number: int) -> MailRef:
    return MailRef("INBOX", 1, number, f"<{number}@test>", f"{number:064}")


def settled(store: Store, **changed: str) -> int:
    """A request that was rejected, and whose people were told."""
    number = opened(store, **changed).approval_id
    write(store, asking(number, "grace"))
    write(store, a_transition(number, "2.rejected", status=Status.REJECTED))
    for row in unsent(store, number, 1):
        Deliveries(store).mark(number, [sent(row.id, "<m@x>")])
    return number


def test_one_statement_tells_that_nothing_is_old(store: Store) -> None:
    settled(store)
    retention = Retention(store.database)
    assert len(statements(store, lambda: retention.forget_some(KEPT.oldest(datetime.now(UTC))))) == 1


def test_replies_to_repeated_calls_are_forgotten_after_a_day(store: Store) -> None:
    day, lease = timedelta(days=1), timedelta(minutes=1)
    store.idempotency.claim("t", "k", "d", lease)
    forget(store, datetime.now(UTC) + day - timedelta(minutes=1))
    assert store.idempotency.find("t", "k", "d", lease) == "busy"
    forget(store, datetime.now(UTC) + day)
    assert count(store, idempotency) == 0


def test_mails_that_were_dealt_with_long_ago_are_forgotten_and_others_not(store: Store) -> None:
    for number in range(3):
        store.inboxes.claim(a_mail(number), timedelta(seconds=30))
    store.inboxes.mark_handled(a_mail(0), "handled")
    store.inboxes.mark_handled(a_mail(1), "quarantined", "it broke the reader")
    forget(store, datetime.now(UTC))
    assert count(store, mails) == 3
    forget(store)
    with store.database.reading() as connection:
        assert connection.execute(select(mails.c.uid)).scalars().all() == [2]  # it was never dealt with


def test_what_was_turned_down_is_forgotten_with_the_mails(store: Store) -> None:
    transactions(store).rejected_inputs.record(
        RejectedInput(channel="email", source_id="<a@x>", approval_id=None, who="eve", reason="No.")
    )
    forget(store, datetime.now(UTC))
    assert count(store, rejected_input) == 1
    forget(store)
    assert count(store, rejected_input) == 0
    assert store.events.last_version() == count(store, events)


def test_signals_are_kept_while_their_request_waits(store: Store) -> None:
    waits, over = opened(store, device="vaults-1").approval_id, settled(store, device="vaults-2")
    for number in (waits, over, None):
        transactions(store).signals.add("ivan", number, "away", "Out of office")
    forget(store)
    with store.database.reading() as connection:
        assert connection.execute(select(signals.c.approval_id)).scalars().all() == [waits]


def test_notifications_are_kept_while_anything_may_still_happen_to_their_request(store: Store) -> None:
    waits, over = opened(store).approval_id, settled(store, device="web-2")
    granted, ended = approved(store, device="web-3"), approved(store, device="web-4")
    write(store, asking(waits, "grace"))
    end = GrantEnd(
        approval_id=ended, status=GrantStatus.ENDED, at=datetime.now(UTC), who="the clock", message="It ended."
    )
    transactions(store).granting.end(end)
    with store.database.transaction() as connection:  # as if all had been sent
        connection.execute(update(notifications).values(state="sent"))
    record = kinds(store, over)
    forget(store, datetime.now(UTC))
    assert numbers_with_notifications(store) == {waits, over, granted, ended}
    forget(store)
    assert numbers_with_notifications(store) == {waits, granted}
    assert kinds(store, over) == record


def test_what_was_not_sent_and_messages_that_show_what_is_over_are_kept(store: Store) -> None:
    unsent, shown = settled(store), settled(store, device="web-2")
    with store.database.transaction() as connection:
        connection.execute(update(notifications).where(notifications.c.approval_id == unsent).values(state="waiting"))
        connection.execute(
            update(notifications).where(notifications.c.approval_id == shown).values(shows=1, outdated=True)
        )
    forget(store)
    assert numbers_with_notifications(store) == {unsent, shown}


def numbers_with_notifications(store: Store) -> set[int]:
    with store.database.reading() as connection:
        return set(connection.execute(select(notifications.c.approval_id)).scalars())


@pytest.mark.parametrize("kept_back", [0, FEW_REQUESTS + 1])
def test_a_long_past_goes_a_little_at_a_time_whatever_is_kept_at_its_beginning(store: Store, kept_back: int) -> None:
    apply_policy(store, policy_of_history(), "ada")
    past = 4 * FEW_REQUESTS
    write_history(store, past, 0)
    first = min(numbers_with_notifications(store))
    with store.database.transaction() as connection:
        old = notifications.c.approval_id < first + kept_back
        connection.execute(update(notifications).where(old).values(state="waiting"))
    before = store.events.last_version()
    assert forget(store) >= past // FEW_REQUESTS
    assert len(numbers_with_notifications(store)) == kept_back
    assert count(store, mails) == 0
    assert store.events.last_version() == before == count(store, events)
    assert past <= AT_ONCE  # one turn may take all mails of this past


def test_notifications_about_no_request_are_forgotten_once_they_were_sent(store: Store) -> None:
    for key in ("sent", "waiting"):
        write_to_enabled(store, GeneralEvent.INBOX_UNREAD, key, ["ada"], {})
    with store.database.transaction() as connection:
        first = connection.execute(select(notifications.c.id)).scalars().first()
    assert first is not None
    Deliveries(store).mark(None, [sent(first, "<m@x>")])
    forget(store, datetime.now(UTC))
    assert count(store, notifications) == 2
    forget(store)
    with store.database.reading() as connection:
        assert connection.execute(select(notifications.c.state)).scalars().all() == ["waiting"]


def test_codes_that_nobody_used_are_forgotten_soon_and_used_ones_are_kept(store: Store) -> None:
    now = datetime.now(UTC)
    row = {"browser_hash": "", "host": "x", "session_id": "s", "person": "alice", "approval_id": 1}
    with store.database.transaction() as connection:
        times = {"code_ends_at": now, "ends_at": now + timedelta(hours=12)}
        codes = [application_sessions.add(connection, row | times) for _ in range(2)]
        cookie = application_sessions.open_once(connection, codes[0].partition("_")[0])
    forget(store, now + timedelta(minutes=30))
    assert count(store, application_sessions_table) == 2
    forget(store, now + timedelta(hours=2))
    with store.database.reading() as connection:
        assert application_sessions.by_code(connection, codes[0])
        assert not application_sessions.by_code(connection, codes[1])
    assert cookie


def test_client_certificates_are_forgotten_a_month_after_their_end_and_what_was_revoked_is_not(store: Store) -> None:
    authority = Authority()
    [trusted] = ClientCertificates(store).trust(authority.pem, ["access.example.com"], ADA, {})
    presented = authority.issue()
    ClientCertificates(store).check(presented.der, "access.example.com", "192.0.2.7")
    ClientCertificates(store).revoke(trusted, Revoking(serial=presented.serial), ADA, {})
    forget(store, presented.certificate.not_valid_after_utc + timedelta(days=29))
    assert count(store, client_certificates) == 1
    forget(store, presented.certificate.not_valid_after_utc + timedelta(days=31))
    assert (count(store, client_certificates), count(store, revoked_certificates)) == (0, 1)
