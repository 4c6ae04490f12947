"""Roles over HTTP: who has them, and which devices of theirs nobody was asked about."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Path

from countersign.directory import Policy, Role
from countersign.errors import NotFound
from countersign.models import LONGEST_ID, Id, Model
from countersign.registration import RegisteredDevice
from portal.api.paging import PageHere
from portal.api.problems import described
from portal.api.requests import LINKED
from portal.api.routes import token_router
from portal.auth import CallerHere
from portal.context import ContextHere
from store.registered_devices import WantedDevices

TheRole = Annotated[str, Path(max_length=LONGEST_ID, description="The name of a role.")]

router = token_router("roles")


class RoleView(Model):
    """A role: the `people` and `user_groups` to whom the policy gives it, and how many people have it."""

    role: Id
    people: list[Id]
    user_groups: list[Id]
    members: int
    require_device_approval: bool


@router.get("/roles", responses=described(HTTPStatus.FORBIDDEN))
async def roles(context: ContextHere, caller: CallerHere) -> list[RoleView]:
    """The roles of the policy in force, by name. For admins."""
    caller.must_be_admin()
    _, policy = await context.run(context.store.policies.current)
    return [_view(policy, name, role) for name, role in sorted(policy.all_roles.items())]


def _view(policy: Policy, name: str, role: Role) -> RoleView:
    return RoleView(
        role=name,
        people=role.people,
        user_groups=role.user_groups,
        members=len(policy.people_in(name)),
        require_device_approval=role.require_device_approval,
    )


@router.get(
    "/roles/{role}/devices",
    responses={200: {"headers": LINKED}, **described(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)},
)
async def unasked_devices(
    role: TheRole, context: ContextHere, caller: CallerHere, page: PageHere
) -> list[RegisteredDevice]:
    """A page of the approved devices of a role's people that nobody was ever asked about, newest first. For admins.

    They were known before the role required an approval, and stay as they are.
    """
    caller.must_be_admin()
    _, policy = await context.run(context.store.policies.current)
    devices = context.store.registered_devices
    return page.of(await context.run(devices.page, unasked_in(policy, role), page.before, page.limit))


def unasked_in(policy: Policy, role: str) -> WantedDevices:
    """Which devices of the role's people nobody was asked about. Raises NotFound if there is no such role."""
    must_be_role(policy, role)
    return WantedDevices(unasked_of=policy.people_in(role))


def must_be_role(policy: Policy, role: str) -> Role:
    """The role of this name. Raises NotFound if there is none."""
    if (found := policy.all_roles.get(role)) is None:
        raise NotFound(f"There is no role {role}.")
    return found
