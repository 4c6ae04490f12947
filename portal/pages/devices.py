"""The devices that people connect with: their own, for admins everybody's; their history, and what may be done."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

from fastapi import Depends, Form, Query, Request, Response

from countersign.device_permissions import why_not_device
from countersign.directory import Policy
from countersign.errors import NotAllowed
from countersign.fingerprints import details
from countersign.models import LONGEST_ID, LONGEST_REASON, Detail, Id, PlainText, Status, Verdict
from countersign.registration import DeviceAction, DeviceStatus, Snapshot
from countersign.views import RequestView
from engine.record import PORTAL
from portal.api.registered_devices import TheDevice, all_of_person, visible_device
from portal.auth import Caller, CallerHere
from portal.context import ContextHere
from portal.pages.lists import cards, person_of
from portal.pages.policy import names_of
from portal.pages.render import next_page, page, redirect_to
from portal.pages.requests import version_of
from portal.pages.route import page_router
from store.filters import Filters
from store.listing import Wanted
from store.registered_devices import LONGEST_QUERY, WantedDevices

PER_PAGE = 50
MOST_REQUESTS = 10

Before = Annotated[str, Query(max_length=16)]
Typed = Annotated[PlainText, Query(max_length=LONGEST_ID)]
Text = Annotated[PlainText, Form(max_length=LONGEST_REASON)]
AllAction = Literal["revoke", "unrevoke"]

router = page_router()


class Button(NamedTuple):
    """An action on a device: what its button says, what it brings about, and whether it takes something away."""

    label: str
    about: str
    takes_away: bool = True


BUTTONS = {
    DeviceAction.BLOCK: Button(
        "Block", "From now on it may not connect until an admin unblocks it; nobody is asked about it."
    ),
    DeviceAction.REVOKE: Button(
        "Revoke", "It may not connect until an admin takes that back; then it is as it was before."
    ),
    DeviceAction.ARCHIVE: Button(
        "Archive",
        "It leaves the lists and may not connect, even if it registers again, until an admin restores it.",
    ),
    DeviceAction.LEAVE: Button("Remove", "Nobody may connect with it any more, until an admin restores it."),
    DeviceAction.UNBLOCK: Button("Unblock", "It waits for an approval again; unblocking does not approve it.", False),
    DeviceAction.RESTORE: Button("Restore", "It comes back as it was before it was archived.", False),
    DeviceAction.UNREVOKE: Button("Take the revocation back", "It is as it was before it was revoked.", False),
}
# The actions that admins are offered, by the status of a device; all others would change nothing.
BLOCK, REVOKE, ARCHIVE = DeviceAction.BLOCK, DeviceAction.REVOKE, DeviceAction.ARCHIVE
OFFERED: dict[DeviceStatus, Sequence[DeviceAction]] = {
    DeviceStatus.NOT_ENROLLED: (BLOCK, ARCHIVE),
    DeviceStatus.PENDING: (BLOCK, REVOKE, ARCHIVE),
    DeviceStatus.APPROVED: (BLOCK, REVOKE, ARCHIVE),
    DeviceStatus.DENIED: (DeviceAction.UNBLOCK, BLOCK, ARCHIVE),
    DeviceStatus.BLOCKED: (DeviceAction.UNBLOCK, ARCHIVE),
    DeviceStatus.REVOKED: (DeviceAction.UNREVOKE, BLOCK, ARCHIVE),
    DeviceStatus.ARCHIVED: (DeviceAction.RESTORE,),
}


class FingerprintChange(NamedTuple):
    """What a device said about itself at some moment, and what differs from the time before; empty at the first."""

    at: Snapshot
    details: list[Detail]


@router.get("/devices")
async def mine(request: Request, context: ContextHere, caller: CallerHere, before: Before = "") -> Response:
    """One's own devices, the newest first."""
    version = await version_of(context)
    found = await context.run(context.store.registered_devices.page, WantedDevices(caller.name), before, PER_PAGE)
    policy = await context.run(context.store.reading.policy)
    return page(
        request,
        "my_devices",
        live="devices",
        version=version,
        devices=found,
        may_not_leave=_why_not(policy, caller, DeviceAction.LEAVE, caller.name),
        next_page=next_page(request, found[-1].id if len(found) == PER_PAGE else None),
    )


def _wanted(
    person: Typed = "",
    serial: Typed = "",
    key: Typed = "",
    status: DeviceStatus | Literal[""] = "",
    query: Annotated[PlainText, Query(max_length=LONGEST_QUERY)] = "",
) -> WantedDevices:
    """The filters as they stand in the form."""
    return WantedDevices(person.strip(), serial.strip(), key.strip(), status or None, query.strip())


