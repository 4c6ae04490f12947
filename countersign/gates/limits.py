"""What the gates of a host let one person, or one address, do."""

import ipaddress
import math

from countersign.errors import TooMany
from countersign.models import canonical_address
from countersign.rates import PerMinute

# A machine has all addresses of such a network of IPv6 (RFC 4291, 2.5.1).
IPV6_PREFIX = 64


class Questions(PerMinute):
    """Bounds the questions of each person, lest one uses up what the portal lets the gateway's token call."""

    def count(self, person: str) -> None:
        """Count a question. Raises TooMany."""
        if wait := math.ceil(self.take(person)):
            message = f"{person} asked this gate {self.most} times within a minute; try again in {wait} s."
            raise TooMany(message, limit=self.most, retry_after=wait)


def source_of(address: str) -> str:
    """What counts as one source of connections: an address of IPv4, and the network of one of IPv6.

    What is no address is returned as it is.
    """
    try:
        found = ipaddress.ip_address(canonical_address(address))
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(ipaddress.IPv6Network((int(found), IPV6_PREFIX), strict=False))
