"""Client certificates in the browser, for admins: the authorities that are trusted, and what they issued."""

import re
from typing import Annotated

from fastapi import File, Form, Path, Query, Request, Response
from pydantic import BeforeValidator

from countersign.certificates import (
    CERTIFICATE,
    LARGEST_PEM,
    LARGEST_REVOCATION_LIST_BYTES,
    MOST_HOSTS,
    REVOCATION_LIST,
    HostName,
    Revoking,
    as_pem,
)
from portal.api.certificates import FINGERPRINT
from portal.api.routes import LARGEST_BODY_BYTES
from portal.auth import CallerHere
from portal.context import ContextHere
from portal.pages.render import next_page, page, redirect_to
from portal.pages.route import PageRoute, admin_router

PER_PAGE = 50
PLACE = "/certificates"


class CertificatesRoute(PageRoute):
    """A page that takes a revocation list."""

    largest_body_bytes = 2 * LARGEST_REVOCATION_LIST_BYTES + LARGEST_BODY_BYTES


def _names(typed: list[str]) -> list[str]:
    return [name for line in typed for name in re.split(r"[\s,]+", line) if name]


Hosts = Annotated[list[HostName], BeforeValidator(_names), Form(min_length=1, max_length=MOST_HOSTS)]
TheId = Annotated[str, Path(max_length=16)]

router = admin_router(CertificatesRoute)


@router.get(PLACE)
async def show(
    request: Request,
    context: ContextHere,
    before: Annotated[str, Query(pattern=f"{FINGERPRINT}|^$")] = "",
) -> Response:
    """The authorities that are trusted, and the certificates that were presented."""
    authorities = await context.run(context.store.certificates.authorities)
    presented = await context.run(context.store.certificates.presented, before, PER_PAGE)
    older = next_page(request, presented[-1].sha256 if len(presented) == PER_PAGE else None)
    policy = await context.run(context.store.reading.policy)
    return page(
        request,
        "certificates",
        authorities=authorities,
        presented=presented,
        users=policy.users,
        next_page=older,
        is_passed_on=bool(context.tls_proxies),
    )


@router.post(PLACE)
async def trust(
    context: ContextHere,
    caller: CallerHere,
    hosts: Hosts,
    file: Annotated[bytes, File(max_length=LARGEST_PEM)],
) -> Response:
    """Trust the authorities of a file."""
    pem = as_pem(file, CERTIFICATE)
    await context.run(context.engine.certificates.trust, pem, hosts, caller.principal, caller.credential.proof)
    return redirect_to(PLACE)


@router.post(f"{PLACE}/revocation-lists")
async def add_list(
    context: ContextHere,
    caller: CallerHere,
    file: Annotated[bytes, File(max_length=LARGEST_REVOCATION_LIST_BYTES)],
) -> Response:
    """Take a revocation list."""
    pem = as_pem(file, REVOCATION_LIST)
    await context.run(context.engine.certificates.add_list, pem, caller.principal, caller.credential.proof)
    return redirect_to(PLACE)


@router.post(f"{PLACE}/{{authority_id}}/remove")
async def remove(context: ContextHere, caller: CallerHere, authority_id: TheId) -> Response:
    """Trust an authority no longer."""
    await context.run(context.engine.certificates.distrust, authority_id, caller.principal, caller.credential.proof)
    return redirect_to(PLACE)


@router.post(f"{PLACE}/{{authority_id}}/revoke")
async def revoke(
    context: ContextHere, caller: CallerHere, authority_id: TheId, revoking: Annotated[Revoking, Form()]
) -> Response:
    """Revoke a certificate by its serial number."""
    await context.run(
        context.engine.certificates.revoke, authority_id, revoking, caller.principal, caller.credential.proof
    )
    return redirect_to(PLACE)
