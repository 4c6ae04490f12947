"""Checks every part, all at once, to find problems before a request meets them."""

from http import HTTPStatus

from countersign.checks import findings, in_order
from countersign.directory import Policy
from countersign.errors import CountersignError, message_of
from countersign.views import Finding
from portal.api.problems import described
from portal.api.routes import token_router
from portal.auth import CallerHere
from portal.context import Context, ContextHere
from portal.own_checks import own_checks
from store.database_errors import for_operators

router = token_router("health")


@router.get("/doctor", responses=described(HTTPStatus.FORBIDDEN))
async def doctor(context: ContextHere, caller: CallerHere) -> list[Finding]:
    """Check everything that Countersign needs, within ten seconds. Problems come first. For admins."""
    caller.must_be_admin()
    return await diagnosis(context)


async def diagnosis(context: Context) -> list[Finding]:
    """What all checks find, within ten seconds, the worst first."""
    policy, found = await _policy(context)
    listening = [finding for listener in context.listeners.values() for finding in listener.findings()]
    return in_order(
        [*found, *listening, *await findings([*own_checks(context), *context.checks], policy, say=for_operators)]
    )


async def _policy(context: Context) -> tuple[Policy | None, list[Finding]]:
    """The policy in force, and the finding about it."""
    try:
        version, policy = await context.run(context.store.policies.current)
    except CountersignError as error:
        return None, [Finding(part="policy", state="problem", about="policy", message=message_of(error))]
    return policy, [Finding(part="policy", state="ok", about="policy", message=f"version {version} is in force")]
