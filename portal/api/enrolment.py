"""Who may enrol a device, over HTTP: which rule would answer, and why."""

from http import HTTPStatus

from countersign.enrolment.explain import EnrolmentExplained, EnrolmentQuestion
from portal.api.problems import described
from portal.api.routes import WITH_BODY, token_router
from portal.auth import CallerHere
from portal.context import Context, ContextHere

router = token_router("enrolment")


@router.post("/enrolment/explain", responses=described(HTTPStatus.FORBIDDEN, *WITH_BODY))
async def explain(body: EnrolmentQuestion, context: ContextHere, caller: CallerHere) -> EnrolmentExplained:
    """Which enrolment rule would match, and why each rule before it does not. For admins.

    Registers nothing, but calls the external evaluations of the rules that are tried. A country that is left out is
    looked up by the address.
    """
    caller.must_be_admin()
    return await explained(context, body)


async def explained(context: Context, asked: EnrolmentQuestion) -> EnrolmentExplained:
    """Which rule would answer, for the API and the page; looks up a country that is left out."""
    country = asked.country or context.countries.country_of(asked.source_address)
    return await context.engine.explain_enrolment(asked.model_copy(update={"country": country}))
