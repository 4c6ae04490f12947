"""Registers devices and acts on them, and so opens and cancels requests about them in Temporal."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

from countersign.errors import CountersignError, NotAllowed, Refused, TooMany, Unavailable
from countersign.permissions import Principal, must_be_admin
from countersign.registration import (
    REGISTRATION_STATUS,
    DeviceAction,
    DeviceStatus,
    Presented,
    Registered,
    RegisteredDevice,
)
from engine.concurrently import run_each
from engine.devices.enrolling import enrolment_of
from engine.devices.external_evaluation import ExternalEvaluations
from engine.devices.registering import OPEN_TO_DECISION
from engine.devices.registrant import Registrant
from engine.resources import Resources
from engine.undoing import Undoing

# The sweeper opens a request that was not opened after this long.
LEFT_AFTER = timedelta(seconds=15)
SWEPT_AT_ONCE = 100
MESSAGES = {
    DeviceStatus.NOT_ENROLLED: "The device is not enrolled.",
    DeviceStatus.PENDING: "The device waits for an approval.",
    DeviceStatus.APPROVED: "The device is approved.",
    DeviceStatus.DENIED: "The device was denied.",
    DeviceStatus.BLOCKED: "The device is blocked; ask an administrator.",
    DeviceStatus.REVOKED: "The device was revoked; ask an administrator.",
    DeviceStatus.ARCHIVED: "The device is archived; ask an administrator to restore it.",
}


class Devices:
    """Registers devices, and acts on them."""

    def __init__(self, resources: Resources, undoing: Undoing, external: ExternalEvaluations) -> None:
        self._resources = resources
        self._run = resources.run
        self._undoing = undoing
        self._external_evaluations = external
        self._registering = resources.transactions.registering
        self._actions = resources.transactions.device_actions

    async def register(self, presented: Presented, by: Registrant) -> Registered:
        """Register a device, or note that a known one is here; the same device is registered once.

        Raises Refused for a person who may not register or a key of somebody else, NotAllowed for a machine whose
        credential does not allow one more, and TooMany if too many wait or were registered lately.
        """
        row = await self._run(self._registering.present, presented, by)
        policy = await self._run(self._resources.store.reading.policy)
        enrolment = await enrolment_of(policy, row, by, self._external_evaluations)
        device, to_ask = await self._run(self._registering.enrol, row.id, by, enrolment)
        if to_ask:
            await self._ask(device.id)
            device = await self._run(self._resources.store.registered_devices.one, device.id)
        if enrolment.refused and device.status in OPEN_TO_DECISION:
            return Registered(id=device.id, status="denied", message=enrolment.refused)
        return registration_reply(device)

    async def registered(self, device_id: str) -> Registered:
        """What to reply to a device now. Raises NotFound."""
        device = await self._run(self._resources.store.registered_devices.one, device_id)
        policy = await self._run(self._resources.store.reading.policy)
        if device.person and not policy.enabled(device.person):
            return Registered(id=device.id, status="denied", message=f"{device.person} is disabled.")
        return registration_reply(device)

    async def _ask(self, device_id: str) -> None:
        """Open the request about a device; what fails for now is tried again by the sweeper."""
        question = await self._run(self._registering.question_about, device_id)
        if question is None:
            return
        try:
            await self._resources.client.ask(question, "", question.requester)
        except Unavailable:
            return
        except (Refused, TooMany) as error:
            await self._run(self._registering.do_not_ask, device_id, str(error))

    async def _ask_left_over(self, device_id: str) -> None:
        """Open the request about a device, unless its workflow is open and goes on by itself.

        Joining that one would be recorded as if its person had asked again. A request that is on record is joined
        nevertheless: if it was settled there, its workflow learns of it this way, and ends.
        """
        question = await self._run(self._registering.question_about, device_id)
        if question is None:
            return
        run = await self._resources.client.open_run(question.workflow_id)
        if not run or await self._run(self._registering.has_opened, run):
            await self._ask(device_id)

    async def ask_left_over(self) -> None:
        """Open the requests that a crash left unopened."""
        due = datetime.now(UTC) - LEFT_AFTER
        with suppress(Refused):  # no policy was ever applied, so there are no devices
            found = await self._run(self._resources.store.registered_devices.to_ask, due, SWEPT_AT_ONCE)
            await run_each([partial(self._ask_left_over, one) for one in found])

    async def act(
        self,
        device_id: str,
        action: DeviceAction,
        who: Principal,
        reason: str = "",
        channel: str = "",
        proof: dict[str, str] | None = None,
    ) -> RegisteredDevice:
        """Block, archive, revoke a device, undo that, or have it leave; a request about it is cancelled or opened.

        Raises NotFound, NotAllowed, Refused.
        """
        try:
            device, waiting = await self._run(self._actions.act, device_id, action, who, reason, channel, proof or {})
        except NotAllowed as error:
            await self._run(self._actions.record_refusal, device_id, action, who.name, str(error), proof or {})
            raise
        if waiting is not None:
            await self._withdraw(waiting, device, who.name)
        elif action is DeviceAction.UNBLOCK:
            await self._ask(device_id)
        return await self._run(self._resources.store.registered_devices.one, device_id)

    async def _withdraw(self, approval_id: int, device: RegisteredDevice, who: str) -> None:
        # An answer that comes first changes nothing: what was done to the device outranks its decision.
        with suppress(CountersignError):
            await self._undoing.cancel(approval_id, Principal(who, appointed=True), "", device.message)

    async def act_on_all(
        self, action: DeviceAction, who: Principal, reason: str, channel: str, proof: dict[str, str], person: str
    ) -> int:
        """Revoke all devices of a person, or undo that; returns how many it changed. For admins."""
        must_be_admin(who)
        found = await self._run(self._actions.act_on_all, action, who.name, reason, channel, proof, person)
        await run_each([partial(self._withdraw, waiting, one, who.name) for one, waiting in found if waiting])
        return len(found)


def registration_reply(device: RegisteredDevice) -> Registered:
    """What a device is told about itself."""
    is_in = device.status is DeviceStatus.APPROVED
    over = is_in and device.session_ends_at is not None and device.session_ends_at <= datetime.now(UTC)
    return Registered(
        id=device.id,
        status="denied" if over else REGISTRATION_STATUS[device.status],
        message="Its session is over; register again." if over else MESSAGES[device.status],
        approval_id=device.approval_id if device.status is DeviceStatus.PENDING else None,
        address=device.address if is_in and not over else None,
        session_ends_at=device.session_ends_at if is_in else None,
    )
