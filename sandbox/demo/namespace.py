"""A Temporal namespace for the story only, so that it meets nobody else's requests on a shared server."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.api.operatorservice.v1 import DeleteNamespaceRequest

from countersign.client import Client
from sandbox.demo.steps import step
from sandbox.temporal_namespace import register


@asynccontextmanager
async def own_namespace() -> AsyncIterator[str]:
    """The name of a namespace. If TEMPORAL_ADDRESS names a server, it is made there, and deleted again.

    A server that the demo starts makes it itself. Raises StepFailed.
    """
    name = f"countersign-demo-{secrets.token_hex(4)}"
    given = os.environ.get("TEMPORAL_ADDRESS")
    if not given:
        yield name
        return
    with step(f"the server at {given} makes a namespace"):
        temporal = (await Client.connect(given)).temporal
        await register(temporal, name)
    try:
        yield name
    finally:
        await temporal.operator_service.delete_namespace(DeleteNamespaceRequest(namespace=name))
