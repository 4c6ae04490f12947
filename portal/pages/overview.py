"""The pages on which admins see how approving goes, and whether all that Countersign needs works."""

from fastapi import Request, Response

from portal.api.doctor import diagnosis
from portal.context import ContextHere, Days
from portal.pages.render import page
from portal.pages.route import admin_router

router = admin_router()


@router.get("/overview")
async def overview(request: Request, context: ContextHere, days: Days = Days.MONTH) -> Response:
    """Times to a decision, outcomes, who is slow to answer, and why replies did not count."""
    return page(request, "overview", found=await context.overviews[days](), windows=Days)


@router.get("/health")
async def health(request: Request, context: ContextHere) -> Response:
    """What `countersign doctor` says; each check takes ten seconds at most."""
    return page(request, "health", findings=await diagnosis(context))
