"""Routes for who has a token: who calls is known before anything of the body is read, and then only so much of it."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from portal import auth

LARGEST_BODY_BYTES = 64 * 1024


class TokenRoute(APIRoute):
    """A route that is for who has a token."""

    largest_body_bytes = LARGEST_BODY_BYTES

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Look at the token first."""
        handle = super().get_route_handler()

        async def with_token(request: Request) -> Response:
            house = request.app.state.house
            request.state.caller = await house.run(auth.caller, house.store, request.headers.get("Authorization", ""))
            response = await handle(Request(request.scope, _at_most(self.largest_body_bytes, request.receive)))
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return with_token


def _at_most(size: int, receive: Receive) -> Receive:
    """Read a body of so many bytes; a larger one is refused as soon as it shows."""
    left = size

    async def read() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {size} bytes")
        return message

    return read
