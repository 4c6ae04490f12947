"""Notifications that aren't about a request: written once for each key, and sent by the same outbox as all others."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from countersign.client import Client
from countersign.errors import Refused
from countersign.models import GeneralEvent
from engine.engine import Engine
from engine.policy import apply_policy
from sandbox.people import Person
from sandbox.temporal_server import free_port
from store import Store
from store.tables import notifications, policies
from tests.engine.post import LONG_AGO, Post
from tests.workflows.deployment import until
from tests.workflows.people import policy

UNREAD = GeneralEvent.INBOX_UNREAD
FIELDS = {"mailbox": "INBOX@imap.example.test", "since": "Tue 14 May 2024, 12:00 UTC"}


async def portal(store: Store) -> Engine:
    """The engine of a process that sends nothing itself."""
    return Engine(await Client.connect(f"127.0.0.1:{free_port()}", lazy=True), store)


async def write(post: Post, *people: str, key: str = "since noon") -> None:
    await (await portal(post.store)).notify(UNREAD, key, people, FIELDS)


def states(post: Post) -> list[tuple[str, str]]:
    with post.store.database.reading() as connection:
        return sorted((row.person, row.state) for row in connection.execute(notifications.select()))


def recorded(post: Post) -> list[tuple[str, str]]:
    """The record's events that aren't about a request, without those about the policy."""
    rows = post.store.events.since(0, 10**6)
    return [(row.kind, row.who) for row in rows if row.approval_id is None and row.kind != "policy_applied"]


async def inbox(post: Post, login: str) -> list[EmailMessage]:
    return await asyncio.to_thread(Person(login, post.mail.smtp_port, post.mail.imap_port).inbox)


async def test_a_worker_sends_once_what_a_process_without_an_outbox_wrote(post: Post) -> None:
    await write(post, "ada", "grace")
    await write(post, "ada", "grace")  # as each look at the same fault does
    assert recorded(post) == [("mailbox_unread", "countersign")]
    await post.outbox.send_new()
    await until(lambda: len(recorded(post)) == 3, "both are told")
    await post.outbox.send_left_over()
    assert post.outbox.is_idle
    assert (post.mail.delivered, states(post)) == (2, [("ada", "sent"), ("grace", "sent")])
    assert sorted(recorded(post)) == [("mailbox_unread", "countersign"), ("noticed", "ada"), ("noticed", "grace")]
    assert not any(FIELDS["since"] in row.model_dump_json() for row in post.store.events.since(0, 10**6))


async def test_its_mail_has_a_subject_line_of_its_own_and_nothing_to_answer_by(post: Post) -> None:
    await write(post, "ada")
    await post.outbox.send_new()
    await until(lambda: states(post) == [("ada", "sent")], "it is sent")
    [mail] = await inbox(post, "ada")
    assert mail["Subject"] == "Countersign - Replies can't be read"
    assert (mail["Reply-To"], mail["References"], mail["In-Reply-To"]) == ("approvals@example.test", None, None)
    assert str(mail["Message-ID"]).startswith("<mailbox_unread.")
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().startswith(f"Replies have not been read since {FIELDS['since']}.")


async def test_another_key_is_another_message_and_only_enabled_people_are_told(post: Post) -> None:
    apply_policy(post.store, policy(users={"grace": {"disabled": True}}), "ada")
    await write(post, "ada", "grace", "nobody")
    await write(post, "ada", key="since one")
    await write(post, "grace")
    assert states(post) == [("ada", "waiting"), ("ada", "waiting")]
    assert recorded(post) == [("mailbox_unread", "countersign")] * 2


async def test_what_fails_is_tried_again_and_what_is_refused_for_good_is_on_record(post: Post) -> None:
    post.mail.faults.deferred.add("ada@example.test")
    post.mail.faults.refused.add("grace@example.test")
    await write(post, "ada", "grace")
    await post.outbox.send_new()
    await until(lambda: states(post) == [("ada", "waiting"), ("grace", "unreachable")] and post.outbox.is_idle)
    post.mail.faults.deferred.clear()
    post.due_now()
    await post.outbox.send_left_over()
    await until(lambda: states(post) == [("ada", "sent"), ("grace", "unreachable")])
    assert sorted(recorded(post)[1:]) == [("noticed", "ada"), ("unreachable", "grace")]


async def test_what_a_killed_worker_was_sending_is_sent_by_another(post: Post) -> None:
    await write(post, "ada")
    with post.store.database.reading() as connection:
        [row] = connection.execute(notifications.select())
    post.outbox.deliveries.begin([row.id], datetime.now(UTC))  # and then it was killed
    other = post.another_outbox({"email": post.sender})
    post.due_now()
    await other.send_left_over()
    assert other.is_idle  # another worker may be sending it
    with post.store.database.transaction() as connection:
        connection.execute(notifications.update().values(held_until=LONG_AGO))
    await other.send_left_over()
    await until(lambda: states(post) == [("ada", "sent")])


async def test_the_record_is_looked_at_and_the_notifications_only_where_it_went_on(post: Post) -> None:
    await post.outbox.send_new()
    await write(post, "ada")
    with post.store.database.transaction() as connection:
        connection.execute(notifications.update().values(retry_at=datetime.now(UTC).replace(year=9000)))
    await post.outbox.send_new()  # the record has grown, but nothing is due
    post.due_now()
    await post.outbox.send_new()
    assert (post.outbox.is_idle, states(post)) == (True, [("ada", "waiting")])


async def test_before_the_first_policy_there_is_nobody_to_tell(store: Store) -> None:
    with store.database.transaction() as connection:
        connection.execute(policies.delete())
    with pytest.raises(Refused, match="policy"):
        await (await portal(store)).notify(UNREAD, "key", ["ada"], FIELDS)
