"""Authorities of client certificates over HTTP: for admins, and all of it on record."""

from datetime import UTC, datetime

import pytest

from engine.credentials.client_certificates import ClientCertificates
from portal.api.routes import LARGEST_BODY_BYTES
from store.tables import certificate_authorities, revocation_lists
from tests.authority import Authority
from tests.portal.context import Portal

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG_AGO = datetime(2024, 5, 14, 12, 0, tzinfo=UTC)
HOSTS = ["Access.example.com."]


async def test_an_admin_trusts_revokes_and_removes(portal: Portal) -> None:
    authority = Authority("Over HTTP")
    lost = authority.issue("lost")
    reply = await portal.post("ada", "/certificate-authorities", {"pem": authority.pem, "hosts": HOSTS})
    [added] = reply.json()
    assert (reply.status_code, added["name"], added["hosts"]) == (200, "CN=Over HTTP", ["access.example.com"])
    place = f"/certificate-authorities/{added['id']}"
    again = await portal.post("ada", "/certificate-authorities", {"pem": authority.pem, "hosts": HOSTS})
    assert (again.status_code, "trusted already" in again.json()["detail"]) == (409, True)
    listed = await portal.post(
        "ada", "/certificate-authorities/revocation-lists", {"pem": authority.revocation_list(lost)}
    )
    assert listed.json()["revocation_list"]["revoked"] == 1
    assert listed.json() in (await portal.get("ada", "/certificate-authorities")).json()
    revoked = await portal.post("ada", f"{place}/revoke", {"serial": "0x00:AB", "reason": "lost"})
    assert revoked.json() == listed.json()
    assert (await portal.post("ada", f"{place}/remove")).json()["id"] == added["id"]
    for action, body in (("remove", {}), ("revoke", {"serial": "ab"})):
        assert (await portal.post("ada", f"{place}/{action}", body)).status_code == 404
    kinds = [(one.kind, one.who) for one in portal.store.events.since(0, 10**6) if "Over HTTP" in one.detail]
    assert kinds == [
        ("certificate_authority_added", "ada"),
        ("revocation_list_added", "ada"),
        ("certificate_revoked", "ada"),
        ("certificate_authority_removed", "ada"),
    ]


async def test_a_large_list_is_taken_and_one_that_is_too_large_is_not(portal: Portal) -> None:
    authority = Authority("Large")
    await portal.post("ada", "/certificate-authorities", {"pem": authority.pem, "hosts": HOSTS})
    pem = authority.revocation_list(*[authority.issue()] * 2_000)
    assert len(pem) > LARGEST_BODY_BYTES
    reply = await portal.post("ada", "/certificate-authorities/revocation-lists", {"pem": pem})
    assert (reply.status_code, reply.json()["revocation_list"]["revoked"]) == (200, 2_000)
    too_large = await portal.post("ada", "/certificate-authorities/revocation-lists", {"pem": 40 * pem})
    assert too_large.status_code == 413


@pytest.mark.parametrize("who", ["alice", "bastion"])
async def test_nobody_else_sees_or_changes_any_of_it(portal: Portal, who: str) -> None:
    authority = Authority()
    for path, body in (
        ("", {"pem": authority.pem, "hosts": HOSTS}),
        ("/revocation-lists", {"pem": authority.revocation_list()}),
        ("/00/remove", {}),
        ("/00/revoke", {"serial": "ab"}),
    ):
        assert (await portal.post(who, f"/certificate-authorities{path}", body)).status_code == 403
    for path in ("/certificate-authorities", "/client-certificates"):
        assert (await portal.get(who, path)).status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("", {"pem": "x", "hosts": HOSTS}, "holds no certificate"),
        ("", {"pem": "x", "hosts": []}, "hosts"),
        ("", {"pem": "x", "hosts": ["https://access.example.com"]}, "is not a host name"),
        ("", {"pem": "x", "hosts": ["*.example.com"]}, "is not a host name"),
        ("", {"pem": "x", "hosts": ["a" * 254]}, "is not a host name"),
        ("", {"pem": "x" * 50_000, "hosts": HOSTS}, "pem"),
        ("/revocation-lists", {"pem": "x"}, "is not a revocation list"),
        ("/00/revoke", {"serial": "laptop"}, "is not a serial number"),
        ("/00/revoke", {"serial": "0"}, "is not a serial number"),
        ("/00/revoke", {"serial": "1" * 41}, "is not a serial number"),
    ],
)
async def test_what_can_not_be_right_is_refused_in_words(
    portal: Portal, path: str, body: dict[str, object], says: str
) -> None:
    reply = await portal.post("ada", f"/certificate-authorities{path}", body)
    assert (reply.status_code, says in reply.json()["detail"]) == (422, True), reply.text


async def test_certificates_are_found_by_serial_number_and_listed_in_pages(portal: Portal) -> None:
    authority = Authority("Pages")
    await portal.post("ada", "/certificate-authorities", {"pem": authority.pem, "hosts": ["pages.example.com"]})
    issued = [authority.issue(f"laptop-{n}") for n in range(3)]
    for one in issued:
        assert ClientCertificates(portal.store).check(one.der, "pages.example.com", "192.0.2.7").valid
    first = await portal.get("ada", "/client-certificates", limit=2)
    assert [one["common_name"] for one in first.json()] == ["laptop-2", "laptop-1"]
    last = await portal.get("ada", "/client-certificates", limit=2, before=first.json()[-1]["sha256"])
    assert [one["common_name"] for one in last.json()][:1] == ["laptop-0"]
    assert f"before={first.json()[-1]['sha256']}" in first.headers["Link"]
    by_serial = await portal.get("ada", "/client-certificates", serial=issued[1].serial.upper())
    assert [one["common_name"] for one in by_serial.json()] == ["laptop-1"]
    by_sha256 = await portal.get("ada", "/client-certificates", sha256=by_serial.json()[0]["sha256"])
    assert by_sha256.json() == by_serial.json()
    assert (await portal.get("ada", "/client-certificates", serial="laptop")).status_code == 422
    assert (await portal.get("ada", "/client-certificates", sha256="x")).status_code == 422


async def test_doctor_tells_of_what_has_ended(portal: Portal) -> None:
    authority = Authority("That ended")
    body = {"pem": authority.pem, "hosts": HOSTS}
    [added] = (await portal.post("ada", "/certificate-authorities", body)).json()
    await portal.post("ada", "/certificate-authorities/revocation-lists", {"pem": authority.revocation_list()})

    async def said() -> list[str]:
        found = (await portal.get("ada", "/doctor")).json()
        return [one["words"] for one in found if (one["about"], one["state"]) == ("CN=That ended", "problem")]

    assert await said() == []
    with portal.store.database.transaction() as connection:
        of = certificate_authorities.c.id == added["id"]
        connection.execute(certificate_authorities.update().where(of).values(ends_at=LONG_AGO))
        connection.execute(revocation_lists.update().values(ends_at=LONG_AGO))
    has_expired, is_out_of_date = await said()
    assert has_expired.startswith("has expired, Tue 14 May 2024, 12:00 UTC: upload its new certificate")
    assert is_out_of_date.startswith(
        "its revocation list has been out of date since Tue 14 May 2024, 12:00 UTC, so that no"
    )
    await portal.post("ada", f"/certificate-authorities/{added['id']}/remove")
    assert await said() == []
