"""`Idempotency-Key`: a repeated POST is done once and gets the first one's reply, even if that is still being made."""

import asyncio
import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse

from countersign.error_codes import ErrorCode
from countersign.errors import BadQuestion, Refused
from portal.api.problems import MEDIA_TYPE, of_error
from portal.auth import CallerHere
from portal.context import ContextHere
from store.idempotency import Reply

# How long a repeat waits between two tries to read the reply that another process makes: at first, and at most.
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
# A claim older than this belongs to a process that crashed; longer than a reply usually takes.
LEASE = timedelta(seconds=30)

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="Any text of your choice. The same POST with the same key is done once; a repeat gets that reply, "
        "brought up to date.",
    ),
]
Body = dict[str, Any]


async def as_it_was(body: Body) -> Body:
    """For a reply that never changes."""
    return body


class Idempotency:
    """Carries out a request once for each key of a token; replies are kept for a day."""

    def __init__(self, request: Request, context: ContextHere, caller: CallerHere, key: Key = None) -> None:
        self.request = request
        self.context = context
        self.token_id = caller.credential.id
        self.key = key

    async def __call__(
        self,
        find: Callable[[str], Awaitable[JSONResponse]],
        as_it_is: Callable[[Body], Awaitable[Body]] = as_it_was,
    ) -> JSONResponse:
        """The reply that `find` makes, which is given an id that is the same for each repeat.

        A repeat gets the first one's reply, whose body `as_it_is` brings up to date; a refusal stays as it was.
        """
        if self.key is None:
            return await find(uuid.uuid4().hex)
        what = self.token_id, self.key, await self._digest()
        while (over := self.context.under_way.over(what)) is not None:
            await over.wait()
            found = await self._look(self.context.store.idempotency.find, what)
            if not isinstance(found, str):
                return await _repeated(found, as_it_is)
        with self.context.under_way.finding(what):
            known = await self._claim(what)
            return await (self._find(find, what) if known is None else _repeated(known, as_it_is))

    async def _find(self, find: Callable[[str], Awaitable[JSONResponse]], what: tuple[str, str, str]) -> JSONResponse:
        token_id, key, _ = what
        try:
            response = await find(hashlib.sha256(":".join(what).encode()).hexdigest())
        except Refused as error:
            response = of_error(error)
        except Exception:
            await self.context.run(self.context.store.idempotency.release, token_id, key, LEASE)
            raise
        await self._keep(key, response)
        return response

    async def _digest(self) -> str:
        query = f"?{self.request.url.query}" if self.request.url.query else ""
        asked = f"{self.request.method} {self.request.url.path}{query}\n".encode() + await self.request.body()
        return hashlib.sha256(asked).hexdigest()

    async def _claim(self, what: tuple[str, str, str]) -> Reply | None:
        """The stored reply, once there is one; None if this call has to make it."""
        replies, pause = self.context.store.idempotency, FIRST_PAUSE_SECONDS
        found: Reply | str = "free"
        while isinstance(found, str):
            if found == "free":
                found = await self._look(replies.claim, what)
                if found == "ours":
                    return None
            else:
                # Another process makes it. We wait until it replies, gives the claim back, or its lease is over.
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                found = await self._look(replies.find, what)
        return found

    async def _look(self, look: Callable[..., Reply | str], what: tuple[str, str, str]) -> Reply | str:
        """What is stored for this. Raises BadQuestion if the key was used for something else."""
        found = await self.context.run(look, *what, LEASE)
        if found == "other":
            message = "This Idempotency-Key was used for another request; take a new one for each."
            raise BadQuestion(message, ErrorCode.KEY_REUSED)
        return found

    async def _keep(self, key: str, response: JSONResponse) -> None:
        replies = self.context.store.idempotency
        if response.status_code == HTTPStatus.ACCEPTED:  # the final reply is still to come
            await self.context.run(replies.release, self.token_id, key, LEASE)
            return
        reply = {"status": response.status_code, "body": json.loads(bytes(response.body))}
        await self.context.run(
            replies.reply, self.token_id, key, reply | {"location": response.headers.get("Location")}
        )


async def _repeated(reply: Reply, as_it_is: Callable[[Body], Awaitable[Body]]) -> JSONResponse:
    if reply["status"] >= HTTPStatus.BAD_REQUEST:
        return JSONResponse(reply["body"], reply["status"], media_type=MEDIA_TYPE)
    headers = {"Location": reply["location"]} if reply["location"] else None
    return JSONResponse(await as_it_is(reply["body"]), reply["status"], headers)


IdempotencyHere = Annotated[Idempotency, Depends()]
