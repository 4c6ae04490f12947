"""Where channels are called: `POST /<channel>/events`. What comes in proves by itself who sent it, without a token."""

from fastapi import APIRouter, Request, Response

from countersign.errors import NotFound
from portal.context import ContextHere

router = APIRouter(include_in_schema=False)


@router.post("/{channel}/events")
async def events(channel: str, request: Request, context: ContextHere) -> Response:
    """Hand it to the channel of that name; 404 where none listens."""
    if channel not in context.listeners:
        raise NotFound("Nothing listens here.")
    return await context.listeners[channel].handle(request)
