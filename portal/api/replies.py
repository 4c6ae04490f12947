"""Explains a mail: what is read in it, and what it would do."""

import json
from http import HTTPStatus
from typing import Any

from fastapi import Request

from countersign.error_codes import ErrorCode
from countersign.errors import Unavailable
from countersign.permissions import why_not_explain
from countersign.redaction import masked
from portal.api.problems import described
from portal.api.routes import HeavyRoute, token_router
from portal.auth import CallerHere
from portal.context import ContextHere

LARGEST_MAIL_BYTES = 32 * 1024 * 1024
MAIL = {"requestBody": {"required": True, "content": {"message/rfc822": {"schema": {"type": "string"}}}}}
NO_MAIL = "This portal reads no mail; start it with the mail settings of the worker (docs/settings.md)."


class MailRoute(HeavyRoute):
    """A route that takes a mail."""

    largest_body_bytes = LARGEST_MAIL_BYTES


router = token_router("replies", MailRoute)


@router.post(
    "/replies/explain",
    openapi_extra=MAIL,
    responses=described(HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
)
async def explain(request: Request, context: ContextHere, caller: CallerHere) -> dict[str, Any]:
    """What a reply by mail decides, or why it decides nothing, check by check. Changes nothing.

    The body is the mail as it arrived. If you are not an admin, it must be your own mail, so that you learn nothing
    about the addresses and tokens of others.
    """
    caller.must_be_person()
    if not context.explainers:
        raise Unavailable(NO_MAIL, ErrorCode.NO_MAIL_READ)
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    # Callers need not name a type: without a known one, the body is taken for what the first channel reads.
    explained_by = context.explainers.get(kind) or next(iter(context.explainers.values()))
    mail = await request.body()
    async with context.working:
        found = await explained_by(mail)
    if why := why_not_explain(caller.principal, found):
        raise why
    return await context.work(_without_secrets, found.report)


def _without_secrets(report: dict[str, Any]) -> dict[str, Any]:
    hidden: dict[str, Any] = json.loads(masked(json.dumps(report)))
    return hidden
