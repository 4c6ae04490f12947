"""Clients for tests over plain HTTP: making one that loads the certificate authorities takes 40 ms."""

from __future__ import annotations

import ssl
from typing import Any

import httpx

NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def plain_client(**options: Any) -> httpx.AsyncClient:
    """A client that trusts no certificate and uses no proxy; `options` are those of httpx."""
    return httpx.AsyncClient(trust_env=False, verify=NO_AUTHORITIES, **options)
