"""The devices that somebody may ask to connect to, and by which protocols (rule 1)."""

from bisect import bisect_right
from itertools import islice

from countersign.directory import Policy
from countersign.kinds.connection import ConnectionProtocol
from countersign.models import Model
from countersign.permissions import Principal, may_ask_for


class Device(Model):
    """A device, and the protocols by which you may ask for it."""

    device: str
    protocols: list[ConnectionProtocol]


def devices_for(policy: Policy, who: Principal, query: str = "", after: str = "", limit: int = 50) -> list[Device]:
    """The first devices after `after`, sorted by id, that have `query` in their id and that `who` may ask for.

    A person may ask for every device that is in a group, a gateway for those in its scope.
    """
    wanted = query.strip().lower()
    devices = policy.devices
    found = (
        Device(device=device, protocols=protocols)
        for device in islice(devices, bisect_right(devices, after), None)
        if wanted in device and (protocols := [one for one in ConnectionProtocol if may_ask_for(who, device, one)])
    )
    return list(islice(found, limit))
