"""The policy and directory over HTTP."""

import logging
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, BackgroundTasks, Request, Security
from fastapi.responses import JSONResponse

from countersign import policy_file
from countersign.directory import CHANNELS
from countersign.door import Door
from countersign.errors import BadPolicy, CountersignError, in_words
from countersign.models import Model
from portal.auth import BEARER, CallerHere
from portal.house import House, HouseHere
from portal.once import OnceHere
from portal.problems import described
from portal.routes import HeavyRoute
from store.policies import ReadPolicy
from store.workers import CHANNEL_KEPT

YAML: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/yaml": {"schema": {"type": "string"}}}}
}

log = logging.getLogger(__name__)


class PolicyRoute(HeavyRoute):
    """A route that takes a policy file."""

    largest_body_bytes = policy_file.LARGEST_FILE_BYTES


router = APIRouter(tags=["policy"], route_class=PolicyRoute, dependencies=[Security(BEARER)])


class PolicyText(Model):
    """The policy in force."""

    version: int
    text: str


class Applied(Model):
    """The version that is now in force."""

    version: int


class Checked(Model):
    """Each mistake of a policy, with its line; none means that it can be applied.

    `warnings` are no mistakes of the file, but won't work as this installation is set up now.
    """

    problems: list[str]
    warnings: list[str] = []


@router.get("/policy", responses=described(HTTPStatus.FORBIDDEN))
async def show(house: HouseHere, caller: CallerHere) -> PolicyText:
    """The policy in force, as it was written. For admins: it names everybody and their mail address."""
    caller.must_be_admin()
    version, text = await house.run(house.store.policies.text)
    return PolicyText(version=version, text=text)


@router.post(
    "/policy",
    response_model=Applied,
    openapi_extra=YAML,
    responses=described(HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def apply(
    request: Request, house: HouseHere, caller: CallerHere, once: OnceHere, later: BackgroundTasks
) -> JSONResponse:
    """Put a policy file in force, or name all its mistakes. For admins.

    Who it disables can no longer decide; their requests are then cancelled, and their grants revoked.
    """
    admin = caller.must_be_admin()
    body = await request.body()

    async def put_in_force(_: str) -> JSONResponse:
        # Read beside the store's threads, which others wait for.
        read = await house.work(ReadPolicy.of, body)
        version = await house.run(house.store.policies.put_in_force, read, admin)
        later.add_task(_enforce, house.door)
        return JSONResponse({"version": version})

    return await once(put_in_force)


@router.post("/policy/check", openapi_extra=YAML)
async def check(request: Request, house: HouseHere, caller: CallerHere) -> Checked:
    """Name all mistakes of a policy file, and change nothing."""
    caller.must_be_person()
    try:
        policy, document = await house.work(policy_file.load_with_places, await request.body())
    except BadPolicy as error:
        return Checked(problems=error.problems)
    return Checked(problems=[], warnings=policy_file.warnings(policy, document, await _set_up(house)))


async def _set_up(house: House) -> frozenset[str]:
    """The channels by which people can be told: those of the workers, or all where none was seen lately."""
    workers = await house.run(house.store.workers.seen_since, datetime.now(UTC) - CHANNEL_KEPT)
    return frozenset(name for one in workers for name in one.channels) if workers else frozenset(CHANNELS)


async def _enforce(door: Door) -> None:
    try:
        await door.enforce_directory()
    except CountersignError as error:
        log.warning("the sweeper will enforce the new policy: %s", in_words(error))
