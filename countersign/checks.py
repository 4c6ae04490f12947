"""What `countersign doctor` looks at: the checks of each part, which the composition root brings together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from countersign.directory import Policy
from countersign.views import Finding

# For one check. The slowest part must not keep an operator waiting who wants to know what is wrong now.
CHECK_SECONDS = 10.0


@dataclass(frozen=True)
class Check:
    """One look at one thing. `look` gets the policy in force, None where there is none, and changes nothing.

    It may raise anything: that is a problem found, and so is taking longer than CHECK_SECONDS.
    """

    part: str
    about: str
    look: Callable[[Policy | None], Awaitable[Sequence[Finding]]]
