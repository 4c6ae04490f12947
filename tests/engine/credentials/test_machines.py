"""Service tokens and provisioning keys: what admins may do to them, and what is on record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy import update

from countersign.errors import NotAllowed, NotFound, Refused
from countersign.machines import YEAR, NewProvisioningKey, NewServiceToken, Rotation, ServiceTokenAction
from countersign.permissions import Principal
from engine.credentials.machines import ProvisioningKeyActions, ServiceTokenActions, use_provisioning_key
from engine.policy import apply_policy
from store import Store
from store.tables import service_tokens
from tests.workflows.people import policy

ADA = Principal("ada", admin=True)
GRACE = Principal("grace", admin=True)

PROOF = {"session": "s1"}
DAY = timedelta(days=1)
ACTIONS: list[ServiceTokenAction] = ["refresh", "disable", "enable", "revoke", "end-previous-secret"]


@pytest.fixture
def rules(store: Store) -> ServiceTokenActions:
    return ServiceTokenActions(store)


@pytest.fixture
def token_id(rules: ServiceTokenActions) -> str:
    return rules.make(NewServiceToken(name=" CI \n of the website ", lasts=30 * DAY), ADA, PROOF).client_id


def recorded(store: Store) -> list[tuple[str, str, str]]:
    rows = [one for one in store.events.since(0, 10**6) if one.kind != "policy_applied"]
    assert all(one.proof.items() >= PROOF.items() for one in rows if one.who == "ada")
    return [(one.kind, one.who, one.detail) for one in rows]


def test_each_change_is_on_record_once(store: Store, rules: ServiceTokenActions, token_id: str) -> None:
    for action in ("disable", "disable", "enable", "enable", "refresh"):
        changed = rules.change(token_id, action, ADA, PROOF)
    assert timedelta(0) <= datetime.now(UTC) + YEAR - changed.ends_at < DAY
    rules.rotate(token_id, DAY, ADA, PROOF)
    for _ in range(2):
        assert rules.change(token_id, "end-previous-secret", ADA, PROOF).previous_secret_ends_at is None
    first = rules.change(token_id, "revoke", ADA, PROOF)
    assert rules.change(token_id, "revoke", GRACE, PROOF) == first
    found = recorded(store)
    assert [kind.removeprefix("service_token_") for kind, _, _ in found] == [
        "created",
        "disabled",
        "enabled",
        "refreshed",
        "rotated",
        "secret_ended",
        "revoked",
    ]
    assert all(who == "ada" and detail.startswith("CI of the website") for _, who, detail in found)
    assert found[4][2] == "CI of the website; the previous secret works for 1 day"
    assert {one.proof.get("service_token") for one in store.events.since(1)} == {token_id}


def test_a_refresh_never_shortens_it(store: Store, rules: ServiceTokenActions) -> None:
    token = rules.make(NewServiceToken(name="for long", lasts=10 * YEAR), ADA, PROOF).token
    assert rules.change(token.id, "refresh", ADA, PROOF).ends_at == token.ends_at


def test_one_that_has_expired_works_again_once_it_is_refreshed(
    store: Store, rules: ServiceTokenActions, token_id: str
) -> None:
    with store.database.transaction() as connection:
        connection.execute(update(service_tokens).values(ends_at=datetime.now(UTC) - DAY))
    [token] = store.service_tokens.page()
    assert token.why_not(datetime.now(UTC)) == "has expired; an admin can refresh it"
    assert rules.change(token_id, "refresh", ADA, PROOF).why_not(datetime.now(UTC)) == ""


def test_a_third_secret_has_to_wait_for_the_first(rules: ServiceTokenActions, token_id: str) -> None:
    second = rules.rotate(token_id, DAY, ADA, PROOF)
    with pytest.raises(Refused, match="works until"):
        rules.rotate(token_id, DAY, ADA, PROOF)
    rules.change(token_id, "end-previous-secret", ADA, PROOF)
    assert rules.rotate(token_id, DAY, ADA, PROOF).client_secret != second.client_secret


def test_what_was_revoked_stays_so(rules: ServiceTokenActions, token_id: str) -> None:
    rules.change(token_id, "revoke", ADA, PROOF)
    for action in ACTIONS:
        if action != "revoke":
            with pytest.raises(Refused, match="was revoked for good"):
                rules.change(token_id, action, ADA, PROOF)
    with pytest.raises(Refused, match="was revoked"):
        rules.rotate(token_id, DAY, ADA, PROOF)


@pytest.mark.parametrize("action", ACTIONS)
def test_there_is_no_such_token(store: Store, rules: ServiceTokenActions, action: ServiceTokenAction) -> None:
    with pytest.raises(NotFound, match="no service token st0"):
        rules.change("st0", action, ADA, PROOF)
    assert recorded(store) == []


@pytest.mark.parametrize("overlap", ["59m", "3599s", "31d", "0h", -1, True])
def test_both_secrets_work_for_an_hour_to_thirty_days(overlap: object) -> None:
    assert [Rotation.model_validate({"overlap": one}).overlap for one in ("1h", "30d", 2)] == [
        DAY / 24,
        30 * DAY,
        DAY / 12,
    ]
    with pytest.raises(ValidationError):
        Rotation.model_validate({"overlap": overlap})


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"name": "\u202e \n"}, {"name": "x" * 101}, {"name": "x", "lasts": "11y"}]
)
def test_what_is_no_service_token(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NewServiceToken.model_validate(wrong)


def test_a_provisioning_key_is_made_used_and_ended_on_record(store: Store) -> None:
    rules = ProvisioningKeyActions(store)
    wanted = NewProvisioningKey(label="kiosks", person="alice", devices=1, lasts=DAY, skips_approval=True)
    key = rules.make(wanted, ADA, PROOF).provisioning_key
    now = datetime.now(UTC)
    with store.database.transaction() as connection:
        use_provisioning_key(connection, key.id, "d1", now)
    with (
        pytest.raises(NotAllowed, match="kiosks has registered 1 of 1 devices"),
        store.database.transaction() as connection,
    ):
        use_provisioning_key(connection, key.id, "d2", now)
    ended = rules.end(key.id, ADA, PROOF)
    assert rules.end(key.id, GRACE, PROOF) == ended
    assert ended.why_not(now) == "was ended; ask an admin for another"
    kinds = [(kind, who, detail.partition(",")[0]) for kind, who, detail in recorded(store)]
    assert kinds == [
        ("provisioning_key_created", "ada", "kiosks"),
        ("provisioning_key_used", f"provisioning-key:{key.id}", "kiosks"),
        ("provisioning_key_ended", "ada", "kiosks"),
    ]
    assert "for 1 device of alice, without approval" in recorded(store)[0][2]
    assert store.events.since(0, 10**6)[-2].proof == {"provisioning_key": key.id, "device": "d1"}


def test_a_provisioning_key_is_of_somebody_who_may_connect(store: Store) -> None:
    apply_policy(store, policy(users={"grace": {"disabled": True}}), "ada")
    for person in ("nobody", "grace"):
        with pytest.raises(NotFound, match="disabled or not in the policy"):
            ProvisioningKeyActions(store).make(NewProvisioningKey(label="x", person=person, devices=1), ADA, PROOF)
    with pytest.raises(NotFound, match="no provisioning key k0"):
        ProvisioningKeyActions(store).end("k0", ADA, PROOF)


@pytest.mark.parametrize(
    "wrong", [{"devices": 0}, {"devices": 100_001}, {"devices": True}, {"lasts": "366d"}, {"person": ""}]
)
def test_what_is_no_provisioning_key(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NewProvisioningKey.model_validate({"label": "x", "person": "alice", "devices": 1} | wrong)
