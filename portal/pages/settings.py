"""Settings, for admins: what the policy says for all, with forms that change it."""

from typing import NamedTuple

from fastapi import Request, Response

from countersign.directory import CHANNELS
from portal.context import ContextHere
from portal.pages.policy import names_of
from portal.pages.render import page
from portal.pages.route import PolicyRoute, admin_router

# What a channel may be used for, and what that means.
USES = {"decide": "Told, and can answer", "link_only": "Told, with a link to answer here", "off": "Off"}


class Setting(NamedTuple):
    """A field, its name and what it means; for a switch, the values for on and off, where "" leaves the field out."""

    field: str
    name: str
    about: str
    on: str = "true"
    off: str = "false"


SWITCHES = (
    Setting(
        "auto_approve_when_requester_is_approver",
        "Auto-approval when the requester is an approver",
        "If the requester is an approver of the level, as a manager, their own approval is counted at once.",
    ),
    Setting("rejection_needs_reason", "A rejection needs a reason", "It counts only with a comment that says why."),
    Setting(
        "same_source_address",
        "Same source address",
        "Access holds only for the address that it was first asked from.",
    ),
    Setting(
        "confirm",
        "Sign in again to approve",
        "An approval counts only on the page, within five minutes of signing in there.",
        "sign_in_again",
        "",
    ),
)
DURATIONS = (
    Setting("approval_status_change_to_expire", "Time to expire", "How long a request waits before it expires."),
    Setting("reminder_minutes", "Reminder", "When those who have not answered are reminded; empty for never."),
    Setting("grant_minutes", "Longest access", "How long access lasts, unless less is asked for."),
)

router = admin_router(PolicyRoute)


@router.get("/settings")
async def settings(request: Request, context: ContextHere) -> Response:
    """What holds for all requests, unless a device group or an approval workflow says otherwise."""
    _, policy = await context.run(context.store.policies.current)
    return page(
        request,
        "settings",
        policy=policy,
        names=names_of(policy),
        written=policy.model_dump(mode="json", include={one.field for one in DURATIONS}),
        switches=SWITCHES,
        durations=DURATIONS,
        channels={name: policy.channels.get(name, "off") for name in CHANNELS},
        uses=USES,
    )
