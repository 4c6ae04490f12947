"""Client certificates over HTTP, for admins: which authorities are trusted, what is revoked, and what was presented."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Query, Request, Response

from countersign.certificates import (
    LARGEST_REVOCATION_LIST_BYTES,
    LONGEST_SERIAL,
    CertificateAuthority,
    ClientCertificate,
    NewAuthorities,
    NewRevocationList,
    Revoking,
    serial_number,
)
from countersign.errors import BadQuestion
from portal.api.paging import TheId
from portal.api.problems import described
from portal.api.requests import LINKED
from portal.api.routes import LARGEST_BODY_BYTES, WITH_BODY, HeavyRoute, lead_on, token_router
from portal.auth import CallerHere
from portal.context import Context, ContextHere

FINGERPRINT = r"^[0-9a-f]{64}$"
ADMINS = described(HTTPStatus.FORBIDDEN)
CHANGED = described(HTTPStatus.FORBIDDEN, *WITH_BODY)
OF_ONE = described(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, *WITH_BODY)


class CertificatesRoute(HeavyRoute):
    """A route that takes a revocation list."""

    # The list is in PEM, and that is in JSON, with its line breaks escaped.
    largest_body_bytes = 2 * LARGEST_REVOCATION_LIST_BYTES + LARGEST_BODY_BYTES


router = token_router("certificates", CertificatesRoute)


@router.get("/certificate-authorities", responses=ADMINS)
async def authorities(context: ContextHere, caller: CallerHere) -> list[CertificateAuthority]:
    """The trusted certificate authorities, each with its host names and its revocation list. For admins."""
    caller.must_be_admin()
    return await context.run(context.store.certificates.authorities)


@router.post("/certificate-authorities", responses=CHANGED)
async def trust(context: ContextHere, caller: CallerHere, body: NewAuthorities) -> list[CertificateAuthority]:
    """Trust all authorities of a PEM file for these host names, or none of them. For admins.

    409: one is trusted already; remove it first to change its host names.
    """
    added = await context.run(
        context.engine.certificates.trust, body.pem, body.hosts, caller.principal, caller.credential.proof
    )
    found = await context.run(context.store.certificates.authorities)
    return [one for one in found if one.id in added]


@router.post("/certificate-authorities/revocation-lists", responses=CHANGED)
async def add_list(context: ContextHere, caller: CallerHere, body: NewRevocationList) -> CertificateAuthority:
    """Replace the revocation list (CRL) of the authority that signed it, and return that authority. For admins.

    After the end of a list (`ends_at`), no certificate of its authority is valid until a new list is uploaded. 409: no
    trusted authority signed it, or a newer one is known.
    """
    added = await context.run(context.engine.certificates.add_list, body.pem, caller.principal, caller.credential.proof)
    return await _one(context, added)


@router.post("/certificate-authorities/{authority_id}/remove", responses=OF_ONE)
async def remove(context: ContextHere, caller: CallerHere, authority_id: TheId) -> CertificateAuthority:
    """Stop trusting an authority. If it is trusted again, what it revoked is still revoked. For admins."""
    caller.must_be_admin()
    removed = await _one(context, authority_id)
    await context.run(context.engine.certificates.distrust, authority_id, caller.principal, caller.credential.proof)
    return removed


@router.post("/certificate-authorities/{authority_id}/revoke", responses=OF_ONE)
async def revoke(context: ContextHere, caller: CallerHere, authority_id: TheId, body: Revoking) -> CertificateAuthority:
    """Revoke a certificate of this authority for good, by its serial number in hexadecimal. For admins."""
    await context.run(context.engine.certificates.revoke, authority_id, body, caller.principal, caller.credential.proof)
    return await _one(context, authority_id)


@router.get("/client-certificates", responses={200: {"headers": LINKED}, **ADMINS})
async def presented(
    request: Request,
    response: Response,
    context: ContextHere,
    caller: CallerHere,
    serial: Annotated[str, Query(max_length=2 * LONGEST_SERIAL, description="the serial number, in hexadecimal")] = "",
    sha256: Annotated[
        str, Query(pattern=f"{FINGERPRINT}|^$", description="the SHA-256 of the certificate in DER")
    ] = "",
    before: Annotated[
        str, Query(pattern=f"{FINGERPRINT}|^$", description="only those after the one with this SHA-256")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[ClientCertificate]:
    """A page of the certificates that were valid when they were presented, newest first. For admins."""
    caller.must_be_admin()
    try:
        wanted = serial_number(serial) if serial else ""
    except ValueError as error:
        raise BadQuestion(f"serial: {error}.") from None
    found = await context.run(context.store.certificates.presented, before, limit, wanted, sha256)
    if len(found) == limit:
        lead_on(request, response, before=found[-1].sha256)
    return found


async def _one(context: Context, authority_id: str) -> CertificateAuthority:
    return await context.run(context.store.certificates.authority, authority_id)
