"""Web applications behind the real nginx and Caddy, which ask a portal as the files installed for them say."""

from __future__ import annotations

import asyncio
import getpass
import os
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from countersign.gates.config import GateConfig, Target
from countersign.gates.http_files import proxy_files
from countersign.gates.http_relay import HttpSection
from engine.credentials.tokens import TokenActions
from store.tokens import Owner
from tests.authority import SERVER, Authority
from tests.http_clients import plain_client
from tests.portal.context import MARK, POLICY
from tests.portal.pages.conftest import Site
from tests.tls_proxies import ADMIN, NGINX, found, own_socket, replaced, running

APP, WIKI = f"grafana-{MARK}", f"wiki-{MARK}"
HOST, OTHER = "grafana.example.test", "wiki.example.test"
CROWD = [f"crowd-{n}" for n in range(10)]
_PEOPLE = "".join(f"  {one}: {{name: {one.title()}, email: {one}@example.test}}\n" for one in CROWD)
_WITH_CROWD = POLICY.replace("users:\n", f"users:\n{_PEOPLE}", 1).replace(
    "bob, carol]", f"bob, carol, {', '.join(CROWD)}]", 1
)
APPLICATIONS = _WITH_CROWD.replace("device_groups:\n", f"device_groups:\n  apps: {{devices: [{APP}, {WIKI}]}}\n", 1) + (
    f"applications: {{{HOST}: {APP}, {OTHER}: {WIKI}}}\n"
)
DEVICES = {HOST: APP, OTHER: WIKI}
COOKIE, BROWSER = "__Host-countersign", "__Host-countersign-browser"
PAGE = {"Accept": "text/html"}


@dataclass
class Application:
    """An application that keeps the headers of its requests, and always answers with the same page."""

    seen: list[dict[str, list[str]]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode(), []).append(value.decode())
        self.seen.append(headers)
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]}
        await send(start)
        await send({"type": "http.response.body", "body": b"<h1>Dashboards</h1><img src=/picture.png>"})


@asynccontextmanager
async def application() -> AsyncIterator[tuple[str, Application]]:
    """An application; yields its address, too."""
    app = Application()
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None, access_log=False))
    task = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110 - it knows no event
        await asyncio.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()
    yield f"{host}:{port}", app
    server.should_exit = True
    await task


def nginx(sites: Mapping[str, str], home: Path, port: int) -> list[str]:
    """Configure nginx with the file of each host; returns the command to run it."""
    listens = {"listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;"}
    (home / "countersign.conf").write_text("\n".join(replaced(site, listens) for site in sites.values()))
    user = "user root root;" if os.geteuid() == 0 else ""
    (home / "nginx.conf").write_text(NGINX.format(home=home, user=user))
    return [str(found("nginx")), "-p", str(home), "-e", "stderr", "-c", str(home / "nginx.conf")]


def caddy(sites: Mapping[str, str], home: Path, port: int) -> list[str]:
    """The same for Caddy."""
    own = [replaced(site, {f"\n{host} {{": f"\nhttps://{host}:{port} {{"}) for host, site in sites.items()]
    # As docs/http.md tells an operator to write it.
    options = replaced("{\n" + ADMIN + "}\n", own_socket(home))
    (home / "Caddyfile").write_text("\n".join([options, *own]))
    return [str(found("caddy")), "run", "--config", str(home / "Caddyfile"), "--adapter", "caddyfile"]


PROXIES: dict[str, Callable[[Mapping[str, str], Path, int], list[str]]] = {"nginx": nginx, "caddy": caddy}
# For tests in which the portal and the gate service matter more than the proxy; test_http_relay.py always has both.
ONE_PROXY_OR_BOTH = ["nginx", pytest.param("caddy", marks=pytest.mark.whole)]


def _command(
    name: str, config: GateConfig, relay: bool, tokens: Mapping[str, str], home: Path, port: int, *files: str
) -> list[str]:
    """The command to run the proxy with the files installed for it, tokens, and its certificate and key (`files`)."""
    headers, sites = dict[str, str](), dict[str, str]()
    for one in proxy_files(name, config, relay):
        if one.path.suffix == ".headers":
            own = home / one.path.name
            own.write_text(replaced(one.text, {"cs_0123456789ab_...": tokens[one.path.stem]}))
            headers[one.path.stem] = str(own)
        else:
            host, folder = one.path.stem, one.path.parent
            keys = Path("/etc/ssl/private") if name == "nginx" else folder
            pems = Path("/etc/ssl") if name == "nginx" else folder
            places = (f"{folder}/{DEVICES[host]}.headers", f"{pems}/{host}.pem", f"{keys}/{host}.key")
            sites[host] = replaced(one.text, dict(zip(places, (headers[DEVICES[host]], *files), strict=True)))
    return PROXIES[name](sites, home, port)


def _config(application: str, portal: str, relay: Path | None) -> GateConfig:
    """The gate.toml for the applications, which are all the same. `relay` is the folder with the relay's sockets."""
    address, _, port = application.rpartition(":")
    target = Target(address=address, ports={"http": int(port)})
    http = HttpSection(proxy_user=getpass.getuser(), portal=portal, applications=DEVICES)
    if relay:
        http.folder = relay
    devices = dict.fromkeys(DEVICES.values(), target)
    return GateConfig(url=f"http://{portal}", token_file=Path("none"), devices=devices, http=http)


