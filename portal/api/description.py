"""`/docs`: the API's description as a page for people, which loads nothing from anywhere; and the kinds of problems."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader

from countersign.error_codes import ErrorCode
from portal.api.examples import shown
from portal.api.problems import TYPES

PAGE = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True).get_template(
    "description.html.j2"
)
# Nothing is loaded and no script runs, whatever may get into the page; its style is in the page.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
}

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The description as a page."""
    described = request.app.openapi()
    page = PAGE.render(
        info=described["info"],
        operations=list(_operations(described)),
        schemas=described["components"]["schemas"],
        kind=kind,
        problems=ErrorCode,
        examples={status: shown(one["value"]) for status, one in described["components"]["examples"].items()},
    )
    return HTMLResponse(page, headers=HEADERS)


@router.get(TYPES + "{code}")
async def problem_type(code: ErrorCode) -> RedirectResponse:
    """Redirects a problem's `type` to its place on the page."""
    return RedirectResponse(f"../../../docs#{code}")


def _operations(described: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"method": method.upper(), "path": path, "examples": list(_examples(operation)), **operation}
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
    ]


def _examples(operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each example of an operation, after what it is an example of."""
    parts = {"body": operation.get("requestBody", {}), **operation["responses"]}
    for part, content in parts.items():
        for media_type, body in content.get("content", {}).items():
            if "example" in body:
                yield f"{part}, {media_type}", shown(body["example"])


def kind(schema: dict[str, Any]) -> str:
    """A schema in short: the name of a model, or what kind of value it is and within which bounds."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f'"{one}"' for one in schema["enum"])
    if "const" in schema:
        return f'"{schema["const"]}"'
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    bounds = [f"{words} {schema[name]}" for name, words in BOUNDS.items() if name in schema]
    return ", ".join([str(schema.get("format", schema.get("type", "any"))), *bounds])


BOUNDS = {"minimum": "from", "maximum": "to", "minLength": "at least", "maxLength": "at most", "pattern": "like"}
