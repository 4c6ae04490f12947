"""Who must agree to a question of each kind, and on what terms, according to the rules of the policy."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from countersign.directory import Policy, RequestTerms
from countersign.error_codes import ErrorCode
from countersign.errors import Refused
from countersign.kinds.connection import CONNECTION, ConnectionQuestion
from countersign.kinds.device import DEVICE, DeviceQuestion
from countersign.models import LevelRule, ManagersOf, Question, Route
from countersign.policy import route as rules
from countersign.times import MINUTE, duration


def route_of(policy: Policy, question: Question) -> Route:
    """Who must agree to this question, on what terms, and how long the grant of an approval lasts; 0 for no grant.

    Raises Refused for an unknown or disabled requester, and if the rules of its kind refuse it.
    """
    rules.must_be_enabled(policy, question.requester)
    return ROUTES[question.kind](policy, question)


def route_of_connection(policy: Policy, question: ConnectionQuestion) -> Route:
    """Who must agree to a connection, according to the device's group and the requester's groups (rule 1).

    Raises Refused for a device in no group, or more time than a grant may last here.
    """
    device_group = policy.group_with(question.device)
    if device_group is None:
        message = f"{question.device} is in no device group; ask an administrator to put it in one."
        raise Refused(message, ErrorCode.UNKNOWN_DEVICE, device=question.device)
    by = rules.route(policy, policy.groups_of(question.requester), device_group)
    if question.minutes is None:
        return by
    wanted = timedelta(minutes=question.minutes)
    if wanted > by.grant_lasts:
        raise Refused(
            f"{question.minutes} minutes are too many: a connection to {question.device} may last "
            f"{duration(by.grant_lasts)} at most.",
            ErrorCode.TOO_MANY_MINUTES,
            minutes=question.minutes,
            limit=by.grant_lasts // MINUTE,
        )
    return by.model_copy(update={"grant_lasts": wanted})


def route_of_device(policy: Policy, question: DeviceQuestion) -> Route:
    """Who must agree to a device: the levels of the policy, else any admin or a manager of the requester's groups."""
    of_devices = policy.registered_devices
    terms = rules.combined(RequestTerms, of_devices, policy)
    groups = policy.groups_of(question.requester)
    managers = LevelRule(approvers=[ManagersOf(managers_of=group) for group in groups] or ["line_manager"])
    default = managers if of_devices.approved_by == "managers" else LevelRule(approvers=["admins"])
    return Route(
        because="a device has to be approved",
        levels=of_devices.levels or [default],
        fallback_approvers=terms["fallback_approvers"],
        expires_after=terms["approval_status_change_to_expire"],
        grant_lasts=timedelta(0),
        remind_after=terms["reminder_minutes"],
        channels=terms["channels"],
        rooms=terms["rooms"],
        rejection_needs_reason=terms["rejection_needs_reason"],
        confirm=terms["confirm"] or "",
    )


ROUTES: dict[str, Callable[[Policy, Any], Route]] = {
    CONNECTION.name: route_of_connection,
    DEVICE.name: route_of_device,
}