@dataclass
class Scene:
    """Applications behind a proxy that asks a portal. It answers at `proxy`; `authority` issued its certificate."""

    site: Site
    application: Application
    proxy: str
    certificate: str
    folder: Path
    authority: str

    @property
    def port(self) -> int:
        """The proxy's port."""
        return urlsplit(self.proxy).port or 443

    @property
    def app(self) -> str:
        """The application's address, for a browser that can resolve its name."""
        return f"https://{HOST}:{self.port}"

    async def get(
        self, path: str, cookies: Mapping[str, str] | None = None, headers: Any = PAGE, host: str = HOST, **options: Any
    ) -> httpx.Response:
        """What a client gets from the application's host."""
        context = ssl.create_default_context(cadata=self.certificate)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        given = list(headers.items() if isinstance(headers, Mapping) else headers)
        if cookies:
            given.append(("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())))
        async with httpx.AsyncClient(base_url=self.proxy, verify=context, trust_env=False, timeout=60) as client:
            return await client.request(
                options.pop("method", "GET"),
                path,
                headers=[("Host", f"{host}:{self.port}"), *given],
                extensions={"sni_hostname": host},
                **options,
            )

    async def portal(self, person: str, address: str) -> httpx.Response:
        """What the portal answers to somebody's browser that is signed in there."""
        cookie = await asyncio.to_thread(self.site.session, person)
        async with plain_client(timeout=60) as client:
            return await client.get(address, headers={"Cookie": f"session={cookie}"})

    async def started(self, host: str = HOST, to: str = "/") -> tuple[str, str]:
        """The portal's page that a browser is redirected to, and the secret that the browser gets."""
        reply = await self.get("/.countersign/start", params={"to": to}, host=host)
        assert reply.status_code == 303, reply.text
        return reply.headers["Location"], cookie_of(reply, BROWSER)

    async def coming_back(self, person: str, host: str = HOST, to: str = "/") -> tuple[str, str]:
        """The path and query that somebody with a grant is sent back to, and their browser's secret."""
        address, secret = await self.started(host, to)
        page = await self.portal(person, address)
        found = re.fullmatch(r"0; url=https://[^/]*(/.*)", page.headers.get("Refresh", ""))
        assert found, page.text
        return found[1], secret

    async def opened(self, person: str, host: str = HOST) -> dict[str, str]:
        """The cookies of a browser in which somebody with a grant has opened an application."""
        back, secret = await self.coming_back(person, host)
        reply = await self.get(back, {BROWSER: secret}, host=host)
        assert reply.status_code == 303, reply.text
        return {BROWSER: secret, COOKIE: cookie_of(reply, COOKIE)}

    @asynccontextmanager
    async def granted(self, person: str, host: str = HOST, **more: object) -> AsyncIterator[int]:
        """Have grace approve a request of somebody; yields its number, and revokes its grant at the end."""
        body = {"device": DEVICES[host], "protocol": "http", "source_address": "127.0.0.1", **more}
        portal = self.site.portal
        if person not in portal.tokens:
            portal.tokens[person] = TokenActions(self.site.store).create(Owner(kind="person", name=person), "tests")
        number: int = (await portal.post(person, "/requests", body)).json()["approval_id"]
        reply = await portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve"})
        assert reply.status_code == 200, reply.text
        try:
            yield number
        finally:
            await self.revoked(number)

    async def revoked(self, number: int) -> None:
        """Revoke a request's grant, if it lasts."""
        await self.site.portal.post("grace", f"/requests/{number}/revoke", {"reason": "Enough."})


def cookie_of(reply: httpx.Response, name: str) -> str:
    """The value of a cookie that the reply sets, with the attributes that it must have."""
    jar: SimpleCookie = SimpleCookie()
    for one in reply.headers.get_list("set-cookie"):
        jar.load(one)
    assert jar[name]["secure"], reply.headers
    assert jar[name]["httponly"], reply.headers
    assert (jar[name]["path"], jar[name]["samesite"].lower(), jar[name]["domain"]) == ("/", "lax", "")
    return str(jar[name].value)


@asynccontextmanager
async def behind(name: str, site: Site, folder: Path, relay: Path | None = None) -> AsyncIterator[Scene]:
    """Applications behind this proxy, which asks the portal of an installation with APPLICATIONS as its policy.

    `relay` is the folder with the sockets of the relay between them, if there is one.
    """
    tokens = {
        device: TokenActions(site.store).create(
            Owner(kind="gateway", name=f"{name}-{host}", targets=[device], variants=["http"]), "tests"
        )
        for host, device in DEVICES.items()
    }
    authority = Authority("Servers")
    server = authority.issue(HOST, [SERVER], [HOST, OTHER])
    files = folder / "server.pem", folder / "server.key"
    for file, text in zip(files, (server.pem, server.key_pem), strict=True):
        file.write_text(text)
    async with application() as (where, app):

        def command(home: Path, port: int, portal: str, *own: str) -> list[str]:
            return _command(name, _config(where, portal, relay), relay is not None, tokens, home, port, *own)

        with running(name, folder, site.url, str(files[0]), str(files[1]), {name: command}) as url:
            yield Scene(site, app, url, server.pem, folder, authority.pem)
