"""The examples in the API's description, from examples.yaml: of each body, response and problem."""

import json
from pathlib import Path
from typing import Any

import yaml

from portal.api.problems import MEDIA_TYPE, body_of

EXAMPLES: dict[str, Any] = yaml.load(Path(__file__).with_suffix(".yaml").read_bytes(), yaml.CSafeLoader)
REFERENCE = "#/components/examples/{}"


def add_examples(described: dict[str, Any]) -> None:
    """Add the examples to the API's description. Raises KeyError for a body or response that has none."""
    problems = {status: body_of(status, **one) for status, one in EXAMPLES["problems"].items()}
    described["components"]["examples"] = {str(status): {"value": one} for status, one in problems.items()}
    for operations in described["paths"].values():
        for operation in operations.values():
            own = EXAMPLES["operations"][operation["operationId"]]
            if "requestBody" in operation:
                _add(operation["requestBody"]["content"], own["body"])
            for status, answer in operation["responses"].items():
                if MEDIA_TYPE not in answer["content"]:
                    _add(answer["content"], own[int(status)])
                elif int(status) in own:
                    answer["content"][MEDIA_TYPE]["example"] = body_of(int(status), **own[int(status)])
                else:
                    answer["content"][MEDIA_TYPE]["examples"] = {status: {"$ref": REFERENCE.format(status)}}


def _add(content: dict[str, Any], example: Any) -> None:
    """Add an example to the only media type, or its own to each of several."""
    for media_type, body in content.items():
        body["example"] = example[media_type] if len(content) > 1 else example


def shown(example: Any) -> str:
    """An example as people read it."""
    return example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
