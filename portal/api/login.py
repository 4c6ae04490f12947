"""How the command line gets a token through its person's browser; the shape is that of RFC 8628."""

from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from countersign.errors import Refused, Unavailable, message_of
from countersign.http_answers import LoginBegun, LoginToken
from countersign.models import Model, PlainText
from engine.credentials.device_login import INTERVAL_SECONDS, LOGIN_LASTS, LONGEST_MACHINE, TOKEN_LASTS, as_shown
from portal.api.problems import described, problem
from portal.api.routes import ALWAYS, WITH_BODY, OpenBodyRoute
from portal.connections import address_of
from portal.context import ContextHere

NO_PAGES = (
    "Nobody can sign in here: an administrator has to set COUNTERSIGN_PUBLIC_URL, where browsers reach the portal."
)
OPEN = tuple(one for one in ALWAYS if one is not HTTPStatus.UNAUTHORIZED)

open_to_all = APIRouter(tags=["login"], route_class=OpenBodyRoute, responses=described(*OPEN, *WITH_BODY))


class Machine(Model):
    """The program that wants to log in, as it describes itself."""

    machine: PlainText = Field(default="", max_length=LONGEST_MACHINE)


class DeviceCode(Model):
    """The code that a program polls with."""

    device_code: str = Field(pattern="^[0-9a-f]{64}$")


@open_to_all.post("/login")
async def begin(request: Request, response: Response, machine: Machine, context: ContextHere) -> LoginBegun:
    """Begin a login: show the person `user_code` and `verification_uri`, and poll with `device_code`.

    Needs no token.
    """
    if not context.site.public_url:
        raise Unavailable(NO_PAGES)
    begun = await context.run(context.engine.logins.begin, machine.machine or "a program", address_of(request))
    code, page = as_shown(begun.user_code), f"{context.site.public_url}/device"
    response.headers["Cache-Control"] = "no-store"
    return LoginBegun(
        device_code=begun.device_code,
        user_code=code,
        verification_uri=page,
        verification_uri_complete=f"{page}?code={code}",
        expires_in=int(LOGIN_LASTS.total_seconds()),
        interval=INTERVAL_SECONDS,
    )


@open_to_all.post("/login/token", response_model=LoginToken)
async def poll(device: DeviceCode, context: ContextHere) -> JSONResponse:
    """The token, once the person has allowed the login. Needs no token.

    Until then 400, with an `error` of RFC 8628: `authorization_pending`, `slow_down` (poll 5 seconds less often),
    `access_denied` or `expired_token`.
    """
    try:
        token = await context.run(context.engine.logins.poll, device.device_code)
    except Refused as error:
        code = str(error.code).replace("-", "_")
        return problem(HTTPStatus.BAD_REQUEST, error.code, message_of(error), error=code)
    kind: Literal["Bearer"] = "Bearer"
    made = LoginToken(access_token=token, token_type=kind, expires_in=int(TOKEN_LASTS.total_seconds()))
    return JSONResponse(made.model_dump(), headers={"Cache-Control": "no-store"})
