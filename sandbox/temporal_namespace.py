"""What our workflows need of their Temporal namespace: search attributes, and histories kept long enough."""

import asyncio
import time
from datetime import timedelta

from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client

from sandbox.temporal_tool import NoTemporal
from workflows import search_attributes

RETENTION = timedelta(days=30)
SHORTEST_RETENTION = timedelta(days=1)  # that a server accepts
READY_SECONDS = 120
POLL_SECONDS = 0.05


async def register(client: Client, name: str) -> None:
    """Make a namespace that keeps histories for the shortest time possible."""
    request = RegisterNamespaceRequest(namespace=name)
    request.workflow_execution_retention_period.FromTimedelta(SHORTEST_RETENTION)
    await client.workflow_service.register_namespace(request, retry=True)


async def add_search_attributes(client: Client) -> None:
    """Register what the namespace lacks: a server that keeps its state in a file accepts new ones only this way."""
    wanted = {key.name: key.indexed_value_type for key in search_attributes.ALL}
    deadline = time.monotonic() + READY_SECONDS
    while missing := wanted.keys() - await registered_search_attributes(client):
        if time.monotonic() > deadline:
            raise NoTemporal(f"Temporal does not register the search attributes {', '.join(sorted(missing))}.")
        request = AddSearchAttributesRequest(namespace=client.namespace)
        for name in missing:
            request.search_attributes[name] = wanted[name].value  # type: ignore[assignment]
        await client.operator_service.add_search_attributes(request, retry=True)
        await asyncio.sleep(POLL_SECONDS)


async def registered_search_attributes(client: Client) -> set[str]:
    """The names of the namespace's own search attributes."""
    request = ListSearchAttributesRequest(namespace=client.namespace)
    return set((await client.operator_service.list_search_attributes(request, retry=True)).custom_attributes)


async def retention(client: Client) -> timedelta:
    """How long the namespace keeps the histories of ended workflows."""
    found = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    return found.config.workflow_execution_retention_ttl.ToTimedelta()


async def keep_histories(client: Client) -> None:
    """Raise the namespace's retention to 30 days; a longer one stays."""
    if await retention(client) >= RETENTION:
        return
    config = NamespaceConfig()
    config.workflow_execution_retention_ttl.FromTimedelta(RETENTION)
    request = UpdateNamespaceRequest(namespace=client.namespace, config=config)
    await client.workflow_service.update_namespace(request, retry=True)
