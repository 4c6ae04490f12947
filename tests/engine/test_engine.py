"""The engine while Temporal is down: what came in is kept, and nobody hears that it counted.

What it does when all is well is tested on the whole engine, in tests/workflows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import update

from countersign.client import Client
from countersign.errors import NotAllowed, NotFound, Refused, Unavailable
from countersign.models import GrantStatus, Status
from countersign.permissions import Principal
from engine.engine import Engine
from engine.policy import apply_policy
from engine.settling import OVERDUE_AFTER
from sandbox.temporal_server import free_port
from store import Store
from store.tables import grants
from tests.store.requests import approved, asking, given, kinds, opened, soon, transactions, write
from tests.workflows.people import policy


def engine_of(store: Store, client: Client) -> Engine:
    return Engine(client, store)


@pytest_asyncio.fixture
async def store(sqlite_url: str) -> AsyncIterator[Store]:
    store = Store(sqlite_url)
    yield store
    store.close()


@pytest_asyncio.fixture
async def engine(store: Store) -> Engine:
    """An engine whose Temporal server does not run."""
    apply_policy(store, policy(), "ada")
    return engine_of(store, await Client.connect(f"127.0.0.1:{free_port()}", lazy=True))


async def test_an_answer_is_kept_open_for_the_sweeper(engine: Engine, store: Store) -> None:
    number = opened(store).approval_id
    write(store, asking(number, "grace"))
    answer = await engine.store_answer(given(number, at=soon(-60)))
    with pytest.raises(Unavailable):
        await engine.submit(answer)
    with pytest.raises(Unavailable):
        await engine.submit_left_over()
    assert store.answers.outcome(answer.id)[:2] == ("open", "")
    assert kinds(store, number) == ["opened", "level_started"]


async def test_what_was_judged_needs_no_temporal(engine: Engine, store: Store) -> None:
    number = approved(store)
    counted = store.reading.request(number).decisions[0].answer_id
    stored = await engine.store_answer(given(number))
    transactions(store).answers.refuse(stored.id, Refused("Too late."), notifies_sender=False)
    judged = await engine.submit(stored)
    assert (judged.accepted, judged.message) == (False, "Too late.")
    assert store.answers.outcome(counted)[0] == "accepted"


async def test_who_may_not_is_told_so_before_temporal_is_asked(engine: Engine, store: Store) -> None:
    number = opened(store).approval_id
    with pytest.raises(NotAllowed, match=r"Only Alice A\. or an admin may cancel"):
        await engine.cancel(number, Principal("bob"), "page")
    with pytest.raises(NotAllowed, match="Only an approver"):
        await engine.revoke(number, Principal("bob"), "page")
    with pytest.raises(Refused, match="has no grant to revoke"):
        await engine.revoke(number, Principal("ada"), "page")
    with pytest.raises(NotFound):
        await engine.cancel(number + 1, Principal("alice"), "page")


async def test_without_a_policy_nothing_is_open_to_look_at(store: Store) -> None:
    engine = engine_of(store, await Client.connect(f"127.0.0.1:{free_port()}", lazy=True))
    await engine.enforce_directory()
    await engine.submit_left_over()
    assert store.events.last_version() == 0


async def test_a_signal_is_kept_though_temporal_is_away(engine: Engine, store: Store) -> None:
    number = opened(store).approval_id
    write(store, asking(number, "grace"))
    await engine.report("grace", number, "unreachable", "550 no such user")
    assert kinds(store, number)[-1] == "unreachable"
    with pytest.raises(Unavailable):
        await engine.enforce_directory()
    assert transactions(store).rechecks.due() == [number]


async def test_an_answer_is_left_to_its_channel_for_a_while(engine: Engine, store: Store) -> None:
    number = opened(store).approval_id
    answer = await engine.store_answer(given(number, at=soon(-1)))
    await engine.submit_left_over()
    assert [one.id for one in store.answers.waiting(answer.at + timedelta(seconds=1))] == [answer.id]


async def test_a_request_is_cancelled_on_record_and_the_same_call_again_hears_so(engine: Engine, store: Store) -> None:
    number = opened(store).approval_id
    write(store, asking(number, "grace"))
    for _ in range(2):
        judged = await engine.cancel(number, Principal("alice"), "page", "not needed", undo_id="key-1")
        assert (judged.accepted, judged.status, judged.message) == (
            True,
            Status.CANCELLED,
            "Cancelled by Alice A.: not needed",
        )
    assert kinds(store, number).count("cancelled") == 1
    with pytest.raises(Refused, match=f"#{number} is already Cancelled: Cancelled by Alice A"):
        await engine.cancel(number, Principal("ada"), "page", undo_id="key-2")


async def test_what_was_decided_before_is_not_cancelled_on_record(engine: Engine, store: Store) -> None:
    number = approved(store)
    with pytest.raises(Refused, match=f"#{number} is already Approved"):
        await engine.cancel(number, Principal("alice"), "page", undo_id="key-1")


@pytest.mark.parametrize(
    ("how", "who", "kind"), [("revoke", "grace", "grant_revoked"), ("give_back", "alice", "grant_ended")]
)
async def test_a_grant_is_ended_on_record_and_the_same_call_again_hears_so(
    engine: Engine, store: Store, how: str, who: str, kind: str
) -> None:
    number = approved(store)
    for _ in range(2):
        await getattr(engine, how)(number, Principal(who), "page", undo_id="key-1")
    grant = store.reading.request(number).grant
    assert grant is not None
    assert grant.status is not GrantStatus.ACTIVE
    assert kinds(store, number).count(kind) == 1
    with pytest.raises(Refused, match="over already"):
        await engine.revoke(number, Principal("ada"), "page", undo_id="key-2")


async def test_the_grant_of_somebody_disabled_is_revoked_on_record(engine: Engine, store: Store) -> None:
    number = approved(store)
    apply_policy(store, policy(disabled=("alice",)), "ada")
    await engine.enforce_directory()
    grant = store.reading.request(number).grant
    assert grant is not None
    assert grant.status is GrantStatus.REVOKED
    assert kinds(store, number).count("grant_revoked") == 1


async def test_grants_that_are_over_are_ended_on_record(engine: Engine, store: Store) -> None:
    number = approved(store)
    await engine.end_overdue()
    assert "grant_ended" not in kinds(store, number)
    with store.database.transaction() as connection:
        past = datetime.now(UTC) - 2 * OVERDUE_AFTER
        connection.execute(update(grants).where(grants.c.approval_id == number).values(ends_at=past))
    await engine.end_overdue()
    grant = store.reading.request(number).grant
    assert grant is not None
    assert grant.status is GrantStatus.ENDED
    assert kinds(store, number).count("grant_ended") == 1
