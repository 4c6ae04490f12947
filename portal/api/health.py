"""The portal's health, and who calls."""

import asyncio
from contextlib import suppress
from http import HTTPStatus

from fastapi import APIRouter, Response

from countersign.errors import Unavailable
from countersign.http_answers import ChannelHealth, Health, Me
from countersign.models import GATEWAY
from engine.heartbeat import living_workers
from portal.api.problems import described
from portal.api.routes import StrictRoute, token_router
from portal.auth import CallerHere
from portal.context import Context, ContextHere

# Longer than anything healthy takes, and shorter than health checks wait.
HEALTH_SECONDS = 3.0

open_to_all = APIRouter(
    tags=["health"],
    route_class=StrictRoute,
    responses=described(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.INTERNAL_SERVER_ERROR),
)
router = token_router("health")


@open_to_all.head("/health", include_in_schema=False)
@open_to_all.get(
    "/health",
    responses={503: {"model": Health, "description": "Something can't be reached, or the database accepts no writes."}},
)
async def health(context: ContextHere, response: Response) -> Health:
    """Whether the database, Temporal and a worker can be reached. Needs no token."""
    temporal = asyncio.create_task(context.client.reachable())
    database = writable = worker = False
    # What takes longer counts as away; a database whose writers are blocked still reads.
    with suppress(Unavailable, TimeoutError):
        async with asyncio.timeout(HEALTH_SECONDS):
            worker = bool(await context.run(living_workers, context.store, context.client.task_queue))
            database = True
            writable = await context.writable()
    found = Health(
        database=database, writable=writable, temporal=await temporal, worker=worker, channels=_channels(context)
    )
    if not (found.database and found.writable and found.temporal and found.worker):
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return found


def _channels(context: Context) -> dict[str, ChannelHealth]:
    found = {name: listener.findings() for name, listener in context.listeners.items()}
    return {
        name: ChannelHealth(
            ok=all(one.state == "ok" for one in findings), message="; ".join(one.message for one in findings)
        )
        for name, findings in found.items()
        if findings
    }


@router.get("/me")
async def me(caller: CallerHere) -> Me:
    """Whose token this is, and for a gateway's, its devices and protocols."""
    scope = caller.visibility.scope
    return Me(
        name=caller.name.removeprefix(GATEWAY),
        kind="person" if caller.is_person else "gateway",
        admin=caller.is_admin,
        devices=sorted(scope.targets),
        protocols=sorted(scope.variants),
    )
