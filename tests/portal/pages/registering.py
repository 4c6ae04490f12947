"""Registers devices for the tests of pages."""

from __future__ import annotations

import base64
import secrets
from typing import Any

from tests.portal.pages.conftest import Site

LAPTOP = {"hostname": "carbon", "os": "Debian", "os_version": "12", "posture": {"disk_encrypted": True}}


def new_key() -> str:
    """The public key of a new device."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


async def registered(site: Site, person: str, key: str = "", **fingerprint: Any) -> dict[str, Any]:
    """What a device of somebody is told as it registers."""
    sent = {"key": key or new_key(), "fingerprint": LAPTOP | fingerprint}
    reply = await site.portal.post(person, "/devices/register", sent)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found
