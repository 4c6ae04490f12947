"""The checks that `doctor` and `python worker.py --check` run.

The composition roots collect the checks of all parts.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from countersign.directory import Policy
from countersign.errors import CountersignError, message_of
from countersign.views import Finding

# The limit for one check: an operator who wants to know what is wrong must not wait for the slowest part.
CHECK_SECONDS = 10.0
ORDER = ("problem", "warning", "ok")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Check:
    """One check of one thing. `run` gets the policy in force, or None, and changes nothing.

    Anything that it raises is reported as a problem, and so is taking longer than CHECK_SECONDS.
    """

    part: str
    about: str
    run: Callable[[Policy | None], Awaitable[Sequence[Finding]]]


async def findings(
    checks: Sequence[Check],
    policy: Policy | None,
    seconds: float = CHECK_SECONDS,
    say: Callable[[Exception], str] = message_of,
) -> list[Finding]:
    """What all checks found. They run at once, each for `seconds` at most; `say` gives the message of an error."""
    each = await asyncio.gather(*(_found(check, policy, seconds, say) for check in checks))
    return [finding for found in each for finding in found]


def in_order(found: Iterable[Finding]) -> list[Finding]:
    """The findings, the worst first; those of one state stay in their order."""
    return sorted(found, key=lambda one: ORDER.index(one.state))


async def _found(
    check: Check, policy: Policy | None, seconds: float, say: Callable[[Exception], str]
) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(seconds):
            return await check.run(policy)
    except TimeoutError:
        message = f"no answer within {seconds:.0f} seconds; see that it runs and can be reached from here"
    except CountersignError as error:
        message = say(error)
    except Exception as error:
        log.exception("the check of %s %s failed", check.part, check.about)
        message = message_of(error)
    return [Finding(part=check.part, state="problem", about=check.about, message=message)]
