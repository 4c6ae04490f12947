"""Service tokens and provisioning keys: made, changed and ended by admins, each on record."""

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from countersign.errors import NOT_IN_POLICY, NotAllowed, NotFound, Refused
from countersign.machines import (
    YEAR,
    CredentialKind,
    NewProvisioningKey,
    NewServiceToken,
    ProvisioningKey,
    ProvisioningKeySecret,
    ServiceToken,
    ServiceTokenAction,
    ServiceTokenSecret,
)
from countersign.models import PROVISIONING
from countersign.permissions import Principal, must_be_admin
from countersign.registration import DeviceAction
from countersign.times import duration, moment
from countersign.transitions import Kind
from engine.devices.actions import DeviceActions
from engine.part import EnginePart
from engine.record import append_or_count, event, record
from store import Store
from store.database import Database
from store.events import lock_feed
from store.machine_secrets import KEY_PREFIX, PREFIX, kept, new_secret
from store.machines import Credentials, ProvisioningKeys, ServiceTokens, count_device

ID_BYTES = 6
# By kind of credential: its rows, and the kind of event that says that one was refused.
REFUSED: dict[CredentialKind, tuple[type[Credentials[Any]], Kind]] = {
    "service_token": (ServiceTokens, "service_token_refused"),
    "provisioning_key": (ProvisioningKeys, "provisioning_key_refused"),
}
NO_PREVIOUS = {"previous_salt": None, "previous_hash": None, "previous_secret_ends_at": None}
# What each action writes, and the kind of event it is.
CHANGES: dict[ServiceTokenAction, tuple[Kind, Callable[[ServiceToken, datetime], dict[str, Any]]]] = {
    "refresh": ("service_token_refreshed", lambda token, now: {"ends_at": max(token.ends_at, now + YEAR)}),
    "disable": ("service_token_disabled", lambda token, now: {"disabled_at": token.disabled_at or now}),
    "enable": ("service_token_enabled", lambda token, now: {"disabled_at": None}),
    "revoke": ("service_token_revoked", lambda token, now: {"revoked_at": token.revoked_at or now}),
    "end-previous-secret": ("service_token_secret_ended", lambda token, now: NO_PREVIOUS),
}


