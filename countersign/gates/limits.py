"""Limits of what one person, or one address, may do at the gates of a host."""

import ipaddress
import math

from countersign.errors import TooMany
from countersign.models import canonical_address
from countersign.rates import PerMinute

# A machine may use all addresses of an IPv6 network of this size (RFC 4291, 2.5.1).
IPV6_PREFIX = 64


class Questions(PerMinute):
    """Limits the questions of each person, so that nobody uses up the calls that the portal allows the gateway."""

    def count(self, person: str) -> None:
        """Count a question. Raises TooMany."""
        if wait := math.ceil(self.take(person)):
            message = f"{person} asked this gate {self.most} times within a minute; try again in {wait} s."
            raise TooMany(message, limit=self.most, retry_after=wait)


def source_of(address: str) -> str:
    """What counts as one source of connections: an IPv4 address, or the network of an IPv6 address.

    Anything that isn't an address is returned as it is.
    """
    try:
        found = ipaddress.ip_address(canonical_address(address))
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(ipaddress.IPv6Network((int(found), IPV6_PREFIX), strict=False))
