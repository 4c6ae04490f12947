"""What requests of some kinds change besides their record and their grants, in the same transactions."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from countersign.directory import Policy
from countersign.kinds.device import DEVICE
from countersign.transitions import Transition
from engine.devices import decisions as device_decisions

# By kind of request: what is called when one is opened, with its number.
OPENED: dict[str, Callable[[Connection, Any, int], None]] = {DEVICE.name: device_decisions.opened}
# The same when it is settled. The feed's lock is held meanwhile, so that nothing else is written.
SETTLED: dict[str, Callable[[Connection, Policy, Any, Transition], None]] = {DEVICE.name: device_decisions.settled}
