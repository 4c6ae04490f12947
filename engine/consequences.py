"""What the requests of some kinds bring about beside their record and their grants, in the same transactions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from countersign.directory import Policy
from countersign.kinds.device import DEVICE
from countersign.models import Question
from countersign.transitions import Transition
from engine.devices import decisions as device_decisions


@dataclass(frozen=True)
class Consequences:
    """What happens, beside the record and the grant, when a request of one kind is opened, or is settled.

    `settled` is called while the feed's lock is held, so that nothing else is written meanwhile.
    """

    opened: Callable[[Connection, Any, int], None] = lambda *_: None
    settled: Callable[[Connection, Policy, Any, Transition], None] = lambda *_: None


CONSEQUENCES = {DEVICE.name: Consequences(device_decisions.opened, device_decisions.settled)}


def consequences_of(question: Question) -> Consequences:
    """Those of its kind; a kind that is not in the table has none."""
    return CONSEQUENCES.get(question.kind, Consequences())
