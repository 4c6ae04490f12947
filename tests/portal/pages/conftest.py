"""A portal whose pages are opened by a real browser, with a worker, a mail server and its people behind it."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

import worker
from engine.credentials.tokens import TokenActions
from engine.heartbeat import living_workers
from engine.policy import apply_policy
from portal.__main__ import plan
from portal.app import create_app
from portal.server import Server
from sandbox.mail_server import MailServer
from sandbox.people import Person, text_of
from sandbox.temporal_server import free_port
from settings import Settings
from store import Store, sessions
from store.tokens import Owner
from tests.databases import new_sqlite
from tests.portal.context import MARK, POLICY, Portal, serving, until
from tests.workflows.deployment import new_namespace
from tests.workflows.sandboxed import sandboxed

# The headless shell, which has no windows, takes a fifth of the processor time.
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium") or ""
# How long a page may take on a machine that is busy with other tests.
BUSY_MS = 120_000
JUST_NOW = timedelta(0)
expect.set_options(timeout=BUSY_MS)
LINK = re.compile(r"http://\S+/sign-in/\S+")


@dataclass
class Site:
    """The portal as a person with a browser meets it."""

    url: str
    portal: Portal
    store: Store
    mail: MailServer
    browser: Browser | None = None
    open: list[BrowserContext] = field(default_factory=list)

    async def page(self, **options: object) -> Page:
        """A page of a fresh browser, which has no cookies."""
        assert self.browser is not None
        context = await self.browser.new_context(**{"base_url": self.url} | options)  # type: ignore[arg-type]
        context.set_default_timeout(BUSY_MS)
        self.open.append(context)
        return await context.new_page()

    async def link_for(self, person: str, at_least: int = 1) -> str:
        """The newest sign-in link that was mailed to somebody, once there are `at_least` links."""
        async with asyncio.timeout(60):
            while True:
                mails = await asyncio.to_thread(Person(person, self.mail.smtp_port, self.mail.imap_port).inbox)
                links = [found[0] for mail in mails if (found := LINK.search(text_of(mail)))]
                if len(links) >= at_least:
                    return links[-1]
                await asyncio.sleep(0.05)

    async def mails_of(self, person: str) -> list[str]:
        """The texts of all mails that somebody got, with their subjects."""
        mails = await asyncio.to_thread(Person(person, self.mail.smtp_port, self.mail.imap_port).inbox)
        return [f"{mail['Subject']}\n{text_of(mail)}" for mail in mails]

    async def links_of(self, person: str) -> int:
        """How many links were mailed to somebody so far."""
        mails = await asyncio.to_thread(Person(person, self.mail.smtp_port, self.mail.imap_port).inbox)
        return sum(bool(LINK.search(text_of(mail))) for mail in mails)

    async def signed_in(self, person: str, go_to: str = "/", ago: timedelta = JUST_NOW, **options: object) -> Page:
        """A page of somebody who signed in this long ago."""
        page = await self.page(**options)
        cookie = await asyncio.to_thread(self.session, person, ago)
        await page.context.add_cookies([{"name": "session", "value": cookie, "url": self.url}])
        await page.goto(go_to)
        return page

    def session(self, person: str, ago: timedelta = JUST_NOW) -> str:
        """The cookie of a session of somebody's that began this long ago."""
        now = datetime.now(UTC) - ago
        row = {"person": person, "signed_in_by": "email link", "browser": "A test", "source_address": "127.0.0.1"}
        times = {"started_at": now, "confirmed_at": now, "ends_at": now + timedelta(hours=1)}
        with self.store.database.transaction() as connection:
            return sessions.start(connection, row | times)

    async def signed_in_by_link(self, person: str, go_to: str = "/") -> Page:
        """A page of somebody who signs in with a mailed link."""
        page = await self.page()
        before = await self.links_of(person)
        await page.goto(go_to)
        await page.get_by_label("Mail address").fill(f"{person}@example.test")
        await page.get_by_role("button", name="Send me a link").click()
        await page.goto(await self.link_for(person, before + 1))
        await page.get_by_role("button", name="Sign in").click()
        return page


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium; as root it runs only without its sandbox."""
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        await found.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A browser for the whole session."""
    if not CHROMIUM:
        pytest.skip("Chromium is not installed (Debian's package is chromium-headless-shell)")
    async with chromium() as found:
        yield found


@asynccontextmanager
async def installed(temporal_address: str, folder: Path, policy: str = POLICY) -> AsyncIterator[Site]:
    """An installation with everything on."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with MailServer() as server:
        settings = Settings(
            TEMPORAL_ADDRESS=temporal_address,
            # Its devices have the same names as those of the API's tests, which use the same server.
            TEMPORAL_NAMESPACE=await new_namespace(temporal_address),
            database_url=new_sqlite(folder / "countersign.db"),
            task_queue=f"pages-{MARK}",
            portal_port=port,
            public_url=url,
            rdp_gate="rdp.example.test",
            instance_name="Access at Example",
            requests_an_hour=0,
            refusals_an_hour=0,
            mail_keys=f"a1:{MARK * 4}",
            mail_sender="approvals@example.test",
            smtp_host=server.host,
            smtp_port=server.smtp_port,
            smtp_security="none",
            smtp_username="countersign",
            smtp_password=server.password,
            oidc_issuer="https://login.example.test",
            oidc_client_id="countersign",
        )
        store = Store(settings.database_url)
        apply_policy(store, policy, "ada")
        stop = asyncio.Event()
        work = asyncio.create_task(worker.run(settings, stop, runner=sandboxed()))
        async with serving(Server(create_app(plan(settings)), settings.portal_host, port)) as where:
            await until(lambda: work.done() or bool(living_workers(store, settings.task_queue)))
            api = Portal(where)
            api.store = store
            for person in ("alice", "grace"):
                api.tokens[person] = TokenActions(store).create(Owner(kind="person", name=person), "tests")
            yield Site(where, api, store, server)
            await api.aclose()
        stop.set()
        await work
        store.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def installation(temporal_address: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """An installation for the whole session."""
    async with installed(temporal_address, tmp_path_factory.mktemp("pages")) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def site(installation: Site, browser: Browser) -> AsyncIterator[Site]:
    """The same with a browser; what a test opens in it is closed after it."""
    installation.browser = browser
    yield installation
    installation.mail.forget_mail_of_people()
    for context in installation.open:
        with suppress(Exception):
            await context.close()
    installation.open.clear()
