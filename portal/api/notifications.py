"""What was sent about a request, and what it said."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Path

from countersign.views import NotificationText, NotificationView
from portal.api.problems import described
from portal.api.requests import ApprovalId, visible_request
from portal.api.routes import token_router
from portal.auth import Caller, CallerHere
from portal.context import Context, ContextHere

NotificationId = Annotated[str, Path(max_length=200, description="Its `id` in the list.")]

router = token_router("notifications")


@router.get("/requests/{approval_id}/notifications", responses=described(HTTPStatus.NOT_FOUND))
async def list_(approval_id: ApprovalId, context: ContextHere, caller: CallerHere) -> list[NotificationView]:
    """The notifications about a request: to whom, by which channel, and whether each was sent. Oldest first.

    They are kept for as long as COUNTERSIGN_KEEP_NOTIFICATIONS_DAYS says.
    """
    await visible_request(context, caller, approval_id)
    return await context.run(context.engine.sent.of, approval_id)


@router.get("/requests/{approval_id}/notifications/{notification_id}", responses=described(HTTPStatus.NOT_FOUND))
async def one(
    approval_id: ApprovalId, notification_id: NotificationId, context: ContextHere, caller: CallerHere
) -> NotificationText:
    """One notification about a request, with its text."""
    return await text_of(context, caller, approval_id, notification_id)


async def text_of(context: Context, caller: Caller, approval_id: int, notification_id: str) -> NotificationText:
    """A notification about a request that this caller may see, with its text. Raises NotFound."""
    await visible_request(context, caller, approval_id)
    sent = await context.run(context.engine.sent.one, approval_id, notification_id)
    preview = context.previews.get(sent.view.channel)
    text = await context.work(preview, sent.message) if preview else ""
    return NotificationText(**sent.view.model_dump(), kept_up_to_date=sent.kept_up_to_date, text=text)
