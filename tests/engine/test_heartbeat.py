"""Heartbeats: which workers are alive, and by which channels this installation can send."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from engine.heartbeat import CHANNEL_KEPT, DEAD_AFTER, FORGOTTEN_AFTER, channels_set_up, this_worker, write_heartbeat
from store import Store
from store.workers import Worker


def later(worker: Worker, by: timedelta) -> Worker:
    return worker.model_copy(update={"seen_at": worker.seen_at + by})


def test_a_worker_has_one_row_with_its_last_sign_of_life(store: Store) -> None:
    worker = this_worker(["email"])
    write_heartbeat(store, worker)
    write_heartbeat(store, later(worker, DEAD_AFTER))
    [seen] = store.workers.seen(worker.seen_at)
    assert (seen.id, seen.channels, seen.started_at) == (worker.id, ["email"], worker.started_at)
    assert seen.seen_at == worker.seen_at + DEAD_AFTER
    assert store.workers.seen(seen.seen_at + timedelta(seconds=1)) == []


def test_a_channel_is_set_up_while_any_worker_that_was_seen_lately_has_it(store: Store) -> None:
    mail, both = this_worker(["email"]), this_worker(["email", "slack"])
    write_heartbeat(store, both)
    write_heartbeat(store, later(mail, CHANNEL_KEPT))
    assert channels_set_up(store, both.seen_at + CHANNEL_KEPT) == {"email", "slack"}
    assert channels_set_up(store, both.seen_at + CHANNEL_KEPT + timedelta(seconds=1)) == {"email"}


@pytest.mark.parametrize("stopped", [CHANNEL_KEPT + timedelta(seconds=1), 3 * FORGOTTEN_AFTER])
def test_after_a_stop_of_all_workers_the_first_to_come_back_leaves_to_others_what_they_had(
    store: Store, stopped: timedelta
) -> None:
    mail, slack, gone = this_worker(["email"]), this_worker(["slack"]), this_worker(["pager"])
    write_heartbeat(store, gone)
    for worker in (mail, slack):
        write_heartbeat(store, later(worker, 2 * CHANNEL_KEPT))
    back = started(this_worker(["email"]), mail.started_at + 2 * CHANNEL_KEPT + stopped)
    write_heartbeat(store, back)
    assert channels_set_up(store, back.seen_at) == {"email", "slack"}
    for after in (CHANNEL_KEPT, CHANNEL_KEPT + timedelta(seconds=1)):
        write_heartbeat(store, later(back, after))
        assert channels_set_up(store, back.seen_at + after) == (
            {"email", "slack"} if after == CHANNEL_KEPT else {"email"}
        )


def started(worker: Worker, at: datetime) -> Worker:
    return worker.model_copy(update={"started_at": at, "seen_at": at})


def test_who_was_not_seen_for_a_day_is_forgotten(store: Store) -> None:
    old, new = this_worker(["slack"]), this_worker(["email"])
    write_heartbeat(store, old)
    write_heartbeat(store, later(new, FORGOTTEN_AFTER + timedelta(seconds=1)))
    assert [one.id for one in store.workers.seen(old.seen_at - timedelta(days=9))] == [new.id]
