"""The JSON Schema of the policy file, for editors; published as docs/policy.schema.json.

Pydantic itself would read the fields' docstrings at every start of a program, which takes a fifth of the start's time.
"""

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from countersign.directory import Policy
from countersign.fields import Described


def schema() -> dict[str, Any]:
    """The schema, in which each field is described by the docstring below it."""
    published = Policy.model_json_schema()
    for model in _below(Described):
        described = published if model is Policy else published["$defs"].get(model.__name__, {})
        for name, text in _docstrings(model):
            if name in described.get("properties", {}):
                field = described["properties"][name] | {"description": text}
                described["properties"][name] = dict(sorted(field.items()))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **published, "title": "Countersign policy"}


def _below(model: type[Described]) -> Iterator[type[Described]]:
    for one in model.__subclasses__():
        yield one
        yield from _below(one)


def _docstrings(model: type[Described]) -> Iterator[tuple[str, str]]:
    """The fields of a model and of those that it extends, each with the docstring below it."""
    for base in reversed(model.__mro__):
        if issubclass(base, Described):
            [parsed] = ast.parse(inspect.getsource(base)).body
            assert isinstance(parsed, ast.ClassDef)
            for field, below in pairwise(parsed.body):
                match field, below:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        yield name, inspect.cleandoc(text)
