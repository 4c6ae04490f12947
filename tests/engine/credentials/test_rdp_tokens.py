"""Routing tokens of RDP: for one connection of the grant's person, from one address, to one gateway, on record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from countersign.error_codes import ErrorCode
from countersign.errors import CountersignError, NotAllowed, Refused
from countersign.models import GrantStatus, Scope
from countersign.permissions import Principal
from countersign.rdp import RoutedConnection, RoutingToken
from countersign.transitions import GrantEnd
from engine.credentials.rdp_tokens import LASTS, RdpTokens
from engine.policy import apply_policy
from engine.upkeep import Kept
from store import Store
from store.retention import Retention
from store.tables import grants, rdp_tokens
from tests.store.requests import approved, at_once, kinds, opened, transactions
from tests.workflows.people import policy

HERE, ELSEWHERE = "192.0.2.7", "192.0.2.8"
PROOF = {"session": "s1"}
GATE = Principal("gateway:rdp-1", scope=Scope(targets=frozenset({"web-1"}), variants=frozenset({"rdp"})))


@pytest.fixture
def rules(store: Store) -> RdpTokens:
    return RdpTokens(store)


@pytest.fixture
def number(store: Store) -> int:
    return approved(store, protocol="rdp", source_address=HERE)


def redeem(rules: RdpTokens, token: str, source: str = HERE, gate: Principal = GATE) -> RoutedConnection:
    return rules.redeem(RoutingToken(token=token, source_address=source), gate, {"token": "t1"})


def refusal(rules: RdpTokens, token: str, source: str = HERE, gate: Principal = GATE) -> str:
    """The message of a redeeming that is refused, which is always the same."""
    with pytest.raises(Refused) as refused:
        redeem(rules, token, source, gate)
    assert refused.value.code == ErrorCode.INVALID_ROUTING_TOKEN
    assert "Get a new file on the request's page." in str(refused.value)
    with rules.database.reading() as connection:
        kept = connection.execute(select(rdp_tokens)).all()
    assert not [row for row in kept if token in str(row)]
    return str(refused.value)


def reasons(store: Store) -> list[str]:
    """Why tokens were refused, according to the record, oldest first."""
    rows = [row for row in store.events.since(0, 10**6) if row.kind == "rdp_token_refused"]
    assert all({"token", "from"} == set(row.proof) for row in rows if row.who == GATE.name)
    return [row.detail for row in rows]


def test_a_token_lets_one_connection_in_and_is_kept_as_a_hash(store: Store, rules: RdpTokens, number: int) -> None:
    token = rules.make(number, "alice", HERE, PROOF)
    found = redeem(rules, token, "::ffff:192.0.2.7")
    assert (found.person, found.device, found.approval_id) == ("alice", "web-1", number)
    assert found.ends_at > datetime.now(UTC)
    refusal(rules, token)
    assert "was used before" in reasons(store)[0]
    assert kinds(store, number)[-3:] == ["rdp_file_made", "rdp_token_redeemed", "rdp_token_refused"]
    assert token not in str(store.events.since(0, 10**6))


def test_of_many_who_redeem_it_at_once_one_is_let_in(rules: RdpTokens, number: int) -> None:
    token = rules.make(number, "alice", HERE, PROOF)

    def try_it() -> bool:
        try:
            redeem(rules, token)
        except Refused:
            return False
        return True

    assert sorted(at_once(try_it)) == [False, False, False, True]


@pytest.mark.parametrize(
    ("source", "gate", "why"),
    [
        (ELSEWHERE, GATE, f"is for {HERE}, and came from {ELSEWHERE}"),
        (HERE, Principal("gateway:rdp-2", scope=Scope(targets=frozenset({"web-2"}), variants=GATE.scope.variants)), ""),
        (HERE, Principal("gateway:ssh", scope=Scope(targets=GATE.scope.targets, variants=frozenset({"ssh"}))), ""),
    ],
)
def test_from_elsewhere_and_at_another_gateway_it_opens_nothing_and_is_used_up(
    store: Store, rules: RdpTokens, number: int, source: str, gate: Principal, why: str
) -> None:
    token = rules.make(number, "alice", HERE, PROOF)
    refusal(rules, token, source, gate)
    assert (why or "of another gateway") in reasons(store)[0]
    refusal(rules, token)


def test_an_unknown_and_an_old_one_open_nothing(store: Store, rules: RdpTokens, number: int) -> None:
    refusal(rules, "cs_rdp_" + "0" * 72)
    token = rules.make(number, "alice", HERE, PROOF)
    with store.database.transaction() as connection:
        connection.execute(update(rdp_tokens).values(ends_at=datetime.now(UTC)))
    refusal(rules, token)
    assert ["unknown" in reasons(store)[0], "was good until" in reasons(store)[1]] == [True, True]


def test_what_ended_meanwhile_lets_nobody_in(store: Store, rules: RdpTokens, number: int) -> None:
    over, disabled = (rules.make(number, "alice", HERE, PROOF) for _ in range(2))
    apply_policy(store, policy(disabled=("alice",)), "ada")
    refusal(rules, disabled)
    apply_policy(store, policy(), "ada")
    now = datetime.now(UTC)
    transactions(store).granting.end(
        GrantEnd(approval_id=number, status=GrantStatus.REVOKED, at=now, who="grace", message="no")
    )
    refusal(rules, over)
    assert ["disabled" in reasons(store)[0], "is over" in reasons(store)[1]] == [True, True]


def test_the_requester_alone_gets_one_while_the_grant_lasts_and_from_its_address(
    store: Store, rules: RdpTokens, number: int
) -> None:
    def why_not(approval_id: int, person: str = "alice", source: str = HERE) -> CountersignError:
        with pytest.raises(CountersignError) as refused:
            rules.make(approval_id, person, source, PROOF)
        return refused.value

    assert isinstance(why_not(number, "grace"), NotAllowed)
    assert why_not(number, source=ELSEWHERE).code == ErrorCode.OTHER_SOURCE_ADDRESS
    assert "not for RDP" in str(why_not(approved(store, source_address=HERE)))
    assert why_not(opened(store, device="web-3", protocol="rdp").approval_id).code == ErrorCode.NO_GRANT
    with store.database.transaction() as connection:
        connection.execute(update(grants).values(ends_at=datetime.now(UTC)))
    assert why_not(number).code == ErrorCode.GRANT_OVER
    assert len(reasons(store)) == 5
    with store.database.reading() as connection:
        assert connection.execute(select(rdp_tokens)).all() == []


def test_old_ones_are_forgotten(store: Store, rules: RdpTokens, number: int) -> None:
    rules.make(number, "alice", HERE, PROOF)
    kept = Kept(timedelta(days=1), timedelta(days=1), timedelta(days=1))
    for later, left in ((LASTS, 1), (timedelta(days=40), 0)):
        Retention(store.database).forget_some(kept.oldest(datetime.now(UTC) + later))
        with store.database.reading() as connection:
            assert len(connection.execute(select(rdp_tokens)).all()) == left
