"""Explaining a mail: what is read in it, and what would become of it."""

import json
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Security

from countersign.error_codes import ErrorCode
from countersign.errors import Unavailable
from countersign.masks import masked
from portal.auth import BEARER, CallerHere
from portal.house import HouseHere
from portal.problems import described
from portal.routes import HeavyRoute

LARGEST_MAIL_BYTES = 32 * 1024 * 1024
MAIL = {"requestBody": {"required": True, "content": {"message/rfc822": {"schema": {"type": "string"}}}}}
NO_MAIL = "This portal reads no mail; start it with the mail settings of the worker (docs/settings.md)."


class MailRoute(HeavyRoute):
    """A route that takes a mail."""

    largest_body_bytes = LARGEST_MAIL_BYTES


router = APIRouter(tags=["replies"], route_class=MailRoute, dependencies=[Security(BEARER)])


@router.post(
    "/replies/explain",
    openapi_extra=MAIL,
    responses=described(HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE),
)
async def explain(request: Request, house: HouseHere, caller: CallerHere) -> dict[str, Any]:
    """Say what a reply decides, or why not, check by check. The body is the mail as it arrived; nothing is changed."""
    caller.must_be_person()
    if house.explain is None:
        raise Unavailable(NO_MAIL, ErrorCode.NO_MAIL_READ)
    mail = await request.body()
    async with house.working:
        told = await house.explain(mail)
    return await house.work(_without_secrets, told)


def _without_secrets(told: dict[str, Any]) -> dict[str, Any]:
    hidden: dict[str, Any] = json.loads(masked(json.dumps(told)))
    return hidden
