"""Client certificates through the real nginx and Caddy, set up as `deploy/` says; and forged ones."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from fastapi import Request

from countersign.certificates import Revoking
from countersign.enrolment.facts import Certificate
from countersign.permissions import Principal
from engine.credentials.client_certificates import ClientCertificates
from engine.credentials.tokens import TokenActions
from engine.policy import apply_policy
from portal.api.examples import EXAMPLES
from portal.app import create_app
from portal.client_certificate import LONGEST_HEADER, certificate_of
from portal.server import Server
from sandbox.device_keys import new_key
from settings import networks
from store import Store
from store.tokens import Owner
from tests.authority import DAY, SERVER, Authority, Issued
from tests.databases import new_sqlite
from tests.http_clients import plain_client
from tests.portal.context import POLICY, serving, without_temporal
from tests.tls_proxies import HOST, PROXIES, found, must_keep_its_configuration, running

ADA = Principal("ada", admin=True)

pytestmark = pytest.mark.asyncio(loop_scope="session")

# The portal trusts the first of these addresses, and no other of this machine.
PROXY, STRANGER = "127.0.0.1", "127.0.0.2"
PATH = "/tests/certificate"
REGISTER = "/api/v1/devices/register"
# With this many names a certificate is too long in either form, but no longer than a request's head may be.
NAMES = 158
ADDRESSES = count(1)


@dataclass
class Scene:
    """A portal, the store behind it, and the authorities: `elsewhere` is trusted for another host name."""

    url: str
    store: Store
    certificates: ClientCertificates
    authority: Authority
    elsewhere: Authority
    server: Issued
    folder: Path
    client: str = ""  # the client's address: another in each test, as repeated refusals of an address are counted

    def refused(self) -> list[tuple[str, str]]:
        """Why certificates were refused, and from which address."""
        rows = [one for one in self.store.events.since(0, 10**6) if one.kind == "certificate_refused"]
        return [(one.detail, one.proof["from"]) for one in rows]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    folder = tmp_path_factory.mktemp("certificates")
    database = new_sqlite(folder / "countersign.db")
    plan = without_temporal(database)
    plan.tls_proxies = networks(PROXY)
    app = create_app(plan)

    @app.get(PATH)
    async def shown(request: Request) -> Certificate | None:
        return await certificate_of(request)

    store = Store(database)
    apply_policy(store, POLICY, "ada")
    certificates, authority, elsewhere = ClientCertificates(store), Authority(), Authority("Elsewhere")
    certificates.trust(authority.pem, [HOST], ADA, {})
    certificates.trust(elsewhere.pem, ["lab.example.com"], ADA, {})
    server = Authority("Servers").issue(HOST, [SERVER], [HOST])
    for name, text in (("server.pem", server.pem), ("server.key", server.key_pem)):
        (folder / name).write_text(text)
    async with serving(Server(app, "127.0.0.1", 0, proxies=plan.tls_proxies)) as url:
        yield Scene(url, store, certificates, authority, elsewhere, server, folder)
    store.close()


@pytest_asyncio.fixture(params=sorted(PROXIES), scope="module", loop_scope="session")
async def proxy(request: pytest.FixtureRequest, scene: Scene) -> AsyncIterator[str]:
    """The address of a server with TLS in front of the portal."""
    if found(request.param) is None:
        pytest.skip(f"{request.param} is not installed (Debian's package is {request.param})")
    home = scene.folder / request.param
    home.mkdir()
    with running(
        request.param, home, scene.url, str(scene.folder / "server.pem"), str(scene.folder / "server.key")
    ) as url:
        yield url


@pytest.mark.usefixtures("proxy")
@pytest.mark.parametrize("proxy", ["caddy"], indirect=True)
async def test_the_api_of_caddy_is_for_its_own_account_alone(scene: Scene) -> None:
    must_keep_its_configuration(scene.folder / "caddy")


@pytest.fixture(autouse=True)
def new_address(scene: Scene) -> None:
    scene.client = f"127.0.1.{next(ADDRESSES)}"


async def through(
    scene: Scene,
    proxy: str,
    presented: Issued | None = None,
    headers: Any = (),
    path: str = PATH,
    body: object = None,
) -> httpx.Response:
    """The reply to a client, through the proxy; it may have a certificate, and headers of its own."""
    context = ssl.create_default_context(cadata=scene.server.pem)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if presented:
        own = scene.folder / f"{presented.serial}.pem"
        own.write_text(presented.pem + presented.key_pem)
        context.load_cert_chain(own)
    transport = httpx.AsyncHTTPTransport(verify=context, local_address=scene.client)
    async with httpx.AsyncClient(base_url=proxy, transport=transport) as client:
        request = client.build_request(
            "POST" if body else "GET",
            path,
            headers=[("Host", HOST), *headers],
            extensions={"sni_hostname": HOST},
            json=body,
        )
        return await client.send(request)


async def straight(scene: Scene, address: str, *headers: tuple[str, str], path: str = PATH) -> httpx.Response:
    """The reply to a client at this address that connects to the portal itself."""
    transport = httpx.AsyncHTTPTransport(local_address=address)
    async with httpx.AsyncClient(base_url=scene.url, transport=transport) as client:
        return await client.send(client.build_request("GET", path, headers=[("Host", HOST), *headers]))


def device() -> dict[str, object]:
    """What a new device presents."""
    body: dict[str, object] = EXAMPLES["operations"]["registered_devices_register"]["body"]
    return body | {"key": new_key()}


def as_nginx(one: Issued) -> str:
    return quote(one.pem, safe="")


def as_caddy(one: Issued) -> str:
    return f":{base64.b64encode(one.der).decode()}:"


def sha256(one: Issued) -> str:
    return one.certificate.fingerprint(hashes.SHA256()).hex()


async def test_without_a_certificate_there_is_none(scene: Scene, proxy: str) -> None:
    reply = await through(scene, proxy)
    assert (reply.status_code, reply.json()) == (200, None)


async def test_one_of_a_trusted_authority_is_valid(scene: Scene, proxy: str) -> None:
    presented = scene.authority.issue()
    reply = await through(scene, proxy, presented)
    known = {"serial": presented.serial, "sha256": sha256(presented)}
    assert (reply.status_code, reply.json()) == (200, {"common_name": "laptop-7", "valid": True, **known})
    assert sha256(presented) in [one.sha256 for one in scene.store.certificates.presented()]


async def test_one_that_has_expired_gets_nobody_in(scene: Scene, proxy: str) -> None:
    reply = await through(scene, proxy, scene.authority.issue(lasts=-DAY / 2))
    if reply.status_code == 400:  # nginx itself refuses an expired certificate
        assert "The SSL certificate error" in reply.text
    else:
        assert reply.json()["valid"] is False
        assert scene.refused()[-1][0].startswith("CN=laptop-7 has expired")


async def test_those_of_another_authority_host_or_use_are_not_valid(scene: Scene, proxy: str) -> None:
    for presented in (Authority().issue(), scene.elsewhere.issue()):
        assert (await through(scene, proxy, presented)).json()["valid"] is False
        assert scene.refused()[-1] == ("CN=laptop-7 was not issued by an authority trusted here", scene.client)


async def test_one_that_was_revoked_is_not_valid(scene: Scene, proxy: str) -> None:
    by_list, by_serial = scene.authority.issue("by-list"), scene.authority.issue("by-serial")
    for presented in (by_list, by_serial):
        assert (await through(scene, proxy, presented)).json()["valid"] is True
    authority = scene.certificates.add_list(scene.authority.revocation_list(by_list), ADA, {})
    scene.certificates.revoke(authority, Revoking(serial=by_serial.serial), ADA, {})
    for presented, why in ((by_list, "is on the revocation list of CN=Example CA"), (by_serial, "was revoked ")):
        assert (await through(scene, proxy, presented)).json()["valid"] is False
        assert why in scene.refused()[-1][0]


@pytest.mark.parametrize("name", ["Client-Cert", "client-cert", "Client_Cert"])
@pytest.mark.parametrize("form", [as_nginx, as_caddy])
async def test_a_header_that_a_client_sends_is_not_passed_on(scene: Scene, proxy: str, name: str, form: Any) -> None:
    stolen, own = scene.authority.issue("stolen"), Authority().issue("own")
    forged = [(name, form(stolen)), (name, form(stolen)), ("Client-Cert-Chain", form(stolen))]
    assert (await through(scene, proxy, headers=forged)).json() is None
    reply = await through(scene, proxy, own, forged)
    assert (reply.json()["valid"], reply.json()["sha256"]) == (False, sha256(own))


async def test_a_certificate_that_is_too_long_is_refused_in_words(scene: Scene, proxy: str) -> None:
    names = x509.SubjectAlternativeName([x509.DNSName(f"{'n' * 40}-{n}.example.com") for n in range(NAMES)])
    reply = await through(scene, proxy, scene.authority.issue(extensions=[(names, False)]))
    assert (reply.status_code, f"more than {LONGEST_HEADER} characters" in reply.json()["detail"]) == (403, True)
    assert scene.refused()[-1] == (f"the header has more than {LONGEST_HEADER} characters", scene.client)


@pytest.mark.parametrize("form", [as_nginx, as_caddy])
async def test_both_forms_are_read(scene: Scene, form: Any) -> None:
    reply = await straight(scene, PROXY, ("Client-Cert", form(scene.authority.issue())))
    assert reply.json()["valid"] is True


@pytest.mark.parametrize("path", [PATH, "/api/v1/health", "/sign-in", "/nothing"])
@pytest.mark.parametrize("more", [[], [("X-Forwarded-For", PROXY)], [("Forwarded", f"for={PROXY}")]])
async def test_a_header_from_elsewhere_is_refused_whatever_is_asked_and_recorded(
    scene: Scene, path: str, more: list[tuple[str, str]]
) -> None:
    for value in (as_caddy(scene.authority.issue()), "", "x"):
        reply = await straight(scene, STRANGER, ("client-cert", value), *more, path=path)
        assert (reply.status_code, reply.json()["type"]) == (403, "/api/v1/problems/not-allowed")
        assert "COUNTERSIGN_TLS_PROXIES" in reply.json()["detail"]
    why = "it was not passed on by a server with TLS in front of the portal"
    assert scene.refused()[-1] == (why, STRANGER)


async def test_a_device_registers_with_its_certificate_and_with_none_that_can_not_be_read(scene: Scene) -> None:
    token = TokenActions(scene.store).create(Owner(kind="person", name="alice"), "tests")
    presented = scene.authority.issue()
    async with plain_client(base_url=scene.url) as client:
        for value, status in ((":YWJj:", 403), (as_caddy(presented), 200)):
            headers = {"Host": HOST, "Authorization": f"Bearer {token}", "Client-Cert": value}
            reply = await client.post(REGISTER, json=device(), headers=headers)
            assert reply.status_code == status, reply.text
    assert [one.serial for one in scene.store.certificates.presented(serial=presented.serial)] == [presented.serial]
    [*_, registered] = [one for one in scene.store.events.since(0, 10**6) if one.kind == "device_registered"]
    assert (registered.who, registered.proof["certificate"]) == ("alice", sha256(presented))


async def test_a_rule_of_enrolment_lets_in_who_has_the_certificate_that_it_names(scene: Scene, proxy: str) -> None:
    rule = "{name: Laptops, action: allow, include: {common_names: [laptop-7]}, require: {valid_certificate: true}}"
    apply_policy(scene.store, f"{POLICY}enrolment: [{rule}]\n", "ada")
    right, revoked = scene.authority.issue("laptop-7"), scene.authority.issue("laptop-7")
    [_, authority] = scene.store.certificates.authorities()
    scene.certificates.revoke(authority.id, Revoking(serial=revoked.serial), ADA, {})
    others = (None, revoked, scene.authority.issue("laptop-8"), scene.elsewhere.issue("laptop-7"))
    token, body = TokenActions(scene.store).create(Owner(kind="person", name="bob"), "tests"), device()
    for presented, status in (*((one, "denied") for one in others), (right, "approved"), (revoked, "denied")):
        reply = await through(scene, proxy, presented, [("Authorization", f"Bearer {token}")], REGISTER, body)
        assert (reply.status_code, reply.json()["status"]) == (200, status), reply.text
    apply_policy(scene.store, POLICY, "ada")


async def test_without_that_setting_no_header_is_believed(sqlite_url: str) -> None:
    app = create_app(without_temporal(sqlite_url))
    async with serving(Server(app, "127.0.0.1", 0)) as url, plain_client(base_url=url) as client:
        assert (await client.get("/api/v1/health", headers={"Client-Cert": "::"})).status_code == 403
        assert (await client.get("/api/v1/health")).status_code == 503


MALFORMED = {
    "empty": "",
    "a word": "valid",
    "one colon": ":",
    "two colons": "::",
    "no base64": ":a:",
    "no certificate in it": ":YWJj:",
    "two certificates": "{nginx}{nginx}",
    "two of RFC 9440": "{caddy},{caddy}",
    "a parameter": "{caddy};valid",
    "half of one": "{half}",
    "not escaped": "-----BEGIN CERTIFICATE----- {base64} -----END CERTIFICATE-----",
    "DER in hexadecimal": "{hex}",
    "much of nothing": ":{much}:",
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_what_is_no_certificate_is_refused_and_recorded(scene: Scene, case: str) -> None:
    one = scene.authority.issue()
    parts = {
        "nginx": as_nginx(one),
        "caddy": as_caddy(one),
        "half": as_nginx(one)[:200],
        "base64": base64.b64encode(one.der).decode(),
        "hex": one.der.hex(),
        "much": "A" * 13_000,
    }
    before = len(scene.refused())
    reply = await straight(scene, PROXY, ("Client-Cert", MALFORMED[case].format(**parts)), ("X-Forwarded-For", case))
    assert reply.status_code == 403, reply.text
    assert one.pem[40:60] not in reply.text
    assert len(scene.refused()) == before + 1


async def test_two_headers_are_refused_though_both_are_the_same(scene: Scene) -> None:
    value = as_caddy(scene.authority.issue())
    reply = await straight(scene, PROXY, ("Client-Cert", value), ("client-cert", value))
    assert (reply.status_code, "stands there twice" in reply.json()["detail"]) == (403, True)


@pytest.mark.parametrize(
    ("host", "valid"),
    [
        ("ACCESS.example.com", True),
        ("access.example.com.:8443", True),
        ("access.example.com.evil", False),
        ("[::1]", False),
    ],
)
async def test_the_host_that_was_asked_decides(scene: Scene, host: str, valid: bool) -> None:
    async with plain_client(base_url=scene.url) as client:
        headers = {"Host": host, "Client-Cert": as_caddy(scene.authority.issue())}
        assert (await client.get(PATH, headers=headers)).json()["valid"] is valid
