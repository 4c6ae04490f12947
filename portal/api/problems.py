"""Errors as problem details (RFC 9457): always application/problem+json, for people, never with internals."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ConfigDict, Field
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from countersign.error_codes import ErrorCode
from countersign.errors import (
    BadPolicy,
    BadQuestion,
    CountersignError,
    NotAllowed,
    NotFound,
    Refused,
    TooMany,
    Unavailable,
    message_of,
)
from countersign.models import Model, SentAsWords, without_controls
from countersign.remedies import remedy

MEDIA_TYPE = "application/problem+json"
# What precedes a code in a problem's `type`.
TYPES = "/api/v1/problems/"
RETRY_SECONDS = 5


class NoToken(CountersignError):
    """There is no valid token, so nothing else is read."""

    code = ErrorCode.NO_TOKEN

    def __init__(self, message: str, code: str = "", challenge: str = "") -> None:
        super().__init__(message, code)
        self.challenge = f'Bearer realm="countersign"{challenge}'


STATUSES: dict[type[CountersignError], HTTPStatus] = {
    NoToken: HTTPStatus.UNAUTHORIZED,
    BadQuestion: HTTPStatus.UNPROCESSABLE_ENTITY,
    BadPolicy: HTTPStatus.UNPROCESSABLE_ENTITY,
    Refused: HTTPStatus.CONFLICT,
    NotFound: HTTPStatus.NOT_FOUND,
    NotAllowed: HTTPStatus.FORBIDDEN,
    TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
# The type of the error about a query parameter that a route does not have; the error has its own message.
UNKNOWN_PARAMETER = "unknown_parameter"
# The codes for errors that the framework raises.
CODES = {
    HTTPStatus.BAD_REQUEST: ErrorCode.UNREADABLE_BODY,
    HTTPStatus.NOT_FOUND: ErrorCode.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: ErrorCode.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ErrorCode.TOO_LARGE,
}
MESSAGES = {
    HTTPStatus.BAD_REQUEST: "The body can't be read; send one JSON object, in UTF-8.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large: {}.",
    HTTPStatus.NOT_FOUND: "There is nothing at this address; /api/v1/openapi.json describes what there is.",
}


class FieldProblem(Model):
    """One field that is wrong."""

    field: str
    message: SentAsWords = Field(description="what is wrong, and what to write instead")


class Problem(Model):
    """A problem detail of RFC 9457; `title` is the kind of problem, `detail` what happened and what to do.

    Some kinds have fields of their own beside these, such as `limit` or `approval_id`.
    """

    model_config = ConfigDict(extra="allow")

    type: str = Field(
        description="the kind of problem, which never changes; see docs/api.md", examples=[f"{TYPES}refused"]
    )
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = Field(
        default=None, description="of a malformed body or query: each wrong field"
    )
    problems: list[str] | None = Field(default=None, description="of a wrong policy: each mistake, with its line")


def problem(status: int, code: str, detail: str, headers: dict[str, str] | None = None, **fields: Any) -> JSONResponse:
    """A problem as a response; `code` is one of ErrorCode, `fields` are the details of this kind."""
    return JSONResponse(body_of(status, code, detail, **fields), status, headers, MEDIA_TYPE)


def body_of(status: int, code: str, detail: str, **fields: Any) -> dict[str, Any]:
    """The body of such a response."""
    kind, title = f"{TYPES}{code}", ErrorCode(code).meaning
    shown = Problem(type=kind, title=title, status=status, detail=without_controls(detail), **fields)
    return shown.model_dump(mode="json", exclude_none=True)


def described(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """A route's problems in the API's description."""
    return {
        status.value: {"description": status.phrase, "content": {MEDIA_TYPE: {"schema": SCHEMA}}} for status in statuses
    }


REFERENCE = "#/components/schemas/{model}"
SCHEMA = {"$ref": REFERENCE.format(model="Problem")}


def describe(description: dict[str, Any]) -> None:
    """Add the schema of a problem to the API's description."""
    schema = Problem.model_json_schema(ref_template=REFERENCE)
    description["components"]["schemas"] |= {**schema.pop("$defs"), "Problem": schema}


def of_error(error: CountersignError) -> JSONResponse:
    """One of our errors as a response."""
    status = status_of(error)
    if isinstance(error, BadPolicy):
        return problem(status, error.code, f"{error.headline.capitalize()}.", problems=error.problems)
    headers = None
    if isinstance(error, NoToken):
        headers = {"WWW-Authenticate": error.challenge}
    elif isinstance(error, Unavailable):
        headers = {"Retry-After": str(error.retry_after if isinstance(error, TooMany) else RETRY_SECONDS)}
    return problem(status, error.code, message_of(error), headers, **error.fields)


def status_of(error: CountersignError) -> HTTPStatus:
    """The status of one of our errors."""
    return next(status for kind, status in STATUSES.items() if isinstance(error, kind))


def add_handlers(app: FastAPI) -> None:
    """Answer every error of the application with a problem."""
    for kind in STATUSES:
        app.add_exception_handler(kind, _ours)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(ClientDisconnect, _disconnected)
    app.add_exception_handler(Exception, _internal)


async def _ours(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CountersignError)
    return of_error(error)


async def _malformed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [_field(one) for one in error.errors()]
    detail = "; ".join(f"{one.field} {one.message}" for one in errors)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, ErrorCode.MALFORMED, f"{detail}.", errors=errors)


def _field(error: ErrorDetails) -> FieldProblem:
    place, *path = error["loc"]
    inner = [str(part) for part in path] if error["type"] != "json_invalid" else []
    field = without_controls(".".join(inner))[:200] or f"the {place}"
    message = error["msg"] if error["type"] == UNKNOWN_PARAMETER else remedy(error)
    return FieldProblem(field=field, message=without_controls(message))


async def of_http(request: Request, error: Exception) -> JSONResponse:
    """An HTTP error that the framework raises, as a response."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    message = MESSAGES.get(HTTPStatus(error.status_code), "{}").format(error.detail)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request))
        message = f"{request.method} is not answered here; use {headers['Allow']}."
    return problem(error.status_code, CODES.get(HTTPStatus(error.status_code), ErrorCode.REFUSED), message, headers)


def _methods(request: Request) -> list[str]:
    """The methods of this address; the framework's own header names only the first route's."""
    scopes = {method: {**request.scope, "method": method} for method in ("GET", "HEAD", "POST")}
    routes = request.app.router.routes
    return [method for method, scope in scopes.items() if any(r.matches(scope)[0] is Match.FULL for r in routes)]


async def _disconnected(_: Request, __: Exception) -> Response:
    """The client left, or its connection was closed, before the whole request had arrived: nobody reads this."""
    return Response(status_code=HTTPStatus.REQUEST_TIMEOUT)


async def _internal(_: Request, error: Exception) -> JSONResponse:
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, ErrorCode.INTERNAL, message_of(error))