class ServiceTokenActions(EnginePart):
    """Each method is one transaction. `who` has to be an admin, `proof` shows that it was them."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._devices = DeviceActions(store)

    def make(self, wanted: NewServiceToken, who: Principal, proof: Mapping[str, str]) -> ServiceTokenSecret:
        """A new service token, whose secret can be read only now."""
        must_be_admin(who)
        now = datetime.now(UTC)
        secret = new_secret(PREFIX)
        token_id = f"st{secrets.token_hex(ID_BYTES)}"
        row = {
            "id": token_id,
            "name": wanted.name,
            "created_by": who.name,
            "created_at": now,
            "ends_at": now + wanted.lasts,
        }
        with self.database.transaction() as connection:
            token = ServiceTokens.add(connection, row | kept(secret))
            detail = f"{token.name}, until {moment(token.ends_at)}"
            record(connection, "service_token_created", who.name, detail, {**proof, "service_token": token.id}, now)
        return ServiceTokenSecret(client_id=token.id, client_secret=secret, token=token)

    def rotate(self, token_id: str, overlap: timedelta, who: Principal, proof: Mapping[str, str]) -> ServiceTokenSecret:
        """A new secret; the one before still works for `overlap`.

        Raises NotFound; Refused if the token was revoked, and while the secret before the current one still works: with
        a third secret, one of the two that machines may have would end at once.
        """
        must_be_admin(who)
        now = datetime.now(UTC)
        secret = new_secret(PREFIX)
        with self.database.transaction() as connection:
            row = ServiceTokens.locked(connection, token_id)
            token = _lasting(ServiceTokens.view(row))
            if token.previous_secret_ends_at and token.previous_secret_ends_at > now:
                raise Refused(
                    f"Service token {token.name} was rotated already, and its previous secret works until "
                    f"{moment(token.previous_secret_ends_at)}. Wait until then, or end that secret first."
                )
            previous = {"previous_salt": row.salt, "previous_hash": row.hash, "previous_secret_ends_at": now + overlap}
            token = ServiceTokens.change(connection, token_id, **kept(secret), **previous)
            detail = f"{token.name}; the previous secret works for {duration(overlap)}"
            record(connection, "service_token_rotated", who.name, detail, {**proof, "service_token": token_id}, now)
        return ServiceTokenSecret(client_id=token_id, client_secret=secret, token=token)

    def change(
        self, token_id: str, action: ServiceTokenAction, who: Principal, proof: Mapping[str, str]
    ) -> ServiceToken:
        """Do this to a service token; again changes nothing.

        Raises NotFound; Refused if the token was revoked, unless the action is `revoke`.
        """
        must_be_admin(who)
        now = datetime.now(UTC)
        kind, values = CHANGES[action]
        with self.database.transaction() as connection:
            if action == "revoke":  # no device that registers meanwhile is missed
                lock_feed(connection)
            token = ServiceTokens.view(ServiceTokens.locked(connection, token_id))
            if action != "revoke":
                _lasting(token)
            changed = ServiceTokens.change(connection, token_id, **values(token, now))
            if changed != token:
                detail = f"{token.name}, until {moment(changed.ends_at)}" if action == "refresh" else token.name
                if action == "revoke":
                    detail += self._revoke_devices(connection, token, who.name, proof)
                record(connection, kind, who.name, detail, {**proof, "service_token": token_id}, now)
        return changed

    def _revoke_devices(self, connection: Connection, token: ServiceToken, who: str, proof: Mapping[str, str]) -> str:
        """Revoke the devices that a token registered; returns how many, for the record."""
        reason = f"Its service token {token.name} was revoked."
        ended = self._devices.act_on_all(
            DeviceAction.REVOKE, who, reason, "", dict(proof), service_token=token.id, within=connection
        )
        return f", with {len(ended)} of its devices" if ended else ""


class ProvisioningKeyActions(EnginePart):
    """The same for provisioning keys."""

    def make(self, wanted: NewProvisioningKey, who: Principal, proof: Mapping[str, str]) -> ProvisioningKeySecret:
        """A new key, which can be read only now. Raises NotFound if its person is disabled or unknown."""
        must_be_admin(who)
        now = datetime.now(UTC)
        key_id = f"k{secrets.token_hex(ID_BYTES)}"
        key = new_secret(f"{KEY_PREFIX}{key_id}_")
        asked = wanted.model_dump(exclude={"lasts"})
        row = {
            **asked,
            "id": key_id,
            "used": 0,
            "created_by": who.name,
            "created_at": now,
            "ends_at": now + wanted.lasts,
        }
        with self.database.transaction() as connection:
            _, policy = self.policies.in_force(connection)
            if not policy.enabled(wanted.person):
                raise NotFound(NOT_IN_POLICY.format(wanted.person))
            made = ProvisioningKeys.add(connection, row | kept(key))
            skips = ", without approval" if made.skips_approval else ""
            count = "1 device" if made.devices == 1 else f"{made.devices} devices"
            detail = f"{made.label}, for {count} of {made.person}{skips}, until {moment(made.ends_at)}"
            record(connection, "provisioning_key_created", who.name, detail, {**proof, "provisioning_key": key_id}, now)
        return ProvisioningKeySecret(key=key, provisioning_key=made)

    def end(self, key_id: str, who: Principal, proof: Mapping[str, str]) -> ProvisioningKey:
        """End a key for good; its devices stay. Ending it again changes nothing. Raises NotFound."""
        must_be_admin(who)
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            key = ProvisioningKeys.view(ProvisioningKeys.locked(connection, key_id))
            if key.ended_at is None:
                key = ProvisioningKeys.change(connection, key_id, ended_at=now)
                shown = {**proof, "provisioning_key": key_id}
                record(connection, "provisioning_key_ended", who.name, key.label, shown, now)
        return key


def use_provisioning_key(connection: Connection, key_id: str, device_id: str, now: datetime) -> None:
    """Count a new device of a key, on record. Raises NotAllowed if it has no room for one."""
    has_room = count_device(connection, key_id, now)
    row = ProvisioningKeys.locked(connection, key_id)
    if not has_room:
        raise NotAllowed(
            f"Provisioning key {row.label} has registered {row.used} of {row.devices} devices, or has expired; "
            "ask an admin for another."
        )
    who, proof = f"{PROVISIONING}{key_id}", {"device": device_id}
    record(connection, "provisioning_key_used", who, row.label, {**proof, "provisioning_key": key_id}, now)


def must_last(connection: Connection, token_id: str, now: datetime) -> None:
    """Raise NotAllowed for a service token that was revoked, or ended otherwise, since its caller was identified."""
    if why := ServiceTokens.view(ServiceTokens.locked(connection, token_id)).why_not(now):
        raise NotAllowed(f"This service token {why}.")


def _lasting(token: ServiceToken) -> ServiceToken:
    if token.revoked_at:
        raise Refused(f"Service token {token.name} was revoked for good; make another.")
    return token


def record_refused(database: Database, kind: CredentialKind, credential_id: str, why: str, source_address: str) -> None:
    """Record that a call with a credential was refused; unknown ids are ignored, as anybody could invent one."""
    rows, event_kind = REFUSED[kind]
    refused = event(event_kind, "", why, {kind: credential_id, "from": source_address}, datetime.now(UTC))
    with database.transaction() as connection:
        if rows.is_known(connection, credential_id):
            append_or_count(connection, None, refused, credential_id)
