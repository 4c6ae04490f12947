"""Groups, for admins: their members and managers, and whether a manager has to agree."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import Path, Query, Request, Response

from countersign.directory import DeviceGroup, Policy, UserGroup
from countersign.errors import NotFound
from countersign.models import LONGEST_ID
from portal.context import ContextHere
from portal.pages.policy import names_of
from portal.pages.render import MOST_ENTRIES, page
from portal.pages.route import PolicyRoute, admin_router

PER_PAGE = 100
Section = Literal["user_groups", "device_groups"]

router = admin_router(PolicyRoute)


@router.get("/groups")
async def groups(
    request: Request,
    context: ContextHere,
    query: Annotated[str, Query(max_length=LONGEST_ID)] = "",
    section: Section = "user_groups",
    after: Annotated[str, Query(max_length=LONGEST_ID)] = "",
) -> Response:
    """The user groups, or the device groups, sorted by name; only those with `query` in their name."""
    _, policy = await context.run(context.store.policies.current)
    wanted = query.strip().lower()
    names = [name for name in sorted(_section(policy, section)) if wanted in name and name > after]
    return page(
        request,
        "groups",
        section=section,
        query=query,
        groups=[(name, _section(policy, section)[name]) for name in names[:PER_PAGE]],
        next_after=names[PER_PAGE - 1] if len(names) > PER_PAGE else "",
    )


@router.get("/groups/{section}/{name}")
async def group(
    request: Request,
    context: ContextHere,
    section: Section,
    name: Annotated[str, Path(max_length=LONGEST_ID)],
    query: Annotated[str, Query(max_length=LONGEST_ID)] = "",
) -> Response:
    """One group, with what may be changed; of its lists the entries with `query` in their id or name."""
    _, policy = await context.run(context.store.policies.current)
    found = _section(policy, section).get(name)
    if found is None:
        raise NotFound(f"There is no group {name}.")
    return page(
        request,
        "group",
        section=section,
        group_name=name,
        group=found,
        policy=policy,
        names=names_of(policy),
        query=query.strip(),
        is_long=any(len(ids) > MOST_ENTRIES for ids in (found.managers, _entries(found))),
    )


def _entries(group: UserGroup | DeviceGroup) -> Sequence[str]:
    """What it groups."""
    return group.members if isinstance(group, UserGroup) else group.devices


def _section(policy: Policy, section: Section) -> dict[str, UserGroup] | dict[str, DeviceGroup]:
    return policy.user_groups if section == "user_groups" else policy.device_groups
