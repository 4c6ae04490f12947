"""The outbox against a real mail server: what is sent, what waits, and who can't be reached."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import event

from countersign.models import Event
from countersign.transitions import Recipient
from engine.notifications.deliveries import GIVEN_UP_AFTER, Deliveries
from engine.policy import apply_policy
from store.tables import requests
from tests.engine.post import LONG_AGO, Post
from tests.store.requests import a_transition, asking, kinds, opened, transactions, unsent, write
from tests.workflows.deployment import until
from tests.workflows.people import policy

MANY = ("grace", "heidi", "ivan", "judy", "ada", "bob", "carol", "dave", "erin")


async def test_what_is_sent_is_on_record_and_sent_once(post: Post) -> None:
    write(post.store, asking(post.number, "grace", "ivan"))
    for _ in range(2):
        assert await post.outbox.deliver(post.number, 1) == []
    await until(lambda: kinds(post.store, post.number).count("noticed") == 2)
    assert post.mail.delivered == 2


async def test_telling_somebody_takes_two_transactions(post: Post) -> None:
    write(post.store, asking(post.number, "grace"))
    begun: list[object] = []
    event.listen(post.store.database.engine, "begin", begun.append)
    await post.outbox.deliver(post.number, 1)
    await until(lambda: post.outbox.is_idle)
    assert len(begun) == 2
    assert post.waiting() == []


async def test_who_is_refused_for_good_is_named_and_the_others_are_told(post: Post) -> None:
    post.mail.faults.refused.add("grace@example.test")
    write(post.store, asking(post.number, "grace", "ivan"))
    assert await post.outbox.deliver(post.number, 1) == ["grace"]
    assert sorted(kinds(post.store, post.number)[-2:]) == ["noticed", "unreachable"]
    assert post.waiting() == []


async def test_who_is_put_off_waits_for_the_sweeper(post: Post) -> None:
    post.mail.faults.deferred.add("grace@example.test")
    write(post.store, asking(post.number, "grace", "ivan"))
    assert await post.outbox.deliver(post.number, 1) == []
    assert post.waiting() == ["grace"]
    post.mail.faults.deferred.clear()
    await post.outbox.send_left_over()
    assert post.waiting() == ["grace"]  # it is not due yet


async def test_what_is_due_is_sent_and_who_is_lost_is_found(post: Post) -> None:
    post.mail.faults.refused.add("grace@example.test")
    write(post.store, asking(post.number, "grace", "ivan", at=LONG_AGO))
    await post.outbox.send_left_over()
    await until(lambda: not post.waiting())
    assert post.mail.delivered == 1
    assert post.store.notifications.lost(post.number) == ["grace"]
    assert transactions(post.store).rechecks.due() == [post.number]


async def test_a_notification_that_cannot_be_read_holds_up_only_itself(post: Post) -> None:
    broken = opened(post.store, device="vaults-2").approval_id
    for number in (broken, post.number):
        tell = [Recipient(event=Event.REMINDED, person="grace")]
        write(post.store, a_transition(number, "1.reminded", at=LONG_AGO, recipients=tell))
    with post.store.database.transaction() as connection:
        connection.execute(requests.update().where(requests.c.approval_id == broken).values(route={"no": "route"}))
    await post.outbox.send_left_over()
    await until(lambda: not post.waiting())
    assert post.mail.delivered == 1
    assert [row.person for row in unsent(post.store, broken, 1)] == ["grace"]


async def test_a_mail_server_too_slow_to_be_healthy_holds_up_nobody(post: Post) -> None:
    post.mail.faults.delay = 5.0
    write(post.store, asking(post.number, "grace"))
    assert await post.outbox.deliver(post.number, 1) == []
    assert post.waiting() == ["grace"]


# --- what is on its way ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [1.0, 5.0])
async def test_where_the_mail_server_confirms_late_everybody_gets_each_mail_once(post: Post, seconds: float) -> None:
    post.mail.faults.answer_after = seconds
    write(post.store, asking(post.number, *MANY, at=LONG_AGO))
    assert await post.outbox.deliver(post.number, 1) == []
    assert len(post.waiting()) == len(MANY)
    while post.waiting():  # however often others look for what is left over or take the transition again
        await post.outbox.send_left_over()
        await post.outbox.deliver(post.number, 1)
        await asyncio.sleep(0.05)
    assert post.mail.delivered == len(MANY)
    assert kinds(post.store, post.number).count("noticed") == len(MANY)


async def test_another_worker_leaves_alone_what_is_on_its_way(post: Post) -> None:
    post.mail.faults.answer_after = 3.0
    write(post.store, asking(post.number, "grace", at=LONG_AGO))
    await post.outbox.deliver(post.number, 1)
    await post.outbox.hold()
    other = post.another_outbox({"email": post.sender})
    await other.send_left_over()
    await other.deliver(post.number, 1)
    await until(lambda: not post.waiting())
    assert post.mail.delivered == 1


async def test_what_a_dead_worker_was_at_is_sent_by_another(post: Post) -> None:
    write(post.store, asking(post.number, "grace"))
    [row] = unsent(post.store, post.number, 1)
    assert Deliveries(post.store).begin([row.id], LONG_AGO) == {row.id: 1}
    await post.outbox.deliver(post.number, 1)
    assert post.waiting() == ["grace"]  # it may have got through: that is for the sweeper
    await post.outbox.send_left_over()
    await until(lambda: not post.waiting())
    assert post.mail.delivered == 1


async def test_each_mail_is_on_record_as_soon_as_it_is_sent(post: Post) -> None:
    post.mail.faults.slow.add("ivan@example.test")
    write(post.store, asking(post.number, "grace", "ivan"))
    await post.outbox.deliver(post.number, 1)
    await until(lambda: (post.waiting(), post.mail.delivered) == (["ivan"], 1))


async def test_a_mail_whose_end_is_not_known_is_sent_once_more_and_then_given_up(post: Post) -> None:
    post.mail.faults.drop_at = "delivered"
    write(post.store, asking(post.number, "grace", at=LONG_AGO))
    assert await post.outbox.deliver(post.number, 1) == []
    for _ in range(5):
        post.due_now()
        await post.outbox.send_left_over()
        await until(lambda: post.outbox.is_idle)
    assert post.mail.delivered == 2
    [given_up] = [row for row in post.store.events.of(post.number) if row.kind == "unreachable"]
    assert given_up.who == "grace"
    assert given_up.proof["error"].startswith("given up after 2 tries: the mail server 127.0.0.1:")
    assert transactions(post.store).rechecks.due() == [post.number]


async def test_what_is_as_old_as_a_day_is_given_up_when_it_fails_again(post: Post) -> None:
    post.mail.faults.deferred.add("grace@example.test")
    write(post.store, asking(post.number, "grace", "ivan", at=datetime.now(UTC) - GIVEN_UP_AFTER))
    await post.outbox.deliver(post.number, 1)
    [given_up] = [row for row in post.store.events.of(post.number) if row.kind == "unreachable"]
    assert (given_up.who, "given up after 1 tries" in given_up.proof["error"]) == ("grace", True)
    assert post.mail.delivered == 1


async def test_a_worker_that_stops_lets_arrive_what_soon_does(post: Post) -> None:
    post.mail.faults.answer_after = 1.5
    write(post.store, asking(post.number, "grace"))
    await post.outbox.deliver(post.number, 1)
    await post.outbox.close()
    assert (post.waiting(), post.mail.delivered) == ([], 1)


# --- channels that are not set up ------------------------------------------------------------------------------------


async def test_a_channel_that_no_worker_has_reaches_nobody_and_the_others_tell(post: Post) -> None:
    apply_policy(post.store, policy(channels={"slack": "decide", "email": "off"}), "ada")
    number = opened(post.store, device="vaults-3").approval_id
    write(post.store, asking(number, "grace"))
    assert await post.outbox.deliver(number, 1) == []  # she is reached by mail
    await until(lambda: post.mail.delivered == 1)
    await until(lambda: not unsent(post.store, number, 1))
    lost, noticed = post.store.events.of(number)[-2:]
    assert (lost.kind, lost.who, lost.channel) == ("unreachable", "grace", "slack")
    assert lost.proof == {"error": "no worker has the channel slack"}
    assert (noticed.kind, noticed.who, noticed.channel) == ("noticed", "grace", "email")


async def test_who_can_be_told_by_nothing_is_named(post: Post) -> None:
    write(post.store, asking(post.number, "grace", "ivan"))
    nobody = post.another_outbox({})
    assert await nobody.deliver(post.number, 1) == ["grace", "ivan"]
    assert post.waiting() == []


async def test_what_goes_by_a_channel_of_another_worker_is_left_to_that(post: Post) -> None:
    write(post.store, asking(post.number, "grace", at=LONG_AGO))
    without = post.another_outbox({})
    without.elsewhere = frozenset({"email"})
    assert await without.deliver(post.number, 1) == []
    await without.send_left_over()
    assert post.waiting() == ["grace"]
    await post.outbox.send_left_over()
    await until(lambda: not post.waiting())
    assert post.mail.delivered == 1
