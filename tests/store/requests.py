"""Requests, written as their workflow would write them, but without a workflow."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Row

from countersign.kinds.connection import ConnectionQuestion
from countersign.models import Answer, Approver, Decision, Event, Status, Verdict
from countersign.notifications import RequestNotification, Result, SubmittedAnswer
from countersign.transitions import AuditEvent, Opened, Opening, Recipient, RecordedTransition, Transition
from engine.notifications.messages import Messages
from engine.transactions import Transactions
from store import Store, notifications

T = TypeVar("T")


def question(**changed: Any) -> ConnectionQuestion:
    return ConnectionQuestion.model_validate({"requester": "alice", "device": "web-1", "protocol": "ssh"} | changed)


def opening(**changed: Any) -> Opening:
    asked = question(**changed)
    return Opening(question=asked, workflow_id=asked.workflow_id, run_id=uuid.uuid4().hex)


def opened(store: Store, **changed: Any) -> Opened:
    """A newly opened request, with its number."""
    reply = transactions(store).opener.open(opening(**changed))
    assert reply.opened is not None
    return reply.opened


@lru_cache(maxsize=4)
def transactions(store: Store) -> Transactions:
    """The engine's transactions on this store; the same object each time, as it remembers what it has looked at."""
    return Transactions(store)


def write(store: Store, transition: Transition) -> RecordedTransition:
    """Write a transition as its workflow does."""
    return transactions(store).transitions.write(transition)


def store_answer(store: Store, given: SubmittedAnswer) -> Answer:
    """Store an answer as its channel does."""
    return transactions(store).answers.store(given)


def a_transition(approval_id: int, key: str, **fields: Any) -> Transition:
    transition = {
        "approval_id": approval_id,
        "key": key,
        "at": datetime.now(UTC),
        "status": Status.WAITING,
        "message": "",
        "level": 1,
    }
    return Transition.model_validate(transition | fields)


def messages(store: Store, rows: Sequence[Any]) -> list[tuple[str, RequestNotification]]:
    """The channel and the full message of each of these notifications about requests."""
    read = Messages(store).of(rows)
    return [(channel, notification) for channel, notification in read if isinstance(notification, RequestNotification)]


def unsent(store: Store, approval_id: int, transition: int) -> Sequence[Row[Any]]:
    """The notifications of one transition that were not sent yet."""
    with store.database.reading() as connection:
        return notifications.unsent(connection, approval_id, transition)


def sent(notification_id: str, reference: str, shows: int | None = None) -> Result:
    return Result(notification_id=notification_id, state="sent", text=reference, shows=shows)


def lost(notification_id: str, why: str) -> Result:
    return Result(notification_id=notification_id, state="unreachable", text=why)


def audit_event(kind: str, who: str = "countersign") -> AuditEvent:
    return AuditEvent.model_validate({"kind": kind, "at": datetime.now(UTC), "who": who})


def asking(approval_id: int, *people: str, key: str = "1.level_started", **fields: Any) -> Transition:
    """The transition that starts a level and asks these people."""
    return a_transition(
        approval_id,
        key,
        **fields,
        asked=[Approver(person=one, because="manager of engineers", as_manager=True) for one in people],
        recipients=[Recipient(event=Event.ASKED, person=one) for one in people],
        events=[audit_event("level_started")],
    )


def given(approval_id: int, person: str = "grace", **changed: Any) -> SubmittedAnswer:
    answer = {
        "channel": "test",
        "source_id": uuid.uuid4().hex,
        "approval_id": approval_id,
        "level": 1,
        "person": person,
        "verdict": Verdict.APPROVE,
        "at": datetime.now(UTC),
    }
    return SubmittedAnswer.model_validate({**answer, "signed_in": "channel" not in changed} | changed)


def approving(answer: Answer) -> Transition:
    """The transition that counts an answer and approves the request by it."""
    decision = Decision(answer_id=answer.id, **answer.model_dump(exclude={"id", "approval_id"}))
    return a_transition(
        answer.approval_id,
        f"1.answer.{answer.id}",
        status=Status.APPROVED,
        message=f"Approved by {answer.person}.",
        decision=decision,
        events=[audit_event("answered", answer.person), audit_event("approved", answer.person)],
        recipients=[Recipient(event=Event.SETTLED, person="alice")],
        opens_grant=True,
    )


def approved(store: Store, **changed: Any) -> int:
    """A request that Grace approved just now; its number."""
    request = opened(store, **changed)
    write(store, asking(request.approval_id, "grace"))
    write(store, approving(store_answer(store, given(request.approval_id))))
    return request.approval_id


def kinds(store: Store, approval_id: int) -> list[str]:
    """The record of a request, oldest first."""
    return [row.kind for row in store.events.of(approval_id)]


def at_once(function: Callable[[], T]) -> list[T]:
    """Do it in four threads at the same instant; what each of them got."""
    barrier = threading.Barrier(4)

    def run(_: int) -> T:
        barrier.wait()
        return function()

    with ThreadPoolExecutor(barrier.parties) as pool:
        return list(pool.map(run, range(barrier.parties)))


def soon(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
