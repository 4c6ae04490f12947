"""Groups, for admins: their members and managers, and whether a manager has to agree; and what changes them."""

from typing import Annotated, Literal

from fastapi import Form, Path, Query, Request, Response

from countersign.directory import DeviceGroup, Policy, UserGroup
from countersign.errors import NotFound, Refused
from countersign.models import LONGEST_ID
from countersign.policy_edit import Change
from portal import policies
from portal.auth import CallerHere
from portal.context import ContextHere
from portal.pages.policy import HOME, Back, names_of, planned
from portal.pages.render import page
from portal.pages.route import PolicyRoute, page_router

PER_PAGE = 100
Section = Literal["user_groups", "device_groups"]
Word = Annotated[str, Form(max_length=LONGEST_ID)]
# What a form sends for a switch.
SWITCHES = {"true": True, "false": False}

router = page_router(PolicyRoute)


@router.get("/groups")
async def groups(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    query: Annotated[str, Query(max_length=LONGEST_ID)] = "",
    section: Section = "user_groups",
    after: Annotated[str, Query(max_length=LONGEST_ID)] = "",
) -> Response:
    """The user groups, or the device groups, sorted by name; only those with `query` in their name."""
    caller.must_be_admin()
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
    caller: CallerHere,
    section: Section,
    name: Annotated[str, Path(max_length=LONGEST_ID)],
) -> Response:
    """One group, with what may be changed."""
    caller.must_be_admin()
    _, policy = await context.run(context.store.policies.current)
    found = _section(policy, section).get(name)
    if found is None:
        raise NotFound(f"There is no group {name}.")
    return page(request, "group", section=section, group_name=name, group=found, policy=policy, names=names_of(policy))


@router.post("/policy/change")
async def change(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    action: Annotated[Literal["set", "add", "remove"], Form()],
    path: Annotated[list[str], Form(min_length=1, max_length=3)],
    value: Word = "",
    back: Back = HOME,
) -> Response:
    """The plan of one change of the policy in force, to be confirmed; an empty value leaves a field out."""
    caller.must_be_admin()
    wanted: bool | str | None = value.strip() or None
    if action == "set":
        wanted = SWITCHES.get(value, wanted)
    elif wanted is None:
        raise Refused("Nobody was named; write an id.")
    new = await policies.changed(context, Change(path=path, action=action, value=wanted))
    return await planned(request, context, caller, new.text, new.version, back)


def _section(policy: Policy, section: Section) -> dict[str, UserGroup] | dict[str, DeviceGroup]:
    return policy.user_groups if section == "user_groups" else policy.device_groups
