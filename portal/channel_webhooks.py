"""Webhooks of channels: `POST /<channel>/events`. They prove by themselves who sent them, without a token."""

from fastapi import APIRouter, Request, Response

from countersign.errors import NotFound
from portal.context import ContextHere

router = APIRouter(include_in_schema=False)


@router.post("/{channel}/events")
async def events(channel: str, request: Request, context: ContextHere) -> Response:
    """Pass it to the channel of that name; 404 where none listens."""
    if channel not in context.listeners:
        raise NotFound("Nothing listens here.")
    answer: Response = await context.listeners[channel].handle(request)
    return answer
