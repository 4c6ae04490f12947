"""What changes about a device when a request about it is opened and settled, in the same transactions."""

from sqlalchemy import Connection

from countersign.directory import Policy
from countersign.kinds.device import DeviceQuestion
from countersign.models import Status
from countersign.registration import DeviceDecision, DeviceStatus, status_of
from countersign.transitions import Transition
from engine.devices.enrolment import approved, has_to_ask_again
from store import registered_devices as devices


def opened(connection: Connection, question: DeviceQuestion, approval_id: int) -> None:
    """Note with the device which request waits about it."""
    devices.change(connection, question.device, approval_id=approval_id, to_ask=False)


def settled(connection: Connection, policy: Policy, question: DeviceQuestion, transition: Transition) -> None:
    """Approve or deny the device. If nobody decided in time, it waits until it registers again.

    An approval that comes after a block, an archiving or a revocation does nothing. Nor does it let in a device that
    has changed since the request was opened, if the policy asks about such changes: the device is asked about again.
    The feed's lock is held, so that no other device gets the same address.
    """
    if transition.status not in (Status.APPROVED, Status.REJECTED):
        return
    row = devices.device_row(connection, question.device, lock=True)
    if row.decision != DeviceDecision.PENDING or row.approval_id != transition.approval_id:
        return
    if transition.status is Status.APPROVED:
        if status_of(row._mapping) is not DeviceStatus.PENDING:
            return
        fingerprint = question.fingerprint.model_dump(mode="json")
        row = devices.change(connection, row.id, **approved(connection, row, fingerprint, transition.at))
        if has_to_ask_again(policy, row):
            devices.change(connection, row.id, decision=DeviceDecision.PENDING, to_ask=True)
    else:
        devices.change(connection, row.id, decision=DeviceDecision.DENIED, message=transition.message)
