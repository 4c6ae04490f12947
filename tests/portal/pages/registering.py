"""Registers devices for the tests of pages."""

from __future__ import annotations

from typing import Any

from sandbox.device_keys import new_key
from tests.portal.pages.conftest import Site

LAPTOP = {"hostname": "carbon", "os": "Debian", "os_version": "12", "posture": {"disk_encrypted": True}}


async def registered(site: Site, person: str, key: str = "", **fingerprint: Any) -> dict[str, Any]:
    """Register a device of somebody's; returns the reply."""
    sent = {"key": key or new_key(), "fingerprint": LAPTOP | fingerprint}
    reply = await site.portal.post(person, "/devices/register", sent)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found
