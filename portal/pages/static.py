"""The style and the scripts of the pages: files beside this one, whose addresses hold a digest of what is in them."""

from http import HTTPStatus

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from portal.pages.render import STATIC, digest
from portal.pages.route import OpenRoute, page_router

TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# A year, as for ever (RFC 9111, 5.2.2.1; RFC 8246 for `immutable`).
FOR_EVER = "public, max-age=31536000, immutable"

router = page_router(OpenRoute)


@router.get("/static/{name}")
async def file(request: Request, name: str) -> Response:
    """One file, which a browser keeps where the digest in its address is that of the file as it is now."""
    found = {path.name: path for path in STATIC.iterdir()}.get(name)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such file.")
    content = found.read_bytes()
    kept = {"Cache-Control": FOR_EVER} if request.url.query == digest(content) else {}
    return Response(content, media_type=TYPES[found.suffix], headers=kept)
