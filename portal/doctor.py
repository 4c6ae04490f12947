"""What is well and what is not: every part looked at, all at once, before anybody's request meets it."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from http import HTTPStatus

from fastapi import APIRouter, Security

from countersign.checks import CHECK_SECONDS, Check
from countersign.directory import Policy
from countersign.errors import CountersignError, in_words
from countersign.views import Finding
from portal.auth import BEARER, CallerHere
from portal.house import House, HouseHere
from portal.own_checks import own_checks
from portal.problems import described
from portal.routes import TokenRoute
from store.faults import for_operators

ORDER = ("problem", "warning", "ok")

router = APIRouter(tags=["standing"], route_class=TokenRoute, dependencies=[Security(BEARER)])
log = logging.getLogger(__name__)


@router.get("/doctor", responses=described(HTTPStatus.FORBIDDEN))
async def doctor(house: HouseHere, caller: CallerHere) -> list[Finding]:
    """Look at all that Countersign needs, for ten seconds at most; what is wrong comes first. For admins."""
    caller.must_be_admin()
    policy, found = await _policy(house)
    listening = [finding for listener in house.listeners.values() for finding in listener.findings()]
    return in_order([*found, *listening, *await findings([*own_checks(house), *house.checks], policy)])


async def findings(checks: Sequence[Check], policy: Policy | None, seconds: float = CHECK_SECONDS) -> list[Finding]:
    """What all checks found, each within so many seconds and none in the way of another."""
    each = await asyncio.gather(*(_found(check, policy, seconds) for check in checks))
    return [finding for found in each for finding in found]


def in_order(found: Iterable[Finding]) -> list[Finding]:
    """The worst first, and what is of one part together."""
    return sorted(found, key=lambda one: ORDER.index(one.state))


async def _found(check: Check, policy: Policy | None, seconds: float) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(seconds):
            return await check.look(policy)
    except TimeoutError:
        words = f"no answer within {seconds:.0f} seconds; see that it runs and can be reached from the portal"
    except CountersignError as error:
        words = for_operators(error)
    except Exception as error:
        log.exception("the check of %s %s failed", check.part, check.about)
        words = in_words(error)
    return [Finding(part=check.part, state="problem", about=check.about, words=words)]


async def _policy(house: House) -> tuple[Policy | None, list[Finding]]:
    """The policy in force, and what there is to say of it."""
    try:
        version, policy = await house.run(house.store.policies.current)
    except CountersignError as error:
        return None, [Finding(part="policy", state="problem", about="policy", words=in_words(error))]
    return policy, [Finding(part="policy", state="ok", about="policy", words=f"version {version} is in force")]
