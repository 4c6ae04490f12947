"""RDP through a gate: what a person is given to connect with, and what a gate learns about who connects with it.

The routing token of a connection is the field that MS-RDPBCGR, section 2.2.1.1, has for load balancers. A client sends
it first and unencrypted, so it is valid for only one connection, and only for two minutes.
"""

from datetime import datetime

from pydantic import Field

from countersign.models import Id, Model, SourceAddress

# The variant of subjects that may be reached by RDP.
VARIANT = "rdp"
LONGEST_TOKEN = 200
# How load balancers recognize a routing token: a client sends this and the token.
ROUTING = "Cookie: msts="


class RoutingToken(Model):
    """The routing token that a connection began with, and the address that it came from."""

    token: str = Field(max_length=LONGEST_TOKEN)
    source_address: SourceAddress


class RoutedConnection(Model):
    """Whose connection it is, to which device, for which request, and when its grant ends."""

    person: Id
    device: Id
    approval_id: int
    ends_at: datetime


def rdp_file(gate: str, token: str) -> str:
    """The file that RDP clients open to connect through the gate; it holds no password.

    A client that reconnects automatically would send the same token, which is used up by then.
    """
    lines = [
        f"full address:s:{gate}",
        f"loadbalanceinfo:s:{ROUTING}{token}",
        "prompt for credentials:i:1",
        "autoreconnection enabled:i:0",
    ]
    return "".join(f"{line}\r\n" for line in lines)
