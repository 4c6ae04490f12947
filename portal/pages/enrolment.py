"""The enrolment rules in the browser, for admins: in the order they are tried, and which of them would answer."""

from typing import Annotated

from fastapi import Form, Request, Response

from countersign.enrolment.evaluate import in_order
from countersign.enrolment.explain import EnrolmentExplained, EnrolmentQuestion, claims_of
from countersign.errors import BadQuestion, Refused
from countersign.models import LONGEST_REASON
from countersign.question import read_as
from portal.api.enrolment import explained
from portal.context import Context, ContextHere
from portal.pages.policy import names_of
from portal.pages.render import page
from portal.pages.route import admin_router

# The fields of the form except the claims, and what they are called there.
FIELDS = {
    "person": "Person",
    "source_address": "Source address",
    "country": "Country",
    "login_method": "Signed in by",
    "service_token": "Service token",
    "common_name": "Name in a certificate",
}

Typed = Annotated[str, Form(max_length=LONGEST_REASON)]

router = admin_router()


@router.get("/enrolment")
async def show(request: Request, context: ContextHere) -> Response:
    """The rules, and the form that asks which would answer."""
    return await _page(request, context, {})


@router.post("/enrolment/explain")
async def explain(
    request: Request,
    context: ContextHere,
    person: Typed = "",
    source_address: Typed = "",
    country: Typed = "",
    login_method: Typed = "",
    service_token: Typed = "",
    common_name: Typed = "",
    claims: Typed = "",
) -> Response:
    """The same, with the answer."""
    values = (person, source_address, country, login_method, service_token, common_name)
    typed = dict(zip(FIELDS, map(str.strip, values), strict=True))
    found, problem = None, ""
    try:
        asked = {name: value for name, value in typed.items() if value} | {"claims": claims_of(claims.split())}
        found = await explained(context, read_as(EnrolmentQuestion, asked, FIELDS))
    except (BadQuestion, Refused) as error:
        problem = str(error)
    return await _page(request, context, typed | {"claims": claims}, found, problem)


async def _page(
    request: Request,
    context: Context,
    typed: dict[str, str],
    found: EnrolmentExplained | None = None,
    problem: str = "",
) -> Response:
    _, policy = await context.run(context.store.policies.current)
    rules = None if policy.enrolment is None else in_order(policy.enrolment)
    names = names_of(policy)
    return page(
        request, "enrolment", rules=rules, fields=FIELDS, typed=typed, names=names, found=found, problem=problem
    )
