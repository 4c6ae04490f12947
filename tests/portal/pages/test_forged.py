"""What no page of ours sends: forged posts, stolen or stale cookies, addresses that lead elsewhere, hostile values."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import pytest_asyncio

from countersign.models import Status
from engine.credentials.sign_in import LINKS_AT_MOST
from portal.pages.route import HEADERS
from store import sessions
from store.sessions import Session
from tests.portal.context import LAB, POLICY
from tests.portal.pages.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

# What a browser sends with a post from another site, or from a page of ours inside another page.
FOREIGN: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "same-origin, cross-site"},
    {"Sec-Fetch-Site": "SAME-ORIGIN"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://{host}.evil.example"},
    {"Origin": "http://evil.example@{host}.evil.example"},
    {"Origin": "//evil.example"},
    {},
]
POSTS = {
    "/requests/{number}/answer": {"verdict": "approve", "level": "1", "once": "a"},
    "/requests/{number}/comment": {"once": "a", "text": "Why?"},
    "/requests/{number}/cancel": {"once": "a"},
    "/requests/{number}/revoke": {"once": "a"},
    "/requests/{number}/give-back": {"once": "a"},
    "/requests/{number}/rdp-file": {},
    "/approvals/reject": {"once": "a", "reason": "No.", "choice": "reject.{number}.1"},
    "/audit/export": {"format": "csv"},
    "/requests/new": {"device": LAB, "protocol": "ssh", "once": "a"},
    "/applications/open?visit=x": {"once": "a"},
    "/policy/plan": {"replaces": "1", "text": "users: []"},
    "/policy/edit": {"replaces": "1", "text": "users: []"},
    "/policy/apply": {"replaces": "1", "text": "users: []"},
    "/policy/versions/1/roll-back": {},
    "/policy/change": {"action": "set", "path": "rejection_needs_reason", "value": "true"},
    "/enrolment/explain": {"person": "alice"},
    "/sign-out": {},
    "/sign-in": {"email": "grace@example.test"},
    "/sign-in/x.y": {},
    "/sign-in/oidc": {},
    "/sessions/s0/end": {},
    "/tokens": {"lasts": "7"},
    "/tokens/x/end": {},
    "/certificates": {"hosts": "access.example.com"},
    "/certificates/revocation-lists": {},
    "/certificates/x/remove": {},
    "/certificates/x/revoke": {"serial": "1"},
    "/service-tokens": {"name": "x"},
    "/service-tokens/st0/rotate": {"overlap": "1h"},
    "/service-tokens/st0/revoke": {},
    "/provisioning-keys": {"label": "x", "person": "alice", "devices": "1"},
    "/provisioning-keys/k0/end": {},
    "/passkeys/options": {"purpose": "confirm"},
    "/passkeys": {"credential": "x"},
    "/confirm": {"credential": "x"},
    "/device": {"code": "WDJB-MJHT"},
    "/devices/d3f9c01a7b42e/block": {},
    "/devices/d3f9c01a7b42e/leave": {},
    "/team/devices/revoke": {"person": "alice"},
    "/team/devices/unrevoke": {"person": "alice"},
    "/device/answer": {"code": "WDJB-MJHT", "verdict": "allow"},
}
ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "javascript:alert(1)",
    "http:evil.example",
    " //evil.example",
    "/\t/evil.example",
    "/%0d%0aSet-Cookie:a=b\r\nX: y",
    "/ä",
]
# Values that no form of ours can send, and in which field.
BROKEN = [
    ("/requests/{number}/answer", "level", "0"),
    ("/requests/{number}/answer", "verdict", "maybe"),
    ("/requests/{number}/comment", "text", " "),
    ("/requests/{number}/comment", "text", "\x00\u202e"),
    ("/approvals/reject", "choice", "reject.{number}.1001"),
    ("/approvals/reject", "choice", "approve.{number}.1"),
    ("/approvals/reject", "choice", "reject.-1.1"),
    ("/policy/change", "action", "rename"),
    ("/tokens", "lasts", "36500"),
    ("/devices/d3f9c01a7b42e/block", "reason", "x" * 1001),
    ("/team/devices/revoke", "person", " "),
    ("/service-tokens", "lasts", "3651d"),
    ("/service-tokens", "name", " "),
    ("/service-tokens/st0/rotate", "overlap", "59m"),
    ("/service-tokens/st0/rotate", "overlap", "31d"),
    ("/provisioning-keys", "devices", "0"),
    ("/provisioning-keys", "person", "not an id"),
    ("/device/answer", "verdict", "maybe"),
    ("/certificates", "hosts", "*.example.com"),
    ("/certificates/x/revoke", "serial", "laptop"),
]
COOKIES = [
    "",
    "s",
    "s000000000000_" + "0" * 64,
    "' OR 1=1 --",
    "a" * 5000,
    "s000000000000_" + "0" * 63 + "\x01",
]


@pytest_asyncio.fixture(loop_scope="session")
async def waiting(installation: Site) -> int:
    """A request of alice that waits for grace."""
    reply = await installation.portal.post(
        "alice", "/requests", {"device": next(installation.portal.devices), "protocol": "ssh"}
    )
    number: int = reply.json()["approval_id"]
    return number


@pytest_asyncio.fixture(loop_scope="session")
async def client(installation: Site) -> AsyncIterator[httpx.AsyncClient]:
    # Certificates are for HTTPS; loading them takes longer than most of these tests.
    async with httpx.AsyncClient(base_url=installation.url, trust_env=False, verify=False) as one:
        yield one


async def as_person(installation: Site, person: str) -> dict[str, str]:
    """The headers of a page of ours that this person has open."""
    cookie = await asyncio.to_thread(installation.session, person)
    return {"Cookie": f"session={cookie}", "Sec-Fetch-Site": "same-origin"}


@pytest.mark.parametrize("post", POSTS)
async def test_a_post_from_elsewhere_does_nothing(
    installation: Site, client: httpx.AsyncClient, waiting: int, post: str
) -> None:
    host = installation.url.removeprefix("http://")
    cookie = await asyncio.to_thread(installation.session, "grace")
    data = {name: value.format(number=waiting) for name, value in POSTS[post].items()}
    for headers in FOREIGN:
        sent = {name: value.format(host=host) for name, value in headers.items()} | {"Cookie": f"session={cookie}"}
        reply = await client.post(post.format(number=waiting), data=data, headers=sent)
        assert (headers, reply.status_code, "nothing was done" in reply.text) == (headers, 403, True)
        assert (headers, installation.store.reading.request(waiting).status) == (headers, Status.WAITING)
        assert (headers, bool(installation.store.sessions.find(cookie, datetime.now(UTC)))) == (headers, True)


@pytest.mark.parametrize(("post", "field", "value"), BROKEN)
async def test_what_no_form_of_ours_sends_is_refused_by_the_name_of_its_field(
    installation: Site, client: httpx.AsyncClient, waiting: int, post: str, field: str, value: str
) -> None:
    data = {name: one.format(number=waiting) for name, one in {**POSTS[post], field: value}.items()}
    reply = await client.post(post.format(number=waiting), data=data, headers=await as_person(installation, "ada"))
    assert (reply.status_code, "That did not work" in reply.text) == (422, True)
    assert installation.store.reading.request(waiting).status is Status.WAITING


async def test_reasons_lose_what_disguises_them(installation: Site, client: httpx.AsyncClient, waiting: int) -> None:
    data = {"once": "d", "reason": "\u202eNot needed\x00"}
    await client.post(f"/requests/{waiting}/cancel", data=data, headers=await as_person(installation, "alice"))
    [row] = [one for one in installation.store.events.of(waiting, 0, 100) if one.kind == "cancelled"]
    assert row.detail.endswith("Not needed")


@pytest.mark.parametrize("version", ["9" * 5000, "-1", "\u00b2", "x"])
async def test_a_version_that_is_none_is_no_fault(installation: Site, client: httpx.AsyncClient, version: str) -> None:
    headers = {**await as_person(installation, "grace"), "Last-Event-ID": version.encode()}
    after = installation.store.events.last_version()
    async with client.stream("GET", f"/live?after={after}", headers=headers) as reply:  # type: ignore[arg-type]
        assert reply.status_code in (200, 422)


async def test_a_page_of_somebody_else_gets_no_stream(installation: Site, client: httpx.AsyncClient) -> None:
    reply = await client.get("/live?after=0&reader=alice", headers=await as_person(installation, "grace"))
    assert (reply.status_code, "Somebody else has signed in" in reply.text) == (403, True)


async def test_whoever_comes_from_a_long_address_can_sign_in(client: httpx.AsyncClient) -> None:
    long = await client.get("/approvals/all", params={"text": "\u00e4" * 350})
    shown = await client.get(long.headers["Location"])
    assert (shown.status_code, 'name="go_to" value=""' in shown.text) == (200, True)


@pytest.mark.parametrize("go_to", ELSEWHERE)
async def test_nobody_is_led_to_another_site(client: httpx.AsyncClient, go_to: str) -> None:
    shown = await client.get("/sign-in", params={"go_to": go_to})
    assert 'name="go_to" value=""' in shown.text


@pytest.mark.parametrize("cookie", COOKIES)
async def test_what_is_no_session_opens_nothing(client: httpx.AsyncClient, cookie: str) -> None:
    reply = await client.get("/approvals", headers={b"Cookie": f"session={cookie}".encode("latin-1")})
    assert (reply.status_code, reply.headers["Location"]) == (303, "/sign-in?go_to=/approvals")


async def test_a_session_is_over_at_its_end_when_it_is_ended_and_when_its_person_is_disabled(
    installation: Site, client: httpx.AsyncClient
) -> None:
    async def is_open(cookie: str) -> bool:
        return (await client.get("/approvals", headers={"Cookie": f"session={cookie}"})).status_code == 200

    over, ended, dora = [installation.session(one) for one in ("carol", "carol", "dora")]
    assert await is_open(ended)
    session = installation.store.sessions.find(over, datetime.now(UTC))
    assert isinstance(session, Session)
    assert installation.store.sessions.find(over, session.ends_at) is None
    with installation.store.database.transaction() as connection:
        sessions.end(connection, ended.partition("_")[0], datetime.now(UTC))
    assert not await is_open(ended)
    assert "dora: {name: Dora, email: dora@example.test, disabled: true}" in POLICY
    assert not await is_open(dora)


@pytest.mark.parametrize("path", ["/no-such-page", "/sessions/s0/end", "/requests/1/answer", "/static"])
async def test_an_address_that_has_nothing_is_a_page_to_people_and_a_problem_to_programs(
    client: httpx.AsyncClient, path: str
) -> None:
    shown = await client.get(path, headers={"Accept": "text/html"})
    assert (shown.status_code in (404, 405), "There is no page at this address." in shown.text) == (True, True)
    assert "frame-ancestors 'none'" in shown.headers["Content-Security-Policy"]
    told = await client.get(path)
    assert (told.status_code, told.json()["status"]) == (shown.status_code, shown.status_code)


async def test_a_static_file_is_kept_by_its_address_as_a_page_has_it_and_by_no_other(client: httpx.AsyncClient) -> None:
    found = set(re.findall(r"/static/[^\"]+", (await client.get("/sign-in")).text))
    assert {address.partition("?")[0] for address in found} == {
        "/static/icon.svg",
        "/static/style.css",
        "/static/page.js",
    }
    for address in found:
        kept = await client.get(address)
        assert (kept.status_code, kept.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
        assert kept.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
        for other in (address.partition("?")[0], f"{address}0", address[:-1]):
            reply = await client.get(other)
            assert (reply.text, reply.headers["Cache-Control"]) == (kept.text, "no-store")
    page = await client.get("/sign-in")
    missing = await client.get("/static/none.css?0")
    assert (page.headers["Cache-Control"], missing.headers["Cache-Control"]) == ("no-store", "no-store")


async def test_nobody_ends_the_token_of_another(installation: Site, client: httpx.AsyncClient) -> None:
    text = installation.portal.tokens["grace"]
    for token_id in (text.split("_")[1], "0" * 12, "x"):
        reply = await client.post(f"/tokens/{token_id}/end", headers=await as_person(installation, "alice"))
        assert reply.status_code == 404
    assert installation.store.tokens.find(text)


async def test_nobody_ends_the_session_of_another(installation: Site, client: httpx.AsyncClient) -> None:
    victim = installation.session("grace")
    reply = await client.post(
        f"/sessions/{victim.partition('_')[0]}/end", headers=await as_person(installation, "alice")
    )
    assert reply.status_code == 404
    assert installation.store.sessions.find(victim, datetime.now(UTC))


@pytest.mark.parametrize("post", [one for one in POSTS if "{number}" in one])
async def test_nobody_acts_on_what_they_may_not_see(
    installation: Site, client: httpx.AsyncClient, waiting: int, post: str
) -> None:
    headers = await as_person(installation, "carol")
    reply = await client.post(post.format(number=waiting), data=POSTS[post], headers=headers)
    assert reply.status_code == 404
    assert installation.store.reading.request(waiting).status is Status.WAITING


async def test_the_requester_approves_nothing_of_their_own(
    installation: Site, client: httpx.AsyncClient, waiting: int
) -> None:
    data = {"verdict": "approve", "level": "1", "once": "b"}
    reply = await client.post(f"/requests/{waiting}/answer", data=data, headers=await as_person(installation, "alice"))
    assert reply.status_code == 409
    assert installation.store.reading.request(waiting).status is Status.WAITING


async def test_one_form_sent_twice_is_one_answer(installation: Site, client: httpx.AsyncClient, waiting: int) -> None:
    headers, data = await as_person(installation, "grace"), {"verdict": "approve", "level": "1", "once": "c"}
    replies = [
        await client.post(f"/requests/{waiting}/answer", data=data, headers=headers, follow_redirects=False)
        for _ in range(2)
    ]
    assert [one.status_code for one in replies] == [303, 303]
    assert len(installation.store.reading.request(waiting).decisions) == 1


async def test_hostile_values_are_shown_as_text(installation: Site, client: httpx.AsyncClient) -> None:
    reason = "<script>alert(1)</script><img src=x onerror=alert(1)> {{ 7*7 }} \u202e"
    body = {"device": next(installation.portal.devices), "protocol": "ssh", "reason": reason}
    number = (await installation.portal.post("alice", "/requests", body)).json()["approval_id"]
    for path in (f"/requests/{number}", "/approvals"):
        reply = await client.get(path, headers=await as_person(installation, "grace"))
        assert "&lt;script&gt;alert(1)" in reply.text
        assert re.findall(r"<script[^>]*>", reply.text) == re.findall(r'<script src="/static/[^>]*>', reply.text)
        assert "\u202e" not in reply.text
        assert "script-src 'self'" in reply.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in reply.headers["Content-Security-Policy"]


async def test_known_and_unknown_addresses_are_told_the_same_and_a_person_gets_few_links(
    installation: Site, client: httpx.AsyncClient
) -> None:
    headers = {"Sec-Fetch-Site": "same-origin"}
    texts = set()
    for address in ("bob@example.test", "nobody@example.test", "dora@example.test"):
        reply = await client.post("/sign-in", data={"email": address}, headers=headers)
        texts.add(reply.text.replace(address, "…"))
        assert reply.status_code == 200
    assert len(texts) == 1
    for _ in range(LINKS_AT_MOST + 3):
        await client.post("/sign-in", data={"email": "bob@example.test"}, headers=headers)
    await installation.link_for("bob", LINKS_AT_MOST)
    with installation.store.database.reading() as connection:
        since = datetime.now(UTC) - timedelta(hours=1)
        assert sessions.asked_since(connection, "person", "bob", since) == LINKS_AT_MOST + 4
    assert await installation.links_of("bob") == LINKS_AT_MOST
    assert await installation.links_of("dora") == 0


@pytest.mark.parametrize("link", ["x", "x.y", "a" * 32 + "." + "b" * 54, "a" * 32 + ".", ".", "a" * 101])
async def test_a_link_that_nobody_made_opens_nothing(client: httpx.AsyncClient, link: str) -> None:
    reply = await client.post(f"/sign-in/{link}", headers={"Sec-Fetch-Site": "same-origin"})
    assert reply.status_code in (403, 422)
    assert "Set-Cookie" not in reply.headers
