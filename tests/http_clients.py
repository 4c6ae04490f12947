"""How long HTTP clients of the tests keep a connection on which nothing is said."""

from __future__ import annotations

import httpx

# Well before the portal closes it, after 5 seconds: what is sent in that moment is lost, and a test sends it once.
GIVEN_UP_SOON = httpx.Limits(keepalive_expiry=2.0)
