"""Routes that need a token: it is checked before the body is read, and only a body of limited size is read."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response, Security
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import Query
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from countersign.error_codes import ErrorCode
from countersign.errors import NotAllowed, NotFound, Refused
from engine.credentials.machines import record_refused
from portal import auth, machines
from portal.api.problems import UNKNOWN_PARAMETER, NoToken, described
from portal.connections import address_of
from portal.context import Context
from portal.fair_executor import WHOSE
from portal.limits import AtOnce

PREFIX = "/api/v1"
LARGEST_BODY_BYTES = 64 * 1024
LARGEST_OPEN_BODY_BYTES = 4 * 1024
# The problems of any call with a token: 409 if no policy is in force yet.
ALWAYS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.CONFLICT,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
# And of one with a body, which may be too large, or not text.
WITH_BODY = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


class StrictRoute(APIRoute):
    """A route that refuses unknown query parameters: a misspelt one is never silently ignored."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Check the query first."""
        handle = super().get_route_handler()
        known = [one.alias for one in get_flat_params(self.dependant) if isinstance(one.field_info, Query)]

        async def strict(request: Request) -> Response:
            says = f"is no parameter here; use {', '.join(known)}" if known else "is no parameter here; leave it out"
            unknown = [
                {"type": UNKNOWN_PARAMETER, "loc": ("query", name), "msg": says}
                for name in dict.fromkeys(request.query_params)
                if name not in known
            ]
            if unknown:
                raise RequestValidationError(unknown)
            return await handle(request)

        return strict


class TokenRoute(StrictRoute):
    """A route that needs a token. `for_machines`: a service token or a provisioning key will do, too."""

    largest_body_bytes = LARGEST_BODY_BYTES
    for_machines = False

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Check the token first."""
        handle = super().get_route_handler()

        async def with_token(request: Request) -> Response:
            context: Context = request.app.state.context
            caller = await self._caller(request, context)
            request.state.caller = caller
            if caller.machine and not self.for_machines:
                raise NotAllowed(machines.ONLY_DEVICES, ErrorCode.DEVICES_ONLY)
            bounded = Request(request.scope, at_most(self.largest_body_bytes, request.receive))
            with self._at_once(context).one(caller.credential.id), refusals_counted(request, context, caller):
                response = await handle(bounded)
                if response.status_code == HTTPStatus.CONFLICT and _is_attempt(request, caller):
                    context.refusals.count(caller.name)
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return with_token

    async def _caller(self, request: Request, context: Context) -> auth.Caller:
        """Whose token it is; from here on all work is done in that caller's turn.

        Before that, it is done in the turn of the address, so that a flood of invalid tokens slows down nobody else.
        """
        address = address_of(request)
        WHOSE.set(f"address {address}")
        authorization = request.headers.get("Authorization", "")
        sent = machines.sent_in(request.headers, context.service_token_header)
        token_id = sent.id if sent else auth.presented_id(authorization)
        if token_id in context.known_tokens:
            WHOSE.set(f"token {token_id}")
        if sent:
            caller = await self._machine(context, sent, address)
        else:
            caller = await context.run(auth.caller, context.store, authorization)
        WHOSE.set(f"token {caller.credential.id}")
        context.note_use(caller.credential.id, caller.credential.kind)
        context.calls.count(caller.credential.id)
        return caller

    async def _machine(self, context: Context, sent: machines.Sent, address: str) -> auth.Caller:
        try:
            return await context.run(machines.caller, context.store, sent)
        except NoToken as error:
            await context.run(record_refused, context.store.database, sent.kind, sent.id, str(error), address)
            raise

    def _at_once(self, context: Context) -> AtOnce:
        """The limit on a token's calls at the same time."""
        return context.at_once


class DeviceRoute(TokenRoute):
    """A route about devices that register, which machines may use, too."""

    for_machines = True


class OpenBodyRoute(StrictRoute):
    """A route that needs no token; its body is read up to a small size, in the turn of the caller's address."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Bound the body."""
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            WHOSE.set(f"address {address_of(request)}")
            return await handle(Request(request.scope, at_most(LARGEST_OPEN_BODY_BYTES, request.receive)))

        return bounded


class HeavyRoute(TokenRoute):
    """A route for a large body, with much work for the processor."""

    def _at_once(self, context: Context) -> AtOnce:
        return context.heavy if "POST" in (self.methods or ()) else context.at_once


def token_router(tag: str, route_class: type[TokenRoute] = TokenRoute) -> APIRouter:
    """A router for routes that need a token, as the API's description then says."""
    return APIRouter(
        tags=[tag],
        route_class=route_class,
        dependencies=[Security(auth.BEARER)],
        responses=described(*ALWAYS),
    )


def lead_on(request: Request, response: Response, **start: int | str) -> None:
    """Lead to the next page of a list, which begins at `start`, by the header `Link` (RFC 8288)."""
    query = request.url.include_query_params(**start).query
    response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'


def operation_id(route: APIRoute) -> str:
    """What an operation is called in the API's description, such as `requests_ask`."""
    return "_".join([*map(str, route.tags), route.name.strip("_")])


def _is_attempt(request: Request, caller: auth.Caller) -> bool:
    """Whether a person tries to change something. A gateway acts for many people, and may have more refused."""
    return request.method == "POST" and caller.is_person


@contextmanager
def refusals_counted(request: Request, context: Context, caller: auth.Caller) -> Iterator[None]:
    """Raise TooMany for a caller with too many refusals, and count what is refused now."""
    if not _is_attempt(request, caller):
        yield
        return
    context.refusals.must_have_room(caller.name)
    try:
        yield
    except (Refused, NotAllowed, NotFound):
        context.refusals.count(caller.name)
        raise


def disconnected(request: Request) -> Callable[[], Coroutine[Any, Any, None]]:
    """A function that returns when the client has closed its connection."""

    async def until_disconnected() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return until_disconnected


def at_most(size: int, receive: Receive) -> Receive:
    """Read a body of at most `size` bytes; a larger one is refused as soon as that shows."""
    left = size

    async def read() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {size} bytes")
        return message

    return read
