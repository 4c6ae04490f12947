"""The HTTP application: the API under `/api/v1`, and the pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException

from portal import channel_webhooks
from portal.access_log import AccessLog
from portal.api import (
    access,
    answers,
    audit,
    certificates,
    description,
    devices,
    doctor,
    enrolment,
    events,
    examples,
    health,
    login,
    machines,
    notifications,
    overview,
    policy,
    problems,
    rdp,
    registered_devices,
    replies,
    requests,
    roles,
)
from portal.api.routes import PREFIX, operation_id
from portal.client_certificate import CertificatesFromProxies
from portal.context import Plan
from portal.forward_auth import pages as application_pages
from portal.forward_auth.check import ForwardAuthMiddleware
from portal.pages import (
    asking,
    bulk,
    device_login,
    groups,
    lists,
    live,
    oidc,
    passkeys,
    policy_changes,
    settings,
    sign_in,
    static,
    tokens,
)
from portal.pages import audit as audit_page
from portal.pages import certificates as certificates_page
from portal.pages import devices as device_pages
from portal.pages import enrolment as enrolment_page
from portal.pages import machines as machine_pages
from portal.pages import overview as overview_page
from portal.pages import policy as policy_pages
from portal.pages import requests as pages
from portal.pages import roles as role_pages
from portal.pages.route import no_such_page

ABOUT = """
Countersign decides whether a person may connect. A gateway or a person asks (`POST /requests`), approvers answer, and
`GET /requests/{id}/wait` returns as soon as something changes. **Yes** means: the grant's status is `Active`, its
`ends_at` is in the future, and its `source_address` is the one that the connection comes from (unless
`same_source_address` is false).

Send `Authorization: Bearer cs_...` with everything but `/health` and `/login`. With a person's token you ask, read,
cancel and answer as that person; with a gateway's, you ask for its own devices and protocols. Send an `Idempotency-Key`
with a POST, so that you can repeat it safely. Every error is `application/problem+json` (RFC 9457); its `detail` says
what to do.
"""

API = (
    health.open_to_all,
    login.open_to_all,
    health.router,
    requests.router,
    answers.router,
    events.router,
    notifications.router,
    audit.router,
    overview.router,
    access.router,
    certificates.router,
    machines.router,
    devices.router,
    # Before `for_machines`, whose `/devices/{device_id}` would otherwise match these addresses.
    registered_devices.router,
    registered_devices.for_machines,
    roles.router,
    policy.router,
    enrolment.router,
    replies.router,
    doctor.router,
    rdp.router,
)
PAGES = (
    channel_webhooks.router,
    # Before `sign_in`, which would otherwise take whatever follows /sign-in/ for a link.
    oidc.router,
    sign_in.open_to_all,
    sign_in.router,
    tokens.router,
    machine_pages.router,
    device_login.router,
    asking.router,
    policy_pages.router,
    policy_changes.router,
    enrolment_page.router,
    groups.router,
    role_pages.router,
    device_pages.router,
    settings.router,
    lists.router,
    bulk.router,
    audit_page.router,
    certificates_page.router,
    passkeys.router,
    overview_page.router,
    live.router,
    application_pages.open_to_all,
    application_pages.router,
    pages.router,
    static.router,
)


class _App(FastAPI):
    """An application whose description is made when it is first asked for, as that takes a third of a second."""

    def openapi(self) -> dict[str, Any]:
        """The API's description, with our problems and examples."""
        known = self.openapi_schema
        described = super().openapi()
        if described is not known:
            problems.describe(described)
            examples.add_examples(described)
        return described


def create_app(plan: Plan) -> FastAPI:
    """The application; opens its context at the start and closes it at the end."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with plan.open() as context:
            app.state.context = context
            yield

    app = _App(
        title="Countersign",
        version="1",
        description=ABOUT,
        openapi_url=f"{PREFIX}/openapi.json",
        # The framework's pages load scripts from elsewhere; ours is in description.py.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        generate_unique_id_function=operation_id,
    )
    app.add_middleware(CertificatesFromProxies)
    app.add_middleware(AccessLog)
    # The last one is the first to see a request.
    app.add_middleware(ForwardAuthMiddleware)
    problems.add_handlers(app)
    app.add_exception_handler(HTTPException, no_such_page)
    for router in API:
        app.include_router(router, prefix=PREFIX)
    for router in PAGES:
        app.include_router(router)
    app.include_router(description.router)
    return app
