"""`Idempotency-Key`: a repeated POST gets the reply that the first one got, also while that is still being found."""

import asyncio
import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse

from countersign.errors import CountersignError, Refused
from portal.auth import CallerHere
from portal.house import HouseHere
from portal.problems import MEDIA_TYPE, of_error
from store.idempotency import Reply

POLL_SECONDS = 0.05

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="Any text of your choice: the same POST with the same key is done once, and answered the same.",
    ),
]


class Once:
    """Does what a request asks for once for each key of a token, whose replies are kept for a day."""

    def __init__(self, request: Request, house: HouseHere, caller: CallerHere, key: Key = None) -> None:
        self.request = request
        self.house = house
        self.token_id = caller.token.id
        self.key = key

    async def __call__(self, find: Callable[[str], Awaitable[JSONResponse]]) -> JSONResponse:
        """The reply that was given, or the one that `find` finds; it gets an id that is the same for each repeat."""
        if self.key is None:
            return await find(uuid.uuid4().hex)
        digest = await self._digest()
        known = await self._claim(self.key, digest)
        if known is not None:
            return _response(known)
        try:
            response = await find(hashlib.sha256(f"{self.token_id}:{self.key}:{digest}".encode()).hexdigest())
        except Refused as error:
            response = of_error(error)
        except CountersignError:
            await self.house.run(self.house.store.idempotency.release, self.token_id, self.key)
            raise
        await self._keep(self.key, response)
        return response

    async def _digest(self) -> str:
        asked = f"{self.request.method} {self.request.url.path}\n".encode() + await self.request.body()
        return hashlib.sha256(asked).hexdigest()

    async def _claim(self, key: str, digest: str) -> Reply | None:
        """The known reply, once there is one; None when it is ours to find."""
        while True:
            found = await self.house.run(self.house.store.idempotency.claim, self.token_id, key, digest)
            if found == "ours":
                return None
            if found != "busy":
                return found
            # Ends: the other replies, gives the claim back, or its lease is over.
            await asyncio.sleep(POLL_SECONDS)

    async def _keep(self, key: str, response: JSONResponse) -> None:
        book = self.house.store.idempotency
        if response.status_code == HTTPStatus.ACCEPTED:  # the final reply is still to come
            await self.house.run(book.release, self.token_id, key)
            return
        reply = {"status": response.status_code, "body": json.loads(bytes(response.body))}
        await self.house.run(book.reply, self.token_id, key, reply | {"location": response.headers.get("Location")})


def _response(reply: Reply) -> JSONResponse:
    headers = {"Location": reply["location"]} if reply["location"] else None
    kind = MEDIA_TYPE if reply["status"] >= HTTPStatus.BAD_REQUEST else None
    return JSONResponse(reply["body"], reply["status"], headers, kind)


OnceHere = Annotated[Once, Depends()]
