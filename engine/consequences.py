"""What the requests of some kinds bring about beside their record and their grants, in the same transactions."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from countersign.directory import Policy
from countersign.kinds.device import DEVICE
from countersign.transitions import Transition
from engine.devices import decisions as device_decisions

# By its kind: what is called when a request is opened, with its number.
OPENED: dict[str, Callable[[Connection, Any, int], None]] = {DEVICE.name: device_decisions.opened}
# And when it is settled, while the feed's lock is held, so that nothing else is written meanwhile.
SETTLED: dict[str, Callable[[Connection, Policy, Any, Transition], None]] = {DEVICE.name: device_decisions.settled}
