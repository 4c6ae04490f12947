"""Routes of pages for everybody."""

import httpx
from fastapi import FastAPI, Response

from portal.fair_executor import WHOSE
from portal.pages.route import OpenRoute, page_router


async def test_who_has_not_signed_in_works_in_the_turn_of_their_address() -> None:
    router = page_router(OpenRoute)

    @router.get("/sign-in")
    async def whose() -> Response:
        return Response(WHOSE.get())

    app = FastAPI()
    app.include_router(router)
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://portal.test") as client:
        assert (await client.get("/sign-in")).text == "address 192.0.2.7"
