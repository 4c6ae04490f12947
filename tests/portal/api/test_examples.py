"""The examples in the API's description: each body, each answer and each problem has one, which is right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import jsonschema_rs
import pytest

from countersign.error_codes import ErrorCode
from portal.api.examples import EXAMPLES
from portal.api.problems import MEDIA_TYPE, TYPES
from tests.portal.context import Portal

# The parameters in paths; all others are 1.
PARTS = {"device_id": "d3f9c01a7b42e", "action": "revoke", "role": "admin", "person": "alice"}
pytestmark = pytest.mark.asyncio(loop_scope="session")


class Part(NamedTuple):
    """What an operation takes or answers, in one media type; `part` is `body`, or the status of an answer."""

    operation: str
    path: str
    part: str
    media_type: str
    content: dict[str, Any]


async def described(portal: Portal) -> Any:
    return (await portal.get("nobody", "/openapi.json")).json()


def parts(description: dict[str, Any]) -> Iterator[Part]:
    for path, operations in description["paths"].items():
        for operation in operations.values():
            for part, said in {"body": operation.get("requestBody", {}), **operation["responses"]}.items():
                for media_type, content in said.get("content", {}).items():
                    yield Part(operation["operationId"], path, part, media_type, content)


def example(one: Part, description: dict[str, Any]) -> Any:
    """The part's own example, or the one that it shares with others."""
    if "example" in one.content:
        return one.content["example"]
    assert one.content["examples"] == {one.part: {"$ref": f"#/components/examples/{one.part}"}}, one
    return description["components"]["examples"][one.part]["value"]


async def test_each_body_and_each_answer_has_an_example_that_its_schema_allows(portal: Portal) -> None:
    description = await described(portal)
    checked = list(parts(description))
    assert {one.part for one in checked} > {"body", "200", "201", "202", "400", "503"}
    wrong = {}
    for one in checked:
        schema = one.content["schema"] | {"components": description["components"]}
        validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        errors = [
            f"{error.instance_path} {error.message}" for error in validator.iter_errors(example(one, description))
        ]
        if errors:
            wrong[one[:4]] = errors
    assert wrong == {}


async def test_the_example_of_a_problem_is_of_a_kind_that_there_is(portal: Portal) -> None:
    description = await described(portal)
    for one in parts(description):
        if one.media_type == MEDIA_TYPE:
            said = example(one, description)
            kind = ErrorCode(said["type"].removeprefix(TYPES))
            assert (said["title"], str(said["status"])) == (kind.meaning, one.part), one[:4]


async def test_no_example_is_left_over(portal: Portal) -> None:
    known = list(parts(await described(portal)))
    kept = {(name, str(part)) for name, own in EXAMPLES["operations"].items() for part in own}
    assert kept - {(one.operation, one.part) for one in known} == set()
    assert {str(status) for status in EXAMPLES["problems"]} == {one.part for one in known if "examples" in one.content}


async def test_the_portal_takes_each_body_that_is_json(portal: Portal) -> None:
    sent = [one for one in parts(await described(portal)) if (one.part, one.media_type) == ("body", "application/json")]
    assert sent
    for one in sent:
        path = one.path.removeprefix("/api/v1").format_map(defaultdict(lambda: "1", PARTS))
        reply = await portal.post("ada", path, one.content["example"])
        assert reply.status_code != 422, (path, reply.text)


async def test_the_policies_and_the_mail_are_read_as_their_examples_say(portal: Portal) -> None:
    own = EXAMPLES["operations"]
    for name in ("policy_apply", "policy_plan"):
        reply = await portal.client("ada").post("/policy/check", content=own[name]["body"])
        assert reply.json() == {"problems": [], "warnings": []}, name
    reply = await portal.client("ada").post("/policy/check", content=own["policy_check"]["body"])
    assert reply.json() == own["policy_check"][200]
    reply = await portal.client("ada").post("/replies/explain", content=own["replies_explain"]["body"])
    assert reply.json()["reply"].items() >= own["replies_explain"][200]["reply"].items()
