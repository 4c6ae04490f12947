"""Roles, for admins: who has them, whether a new device needs an approval, and the devices nobody was asked about."""

from typing import Annotated

from fastapi import Path, Query, Request, Response

from countersign.directory import ADMIN
from countersign.models import LONGEST_ID
from portal.api.roles import must_be_role, unasked_in
from portal.context import ContextHere
from portal.pages.policy import names_of
from portal.pages.render import MOST_ENTRIES, next_page, page
from portal.pages.route import admin_router

PER_PAGE = 25

router = admin_router()


@router.get("/roles")
async def roles(request: Request, context: ContextHere) -> Response:
    """The roles of the policy, by name."""
    _, policy = await context.run(context.store.policies.current)
    return page(
        request,
        "roles",
        roles=[(name, role, policy.people_in(name)) for name, role in sorted(policy.all_roles.items())],
    )


@router.get("/roles/{name}")
async def role(
    request: Request,
    context: ContextHere,
    name: Annotated[str, Path(max_length=LONGEST_ID)],
    query: Annotated[str, Query(max_length=LONGEST_ID)] = "",
    before: Annotated[str, Query(max_length=16)] = "",
) -> Response:
    """One role, with what may be changed; of its lists the entries with `query` in their id or name."""
    _, policy = await context.run(context.store.policies.current)
    found, people = must_be_role(policy, name), policy.people_in(name)
    devices = await context.run(context.store.registered_devices.page, unasked_in(policy, name), before, PER_PAGE)
    return page(
        request,
        "role",
        role_name=name,
        role=found,
        is_admin=name == ADMIN,
        is_written=name in policy.roles,
        people=people,
        devices=devices,
        next_page=next_page(request, devices[-1].id if len(devices) == PER_PAGE else None),
        policy=policy,
        names=names_of(policy),
        query=query.strip(),
        is_long=any(len(ids) > MOST_ENTRIES for ids in (people, found.user_groups)),
    )
