"""The devices that people connect with, over HTTP: registered, listed, acted on, and let through by gates."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field

from countersign.device_permissions import (
    may_see_device,
    must_be_allowed_to_register,
    must_register_devices,
    whose_devices,
)
from countersign.enrolment.facts import Country
from countersign.fingerprints import LONGEST_VALUE
from countersign.machines import ProvisioningKey, ServiceToken
from countersign.models import LONGEST_ID, LONGEST_REASON, Id, Model, PlainText, SourceAddress
from countersign.registration import (
    DeviceAction,
    DeviceStatus,
    Peers,
    Presented,
    Registered,
    RegisteredDevice,
    Snapshot,
    owner,
)
from countersign.views import AuditEventView
from countersign.visibility import Concern
from engine.devices.admitted import admitted_devices
from engine.devices.registrant import Registrant
from engine.record import PORTAL
from portal.api.paging import PageHere
from portal.api.problems import described
from portal.api.requests import LINKED, Seconds
from portal.api.routes import WITH_BODY, DeviceRoute, disconnected, token_router
from portal.auth import Caller, CallerHere
from portal.client_certificate import certificate_of
from portal.connections import address_of
from portal.context import Context, ContextHere
from portal.feed import Topic
from store import Store
from store.registered_devices import LONGEST_QUERY, WantedDevices, no_device

MOST_CLAIMS = 50
TheDevice = Annotated[str, Path(pattern="^d[0-9a-f]{12}$", description="The id of a registered device.")]
LongestClaim = Annotated[str, Field(max_length=LONGEST_ID)]

# How long one read serves all gates, unless something happens to a device; short, as sessions end without an event.
ADMITTED_SECONDS = 1.0


def _changes_admitted(event: AuditEventView, concern: Concern | None) -> bool:
    """Whether an event may change which devices are let through: about a device, a request for one, or the policy."""
    # A request without a variant is not for a connection.
    about_device = "device" in event.proof or (concern is not None and not concern.variant)
    return about_device or event.kind == "policy_applied"


ADMITTED = Topic("admitted devices", _changes_admitted)

router = token_router("registered_devices")
# Routes that machines may use, too.
for_machines = token_router("registered_devices", DeviceRoute)


class Registering(Presented):
    """A device that registers. All fields from `person` to `login_method` are for gateways."""

    person: Id | None = Field(default=None, description="whose device it is, if a gateway registers it")
    source_address: SourceAddress = ""
    country: Country = Field(default="", max_length=2, description="ISO 3166-1, two letters (default: looked up)")
    claims: dict[LongestClaim, list[LongestClaim]] = Field(default={}, max_length=MOST_CLAIMS)
    login_method: str = Field(default="", max_length=LONGEST_ID)
    justification: PlainText = Field(default="", max_length=LONGEST_REASON)


# What a gateway says about the person whose device it registers.
OF_A_GATEWAY = {"person", "source_address", "country", "claims", "login_method"}


class Reason(Model):
    """Why something is done to a device."""

    reason: PlainText = Field(default="", max_length=LONGEST_REASON)


class Changed(Model):
    """How many devices were changed."""

    devices: int


@for_machines.post("/devices/register", responses=described(HTTPStatus.FORBIDDEN, *WITH_BODY))
async def register(
    request: Request, body: Registering, context: ContextHere, caller: CallerHere, wait: Seconds = 0
) -> Registered:
    """Register a device, or report that a known one connects. With `wait`, waits for its approval.

    Call it for every connection: `approved` is for this one only. A device is identified by its key and its serial
    number: if either differs, it is a new device.
    """
    presented = Presented(key=body.key, key_type=body.key_type, fingerprint=body.fingerprint)
    by = _registrant(request, body, caller)
    # A gateway's own certificate says nothing about the device that it registers.
    certificate = None if caller.principal.is_gateway else await certificate_of(request)
    proof = by.proof | ({"certificate": certificate.sha256} if certificate and certificate.valid else {})
    country = by.country or context.countries.country_of(by.source_address)
    by = replace(by, country=country, certificate=certificate, proof=proof)
    found = await context.engine.devices.register(presented, by)
    if found.status != "pending" or not wait:
        return found
    return await context.feed.first(
        lambda: context.engine.devices.registered(found.id),
        lambda now: now.status != "pending",
        wait,
        about=found.approval_id,
        disconnected=disconnected(request),
    )


def _registrant(request: Request, body: Registering, caller: Caller) -> Registrant:
    must_be_allowed_to_register(caller.principal, body.person)
    if not caller.principal.is_gateway:
        own = {"source_address": address_of(request), **_owner(caller)}
    elif body.person is None:
        raise RequestValidationError([{"type": "missing", "loc": ("body", "person")}])
    else:
        own = body.model_dump(include=OF_A_GATEWAY)
    return Registrant(caller.name, justification=body.justification, proof=caller.proof, **own)


def _owner(caller: Caller) -> dict[str, Any]:
    """The owner of a device that this person or machine registers, as fields of its Registrant."""
    match caller.machine:
        case ServiceToken(id=token_id):
            return {"service_token": token_id}
        case ProvisioningKey() as key:
            return {"person": key.person, "provisioning_key": key.id, "skips_approval": key.skips_approval}
        case None:
            return {"person": caller.name, "login_method": caller.credential.kind}


@router.get("/devices/admitted", responses=described(HTTPStatus.FORBIDDEN))
async def admitted(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    version: Annotated[str, Query(max_length=LONGEST_ID, description="The version that you already have.")] = "",
    wait: Seconds = 0,
) -> Peers:
    """The devices that a gate lets through now, as soon as their `version` differs, or after `wait` seconds.

    For the token of a gateway that registers devices.
    """
    must_register_devices(caller.principal)

    async def read() -> Peers:
        return await context.feed.shared(ADMITTED, partial(context.run, _admitted, context.store), ADMITTED_SECONDS)

    return await context.feed.first(
        read, lambda peers: peers.version != version, wait, about=ADMITTED, disconnected=disconnected(request)
    )


def _admitted(store: Store) -> Peers:
    found = admitted_devices(store, datetime.now(UTC))
    written = "".join(one.model_dump_json() for one in found)
    return Peers(version=hashlib.sha256(written.encode()).hexdigest()[:32], peers=found)


def _wanted(
    person: Annotated[Id | None, Query(description="Only those of this person.")] = None,
    serial: Annotated[str, Query(max_length=LONGEST_VALUE, description="Only those with this serial number.")] = "",
    key: Annotated[str, Query(max_length=LONGEST_ID, description="Only those with this key, in base64.")] = "",
    status: DeviceStatus | None = None,
    query: Annotated[
        str, Query(max_length=LONGEST_QUERY, description="Only if name, id or person contains this.")
    ] = "",
) -> WantedDevices:
    return WantedDevices(person or "", serial, key, status, query)


@router.get("/devices/registered", responses={200: {"headers": LINKED}, **described(HTTPStatus.FORBIDDEN)})
async def registered(
    context: ContextHere, caller: CallerHere, wanted: Annotated[WantedDevices, Depends(_wanted)], page: PageHere
) -> list[RegisteredDevice]:
    """A page of registered devices, the newest first: your own, or, for admins, everybody's.

    Archived devices are listed only if you ask for that `status`.
    """
    visible = replace(wanted, person=whose_devices(caller.principal, wanted.person))
    return page.of(await context.run(context.store.registered_devices.page, visible, page.before, page.limit))


@for_machines.get("/devices/{device_id}", responses=described(HTTPStatus.NOT_FOUND))
async def one(device_id: TheDevice, context: ContextHere, caller: CallerHere) -> RegisteredDevice:
    """A registered device as it is now."""
    return await visible_device(context, caller, device_id)


@router.get("/devices/{device_id}/snapshots", responses=described(HTTPStatus.NOT_FOUND))
async def snapshots(device_id: TheDevice, context: ContextHere, caller: CallerHere) -> list[Snapshot]:
    """What a registered device reported about itself, each time that this changed, the newest first.

    The last 100 reports; `changed` names what differs from the report before.
    """
    await visible_device(context, caller, device_id)
    return await context.run(context.store.registered_devices.snapshots, device_id)


async def visible_device(context: Context, caller: Caller, device_id: str) -> RegisteredDevice:
    """A device that this caller may see. A hidden one raises the same NotFound as one that does not exist."""
    found = await context.run(context.store.registered_devices.one, device_id)
    if not may_see_device(caller.principal, owner(found.person, found.service_token)):
        raise no_device(device_id)
    return found


@for_machines.post(
    "/devices/{device_id}/{action}", responses=described(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, *WITH_BODY)
)
async def act(
    device_id: TheDevice, action: DeviceAction, context: ContextHere, caller: CallerHere, why: Reason
) -> RegisteredDevice:
    """Change the status of a device. All actions but `leave` are for admins.

    `block` blocks it at once, and survives archiving; `unblock` undoes a block or a denial: it waits for an approval
    again. `archive` takes it out of the lists, and it may not connect until somebody restores it with `restore`.
    `revoke` stops it from connecting; `unrevoke` undoes that. `leave` archives your own device, if the policy allows
    devices to leave.
    """
    await visible_device(context, caller, device_id)
    return await context.engine.devices.act(device_id, action, caller.principal, why.reason, PORTAL, caller.proof)


@router.post("/people/{person}/devices/{action}", responses=described(HTTPStatus.FORBIDDEN, *WITH_BODY))
async def act_on_all(
    person: Id, action: Literal["revoke", "unrevoke"], context: ContextHere, caller: CallerHere, why: Reason
) -> Changed:
    """Revoke all devices of a person, or undo that. Archived devices are left as they are. For admins."""
    return Changed(devices=await all_of_person(context, caller, person, action, why.reason))


async def all_of_person(context: Context, caller: Caller, person: str, action: str, reason: str) -> int:
    """Revoke all devices of a person, or take that back; returns how many it changed. Raises NotAllowed."""
    act_on_all = context.engine.devices.act_on_all
    return await act_on_all(DeviceAction(action), caller.principal, reason, PORTAL, caller.proof, person)
