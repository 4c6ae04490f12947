"""Explaining a mail: what is read in it, and what would become of it."""

import json
from http import HTTPStatus
from typing import Any

from fastapi import Request

from countersign.error_codes import ErrorCode
from countersign.errors import NotAllowed, Unavailable
from countersign.redaction import masked
from countersign.views import Explained
from portal.api.problems import described
from portal.api.routes import HeavyRoute, token_router
from portal.auth import CallerHere
from portal.context import ContextHere

LARGEST_MAIL_BYTES = 32 * 1024 * 1024
MAIL = {"requestBody": {"required": True, "content": {"message/rfc822": {"schema": {"type": "string"}}}}}
NOT_OWN = "This mail is not from your address, or holds the token of somebody else's copy; an admin may explain it."
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
    """Say what a reply decides, or why not, check by check. The body is the mail as it arrived; nothing is changed.

    Who is no admin may have only their own mail explained, so as to learn nothing of others' addresses and tokens.
    """
    person = caller.must_be_person()
    if context.explain is None:
        raise Unavailable(NO_MAIL, ErrorCode.NO_MAIL_READ)
    mail = await request.body()
    async with context.working:
        found = await context.explain(mail)
    if not (caller.is_admin or _is_own(found, person)):
        raise NotAllowed(NOT_OWN, ErrorCode.OTHER_MAIL)
    return await context.work(_without_secrets, found.told)


def _is_own(found: Explained, person: str) -> bool:
    """Whether it is this person's mail, or about nobody: without a sender and without a token."""
    return found.token_of in ("", person) and (found.sender == person or not found.has_sender)


def _without_secrets(told: dict[str, Any]) -> dict[str, Any]:
    hidden: dict[str, Any] = json.loads(masked(json.dumps(told)))
    return hidden
