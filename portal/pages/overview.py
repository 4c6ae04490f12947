"""The pages on which admins see how approving goes, and whether all that Countersign needs is well."""

from fastapi import Request, Response

from portal.api.doctor import diagnosis
from portal.api.overview import Days
from portal.auth import CallerHere
from portal.context import OVERVIEWS, ContextHere
from portal.pages.render import page
from portal.pages.route import page_router

router = page_router()


@router.get("/overview")
async def overview(request: Request, context: ContextHere, caller: CallerHere, days: Days = Days.MONTH) -> Response:
    """Times to a decision, outcomes, who is slow to answer, and why replies did not count."""
    caller.must_be_admin()
    return page(request, "overview", found=await context.overviews[days](), windows=OVERVIEWS)


@router.get("/health")
async def health(request: Request, context: ContextHere, caller: CallerHere) -> Response:
    """What `countersign doctor` says; each check takes ten seconds at most."""
    caller.must_be_admin()
    return page(request, "health", findings=await diagnosis(context))
