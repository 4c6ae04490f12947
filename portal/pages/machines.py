"""Service tokens and provisioning keys, for admins: what machines register their devices with."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Form, Path, Query, Request, Response

from countersign.machines import (
    MOST_DEVICES,
    NewProvisioningKey,
    NewServiceToken,
    Rotation,
    ServiceTokenAction,
    ServiceTokenSecret,
)
from portal.auth import CallerHere
from portal.context import Context, ContextHere
from portal.pages.render import next_page, page, redirect_to, secret_page
from portal.pages.route import admin_router
from store.machines import Credentials, T

PER_PAGE = 50
# Durations that the forms offer.
TOKEN_LASTS = ("30d", "90d", "365d", "730d")
KEY_LASTS = ("1d", "7d", "30d", "90d")
OVERLAPS = ("1h", "1d", "7d", "30d")
ABOUT_SERVICE = (
    "Copy both now: the secret is shown this once, and kept nowhere. Machines send them in these headers; whoever has "
    "both may register devices, as far as the enrolment rules let this token."
)
ABOUT_KEY = (
    "Copy it now: it is shown this once, and kept nowhere. Machines send it in this header, and whoever has it may "
    "register devices of {}, {} in all."
)
Before = Annotated[str, Query(max_length=16)]
TheId = Annotated[str, Path(max_length=16)]

router = admin_router()


@router.get("/service-tokens")
async def service_tokens(request: Request, context: ContextHere, before: Before = "") -> Response:
    """The service tokens that were not revoked, newest first, with forms that make and change one."""
    return await _list(request, context, context.store.service_tokens, before, TOKEN_LASTS)


@router.post("/service-tokens")
async def make_service_token(
    request: Request, context: ContextHere, caller: CallerHere, wanted: Annotated[NewServiceToken, Form()]
) -> Response:
    """Make one, and show its secret, this once."""
    made = await context.run(context.engine.service_tokens.make, wanted, caller.principal, caller.proof)
    return _secret(request, "Your new service token", made)


@router.post("/service-tokens/{token_id}/rotate")
async def rotate_service_token(
    request: Request, context: ContextHere, caller: CallerHere, token_id: TheId, rotation: Annotated[Rotation, Form()]
) -> Response:
    """Make a new secret, and show it, this once."""
    made = await context.run(
        context.engine.service_tokens.rotate, token_id, rotation.overlap, caller.principal, caller.proof
    )
    return _secret(request, "The new secret", made)


@router.post("/service-tokens/{token_id}/{action}")
async def change_service_token(
    context: ContextHere, caller: CallerHere, token_id: TheId, action: ServiceTokenAction
) -> Response:
    """Refresh, disable, enable or revoke one, or end the secret it had before."""
    await context.run(context.engine.service_tokens.change, token_id, action, caller.principal, caller.proof)
    return redirect_to("/service-tokens")


@router.get("/provisioning-keys")
async def provisioning_keys(request: Request, context: ContextHere, before: Before = "") -> Response:
    """The provisioning keys that were not ended, newest first, and a form that makes one."""
    return await _list(request, context, context.store.provisioning_keys, before, KEY_LASTS)


@router.post("/provisioning-keys")
async def make_provisioning_key(
    request: Request, context: ContextHere, caller: CallerHere, wanted: Annotated[NewProvisioningKey, Form()]
) -> Response:
    """Make one, and show it, this once."""
    made = await context.run(context.engine.provisioning_keys.make, wanted, caller.principal, caller.proof)
    policy = await context.run(context.store.reading.policy)
    about = ABOUT_KEY.format(policy.users[wanted.person].name, wanted.devices)
    return secret_page(
        request,
        "Your new provisioning key",
        about,
        {"Countersign-Provisioning-Key": made.key},
        "/provisioning-keys",
        "To the provisioning keys",
    )


@router.post("/provisioning-keys/{key_id}/end")
async def end_provisioning_key(context: ContextHere, caller: CallerHere, key_id: TheId) -> Response:
    """End one; the devices that registered with it stay."""
    await context.run(context.engine.provisioning_keys.end, key_id, caller.principal, caller.proof)
    return redirect_to("/provisioning-keys")


def _secret(request: Request, title: str, made: ServiceTokenSecret) -> Response:
    secrets = {"CF-Access-Client-Id": made.client_id, "CF-Access-Client-Secret": made.client_secret}
    return secret_page(request, title, ABOUT_SERVICE, secrets, "/service-tokens", "To the service tokens")


async def _list(
    request: Request, context: Context, kept: Credentials[T], before: str, lasts: Sequence[str]
) -> Response:
    """A page of one of the lists, which leads to the next."""
    found = await context.run(kept.page, before, PER_PAGE)
    policy = await context.run(context.store.reading.policy)
    return page(
        request,
        kept.table.name,
        found=found,
        users=policy.users,
        next_page=next_page(request, found[-1].id if len(found) == PER_PAGE else None),
        lasts=lasts,
        overlaps=OVERLAPS,
        most_devices=MOST_DEVICES,
    )
