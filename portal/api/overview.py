"""What happened lately, counted."""

from http import HTTPStatus

from countersign.views import Overview
from portal.api.problems import described
from portal.api.routes import token_router
from portal.auth import CallerHere
from portal.context import ContextHere, Days

router = token_router("overview")


@router.get("/overview", responses=described(HTTPStatus.FORBIDDEN))
async def overview(context: ContextHere, caller: CallerHere, days: Days = Days.MONTH) -> Overview:
    """How requests of the last 7, 30 or 90 days ended, how long decisions took, and why replies did not count.

    Only the newest 1,000 requests are counted, at most once a minute. For admins.
    """
    caller.must_be_admin()
    return await context.overviews[days]()