@router.get("/team/devices")
async def everybody(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    typed: Annotated[WantedDevices, Depends(_wanted)],
    before: Before = "",
) -> Response:
    """The devices of everybody that pass the filters, the newest first."""
    caller.must_be_admin()
    version = await version_of(context)
    policy = await context.run(context.store.reading.policy)
    person = person_of(policy, typed.person) if typed.person else ""
    wanted = WantedDevices(person, typed.serial, typed.key, typed.status, typed.query)
    found = await context.run(context.store.registered_devices.page, wanted, before, PER_PAGE)
    return page(
        request,
        "devices",
        live="devices",
        version=version,
        devices=found,
        typed=typed,
        person=person,
        statuses=list(DeviceStatus),
        is_narrowed=wanted != WantedDevices(),
        names=names_of(policy),
        next_page=next_page(request, found[-1].id if len(found) == PER_PAGE else None),
    )


@router.get("/team/devices/{action}")
async def confirm_all(
    request: Request, context: ContextHere, caller: CallerHere, action: AllAction, person: Annotated[Id, Query()]
) -> Response:
    """What doing this to all devices of a person brings about; nothing is done yet."""
    caller.must_be_admin()
    names = names_of(await context.run(context.store.reading.policy))
    return page(
        request,
        "device_action",
        what=f"all devices of {names.get(person, person)}",
        button=BUTTONS[DeviceAction(action)],
        path=f"/team/devices/{action}",
        person=person,
        back=f"/team/devices?person={person}",
    )


@router.post("/team/devices/{action}")
async def do_to_all(
    context: ContextHere, caller: CallerHere, action: AllAction, person: Annotated[Id, Form()], reason: Text = ""
) -> Response:
    """Revoke all devices of a person, or take that back."""
    await all_of_person(context, caller, person, action, reason)
    return redirect_to(f"/team/devices?person={person}")


@router.get("/devices/{device_id}")
async def one(request: Request, device_id: TheDevice, context: ContextHere, caller: CallerHere) -> Response:
    """One device: what it says of itself, what has changed, the requests about it, and what its reader may do."""
    version = await version_of(context)
    device = await visible_device(context, caller, device_id)
    snapshots = await context.run(context.store.registered_devices.snapshots, device_id)
    about = Wanted(visibility=caller.visibility, limit=MOST_REQUESTS, filters=Filters(device=device_id))
    requests, _ = await context.run(context.store.reading.page, about)
    approved = next((one for one in requests if one.status is Status.APPROVED), None)
    policy = await context.run(context.store.reading.policy)
    names, why_not = names_of(policy), partial(_why_not, policy, caller, person=device.person)
    return page(
        request,
        "registered_device",
        live=f"device {device_id}",
        version=version,
        device=device,
        details=details(device.fingerprint),
        changes=_changes(snapshots),
        requests=cards(caller, requests),
        approved=approved,
        approvers=_approvers(approved, names) if approved else [],
        names=names,
        buttons={action: BUTTONS[action] for action in OFFERED[device.status] if not why_not(action)},
        is_own=device.person == caller.name,
        may_not_leave=why_not(DeviceAction.LEAVE),
    )


@router.get("/devices/{device_id}/{action}")
async def confirm(
    request: Request, device_id: TheDevice, action: DeviceAction, context: ContextHere, caller: CallerHere
) -> Response:
    """What doing this to a device brings about; nothing is done yet. Raises NotAllowed for who may not."""
    device = await visible_device(context, caller, device_id)
    policy = await context.run(context.store.reading.policy)
    if why := _why_not(policy, caller, action, device.person):
        raise why
    return page(
        request,
        "device_action",
        what=device.name,
        button=BUTTONS[action],
        path=f"/devices/{device_id}/{action}",
        person="",
        back=f"/devices/{device_id}",
    )


@router.post("/devices/{device_id}/{action}")
async def act(
    device_id: TheDevice, action: DeviceAction, context: ContextHere, caller: CallerHere, reason: Text = ""
) -> Response:
    """Do it."""
    await visible_device(context, caller, device_id)
    await context.engine.devices.act(device_id, action, caller.principal, reason, PORTAL, caller.proof)
    return redirect_to(f"/devices/{device_id}")


def _why_not(policy: Policy, caller: Caller, action: DeviceAction, person: str) -> NotAllowed | None:
    """Why the reader may not do this to a device of this person; None where they may."""
    return why_not_device(caller.principal, action, person, policy.registered_devices.allow_devices_to_leave)


def _approvers(request: RequestView, names: Mapping[str, str]) -> list[str]:
    """Who approved it, by name, each once."""
    approvals = (one for one in request.decisions if one.verdict is Verdict.APPROVE and not one.lapsed)
    return list(dict.fromkeys(names.get(one.person, one.person) for one in approvals))


def _changes(snapshots: Sequence[Snapshot]) -> list[FingerprintChange]:
    """The history, the newest first; the oldest that is kept has nothing to compare it with."""
    compared = [
        FingerprintChange(
            after, [one for one in details(after.fingerprint, before.fingerprint) if one.before is not None]
        )
        for after, before in pairwise(snapshots)
    ]
    return [*compared, *(FingerprintChange(one, []) for one in snapshots[-1:])]
