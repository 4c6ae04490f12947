"""Service tokens and provisioning keys over HTTP, for admins: made, listed, changed and ended."""

from http import HTTPStatus

from countersign.machines import (
    NewProvisioningKey,
    NewServiceToken,
    ProvisioningKey,
    ProvisioningKeySecret,
    Rotation,
    ServiceToken,
    ServiceTokenAction,
    ServiceTokenSecret,
)
from portal.api.access import LISTED
from portal.api.paging import PageHere, TheId
from portal.api.problems import described
from portal.api.routes import WITH_BODY, token_router
from portal.auth import CallerHere
from portal.context import ContextHere

MADE = described(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, *WITH_BODY)
CHANGED = described(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)

router = token_router("machines")


@router.get("/service-tokens", responses=LISTED)
async def tokens(context: ContextHere, caller: CallerHere, page: PageHere) -> list[ServiceToken]:
    """A page of the service tokens that were not revoked, newest first. For admins."""
    caller.must_be_admin()
    return page.of(await context.run(context.store.service_tokens.page, page.before, page.limit))


@router.post("/service-tokens", status_code=HTTPStatus.CREATED, responses=MADE)
async def make_token(context: ContextHere, caller: CallerHere, wanted: NewServiceToken) -> ServiceTokenSecret:
    """Create a service token. Its secret is shown only once, so Idempotency-Key is not supported. For admins."""
    return await context.run(context.engine.service_tokens.make, wanted, caller.principal, caller.proof)


@router.post("/service-tokens/{token_id}/rotate", status_code=HTTPStatus.CREATED, responses=MADE)
async def rotate_token(
    context: ContextHere, caller: CallerHere, token_id: TheId, rotation: Rotation
) -> ServiceTokenSecret:
    """Create a new secret, which is shown only once. The previous one still works for `overlap`. For admins."""
    return await context.run(
        context.engine.service_tokens.rotate, token_id, rotation.overlap, caller.principal, caller.proof
    )


@router.post("/service-tokens/{token_id}/{action}", responses=CHANGED)
async def change_token(
    context: ContextHere, caller: CallerHere, token_id: TheId, action: ServiceTokenAction
) -> ServiceToken:
    """Refresh, disable, enable or revoke a service token, or end its previous secret. For admins.

    A refreshed token lasts at least a year from now. Revoking is for good, and revokes the devices that it registered.
    Doing it again changes nothing.
    """
    return await context.run(context.engine.service_tokens.change, token_id, action, caller.principal, caller.proof)


@router.get("/provisioning-keys", responses=LISTED)
async def keys(context: ContextHere, caller: CallerHere, page: PageHere) -> list[ProvisioningKey]:
    """A page of the provisioning keys that were not ended, newest first. For admins."""
    caller.must_be_admin()
    return page.of(await context.run(context.store.provisioning_keys.page, page.before, page.limit))


@router.post("/provisioning-keys", status_code=HTTPStatus.CREATED, responses=MADE)
async def make_key(context: ContextHere, caller: CallerHere, wanted: NewProvisioningKey) -> ProvisioningKeySecret:
    """Create a key with which up to `devices` machines can register. It is shown only once. For admins."""
    return await context.run(context.engine.provisioning_keys.make, wanted, caller.principal, caller.proof)


@router.post("/provisioning-keys/{key_id}/end", responses=CHANGED)
async def end_key(context: ContextHere, caller: CallerHere, key_id: TheId) -> ProvisioningKey:
    """End a key for good. The devices that registered with it stay. Ending it again changes nothing. For admins."""
    return await context.run(context.engine.provisioning_keys.end, key_id, caller.principal, caller.proof)
