"""Every route answers as the API's description says, whatever is sent, and never with a server error."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.result import Ok

from tests.portal.context import Portal
from tests.whole import IS_WHOLE

schemathesis.serializer.alias("message/rfc822", "text/plain")

pytestmark = pytest.mark.asyncio(loop_scope="session")
# For each operation and each caller.
EXAMPLES = 15 if IS_WHOLE else 5
CONFORMANCE = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ALWAYS_THE_SAME = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("who", ["ada", "bastion"])
async def test_every_route_answers_as_described(portal: Portal, who: str) -> None:
    token = portal.tokens[who]
    description = (await portal.get(who, "/openapi.json")).json()
    tried = await asyncio.to_thread(try_all, description, portal.url.removesuffix("/api/v1"), token)
    assert tried == {(path, verb) for path, verbs in description["paths"].items() for verb in verbs}


def try_all(description: dict[str, Any], url: str, token: str) -> set[tuple[str, str]]:
    """Send valid and invalid requests to every operation; raises what is wrong with an answer."""
    schema = schemathesis.openapi.from_dict(description)
    schema.config.update(base_url=url)
    tried: set[tuple[str, str]] = set()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        with requests.Session() as session:
            try_one(operation, token, session)
        tried.add((operation.path, operation.method))
    return tried


def try_one(operation: schemathesis.APIOperation[Any, Any, Any, Any], token: str, session: requests.Session) -> None:
    @ALWAYS_THE_SAME
    @given(case=operation.as_strategy())
    def one(case: schemathesis.Case[Any]) -> None:
        if "timeout" in case.operation.query:
            case.query["timeout"] = 0  # or the call waits that long
        case.call_and_validate(session=session, headers={"Authorization": f"Bearer {token}"}, checks=CONFORMANCE)

    one()
