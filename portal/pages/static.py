"""The style and the script of the pages: files beside this one, named with a digest of what is in them."""

from http import HTTPStatus

from fastapi import Response
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

from portal.pages.render import STATIC
from portal.pages.route import OpenRoute, page_router

TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

router = page_router(OpenRoute)


@router.get("/static/{name}")
async def file(name: str) -> Response:
    """One file."""
    found = {path.name: path for path in STATIC.iterdir()}.get(name)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such file.")
    return FileResponse(found, media_type=TYPES[found.suffix])
