"""All that the models allow fits into the columns; PostgreSQL, unlike SQLite, refuses what is longer."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from countersign.models import LONGEST_ID, OWN_APPROVAL, Decision, Status, Verdict
from countersign.notifications import RejectedInput
from engine.policy import apply_policy
from store import Store
from tests.store.requests import a_transition, asking, kinds, opened, opening, transactions, write
from tests.workflows.people import policy

LONG = "a" + "@" * (LONGEST_ID - 1)  # an @ takes three characters in a workflow id


def with_long_ids(store: Store) -> None:
    """A person and a device whose ids are as long as ids may be."""
    document = json.loads(policy())
    document["users"][LONG] = {"name": "Long", "email": "long@example.test"}
    document["user_groups"]["engineers"]["members"].append(LONG)
    document["user_groups"]["engineers"]["managers"].append(LONG)
    document["device_groups"]["web"]["devices"].append(LONG)
    apply_policy(store, json.dumps(document), "ada")


def own_approval(number: int) -> Decision:
    return Decision(
        answer_id=OWN_APPROVAL,
        level=1,
        person=LONG,
        verdict=Verdict.APPROVE,
        channel=OWN_APPROVAL,
        at=datetime.now(UTC),
    )


def test_the_longest_ids_open_a_request(store: Store) -> None:
    with_long_ids(store)
    reply = transactions(store).opener.open(opening(requester=LONG, device=LONG))
    assert reply.opened is not None


def test_the_own_approval_of_somebody_with_a_long_id_is_written(store: Store) -> None:
    with_long_ids(store)
    number = opened(store, requester=LONG).approval_id
    write(store, asking(number, "grace"))
    transition = a_transition(
        number, "transition 2", status=Status.APPROVED, decision=own_approval(number), opens_grant=True
    )
    assert write(store, transition).grant is not None
    [decision] = store.reading.request(number).decisions
    assert (decision.person, decision.channel) == (LONG, OWN_APPROVAL)


def test_the_longest_source_address_gets_a_grant(store: Store) -> None:
    address = ":".join(["fe80"] * 6) + ":255.255.255.255%" + "x" * 15
    number = opened(store, source_address=address).approval_id
    assert (
        write(store, a_transition(number, "transition 1", status=Status.APPROVED, opens_grant=True)).grant is not None
    )


def test_a_stranger_s_long_address_is_recorded(store: Store) -> None:
    number = opened(store).approval_id
    sender = f"{'x' * 64}@{'y' * 255}"
    transactions(store).rejected_inputs.record(
        RejectedInput(channel="email", source_id="<m@x>", approval_id=number, who=sender, reason="Not known.")
    )
    assert kinds(store, number)[-1] == "answer_refused"
