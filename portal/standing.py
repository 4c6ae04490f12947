"""How the portal stands, and for whom a token speaks."""

import asyncio
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Response, Security

from countersign.errors import Unavailable
from countersign.models import Model
from portal.auth import BEARER, CallerHere
from portal.house import House, HouseHere
from portal.routes import TokenRoute

open_to_all = APIRouter(tags=["standing"])
router = APIRouter(tags=["standing"], route_class=TokenRoute, dependencies=[Security(BEARER)])


class ChannelHealth(Model):
    """Whether what people do in this channel reaches the portal now, and what there is to say of that."""

    ok: bool
    words: str


class Health(Model):
    """Whether what the portal needs can be reached now."""

    database: bool
    temporal: bool
    # By the channel's name, how its way in stands; people can still answer on another one where it is in trouble.
    channels: dict[str, ChannelHealth] = {}


class Me(Model):
    """Whose token it is, and for which devices and protocols a gateway's is."""

    name: str
    kind: Literal["person", "gateway"]
    admin: bool
    devices: list[str]
    protocols: list[str]


@open_to_all.get("/health", responses={503: {"model": Health, "description": "Something can't be reached."}})
async def health(house: HouseHere, response: Response) -> Health:
    """Whether the database and Temporal can be reached. Needs no token."""
    database, temporal = await asyncio.gather(_database_answers(house), house.client.reachable())
    if not (database and temporal):
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Health(database=database, temporal=temporal, channels=_channels(house))


def _channels(house: House) -> dict[str, ChannelHealth]:
    found = {name: listener.findings() for name, listener in house.listeners.items()}
    return {
        name: ChannelHealth(
            ok=all(one.state == "ok" for one in findings), words="; ".join(one.words for one in findings)
        )
        for name, findings in found.items()
        if findings
    }


async def _database_answers(house: House) -> bool:
    try:
        await house.run(house.store.events.last_version)
    except Unavailable:
        return False
    return True


@router.get("/me")
async def me(caller: CallerHere) -> Me:
    """For whom this token speaks."""
    owner, sight = caller.token.owner, caller.sight
    return Me(
        name=owner.name,
        kind=owner.kind,
        admin=caller.is_admin,
        devices=sorted(sight.devices),
        protocols=sorted(sight.protocols),
    )
