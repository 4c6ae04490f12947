"""One installation for these tests, and applications behind nginx and behind Caddy which ask its portal."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.portal.forward_auth.applications import APPLICATIONS, ONE_PROXY_OR_BOTH, Scene, behind
from tests.portal.pages.conftest import Site, installed
from tests.tls_proxies import found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def installation(temporal_address: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """An installation for the whole session."""
    async with installed(temporal_address, tmp_path_factory.mktemp("applications"), APPLICATIONS) as site:
        yield site


@pytest_asyncio.fixture(params=ONE_PROXY_OR_BOTH, scope="session", loop_scope="session")
async def scene(
    request: pytest.FixtureRequest, installation: Site, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    """Applications behind a proxy."""
    if found(request.param) is None:
        pytest.skip(f"{request.param} is not installed (Debian's package is {request.param})")
    async with behind(request.param, installation, tmp_path_factory.mktemp(request.param)) as one:
        yield one
