"""The courier against a real mail server: what is sent, what waits, and who can't be reached."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest_asyncio

from activities.courier import Courier
from countersign.models import Event
from countersign.steps import Tell
from notifiers.email.channel import email_channel
from notifiers.email.send import EmailNotifier
from sandbox.mail_server import MailServer
from store import Store
from store.tables import requests
from tests.store.requests import a_step, asking, kinds, opened
from tests.workflows.engine import settings_for
from tests.workflows.house import policy


class Post:
    """A courier with a database and a mail server of its own."""

    def __init__(self, store: Store, mail: MailServer, courier: Courier) -> None:
        self.store = store
        self.mail = mail
        self.courier = courier
        self.number = opened(store, device="vaults-1").approval_id
        self.looked_at: list[int] = []

    async def look_again(self, approval_id: int) -> None:
        self.looked_at.append(approval_id)

    def waiting(self) -> list[str]:
        return sorted(row.person for row in self.store.notices.of_step(self.number, 1))


@pytest_asyncio.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    store = Store(url)
    store.policies.apply(policy(), "ada")
    async with MailServer() as mail:
        config = email_channel(settings_for(url, "", "", mail)).config
        assert config is not None
        sender = EmailNotifier(config)
        yield Post(store, mail, Courier(store.notices, store.reading, {"email": sender}, store.database.executor))
        await sender.close()
    store.close()


async def test_what_is_sent_is_on_record_and_sent_once(post: Post) -> None:
    post.store.requests.write(asking(post.number, "grace", "ivan"))
    for _ in range(2):
        assert await post.courier.deliver(post.number, 1) == []
    assert post.mail.delivered == 2
    assert kinds(post.store, post.number).count("noticed") == 2


async def test_who_is_refused_for_good_is_named_and_the_others_are_told(post: Post) -> None:
    post.mail.faults.refused.add("grace@example.test")
    post.store.requests.write(asking(post.number, "grace", "ivan"))
    assert await post.courier.deliver(post.number, 1) == ["grace"]
    assert sorted(kinds(post.store, post.number)[-2:]) == ["noticed", "unreachable"]
    assert post.waiting() == []


async def test_who_is_put_off_waits_for_the_sweeper(post: Post) -> None:
    post.mail.faults.deferred.add("grace@example.test")
    post.store.requests.write(asking(post.number, "grace", "ivan"))
    assert await post.courier.deliver(post.number, 1) == []
    assert post.waiting() == ["grace"]
    post.mail.faults.deferred.clear()
    await post.courier.sweep(post.look_again)
    assert post.waiting() == ["grace"]  # it is not due yet


async def test_the_sweeper_sends_what_is_due_and_tells_whom_it_lost(post: Post) -> None:
    post.mail.faults.refused.add("grace@example.test")
    tell = [Tell(event=Event.REMINDED, person=one) for one in ("grace", "ivan")]
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    post.store.requests.write(a_step(post.number, "1.reminded", at=long_ago, tell=tell))
    await post.courier.sweep(post.look_again)
    assert post.looked_at == [post.number]
    assert (post.mail.delivered, post.waiting()) == (1, [])


async def test_a_notice_that_cannot_be_read_holds_up_only_itself(post: Post) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    broken = opened(post.store, device="vaults-2").approval_id
    for number in (broken, post.number):
        tell = [Tell(event=Event.REMINDED, person="grace")]
        post.store.requests.write(a_step(number, "1.reminded", at=long_ago, tell=tell))
    with post.store.database.transaction() as connection:
        connection.execute(requests.update().where(requests.c.approval_id == broken).values(route={"no": "route"}))
    await post.courier.sweep(post.look_again)
    assert post.mail.delivered == 1
    assert [row.person for row in post.store.notices.of_step(broken, 1)] == ["grace"]
    assert post.waiting() == []


async def test_a_mail_server_too_slow_to_be_healthy_holds_up_nobody(post: Post) -> None:
    post.mail.faults.delay = 5.0
    post.store.requests.write(asking(post.number, "grace"))
    assert await post.courier.deliver(post.number, 1) == []
    assert post.waiting() == ["grace"]


async def test_a_channel_that_is_not_set_up_here_waits_for_a_worker_that_has_it(post: Post) -> None:
    post.store.requests.write(asking(post.number, "grace"))
    nobody = Courier(post.store.notices, post.store.reading, {}, post.store.database.executor)
    assert await nobody.deliver(post.number, 1) == []
    assert post.waiting() == ["grace"]
