"""The scenes on the portal's pages: signing in by a mailed link, approving with a comment, giving a grant back."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from countersign.kinds.connection import ConnectionProtocol
from countersign.models import GrantStatus
from sandbox.browser import Browser, Page
from sandbox.demo.scenes import Play, Scene, approved
from sandbox.demo.screen import SceneResult
from sandbox.demo.steps import must, step
from sandbox.people import NoSuchMail, text_of

LINK = re.compile(r"http://\S+/sign-in/\S+")
MAIL_SECONDS, LOOK_AGAIN_SECONDS = 30.0, 0.2
OPENING = (
    "On a page, beside mail",
    "Each mail links to a page of its request, and the link decides nothing. Who wants to answer there signs in by a "
    "link that is mailed.",
)


class Reader:
    """Somebody on the portal's pages, with a browser without JavaScript."""

    def __init__(self, play: Play, person: str) -> None:
        self.play = play
        self.person = person
        self.name = person.capitalize()
        self.browser = Browser()

    async def sign_in(self, address: str) -> Page:
        """Open an address, sign in on the way to it, and arrive."""
        with step(f"{self.name} signs in"):
            first = await self.browser.open(address)
            must(first.heading == "Sign in", f"{self.name} is shown “{first.heading}”, and has not signed in")
            before = await asyncio.to_thread(self._links)
            await self.browser.press(first, "Send me a link", email=f"{self.person}@example.test")
            self.play.screen.does("page", self.name, "opens the page, is asked to sign in, and has a link mailed")
            opened = await self.browser.open(await self._next_link(len(before)))
            arrived = await self.browser.press(opened, "Sign in")
        self.play.screen.does("page", self.name, f"opens the link, presses [ Sign in ], and reads “{arrived.heading}”")
        return arrived

    async def press(self, page: Page, button: str, **fields: str) -> Page:
        """Fill in the fields and press a button."""
        typed = " and ".join(f"“{text}”" for text in fields.values())
        with step(f"{self.name} presses “{button}”"):
            shown = await self.browser.press(page, button, **fields)
        must(shown.status == 200, f"{self.name} pressed “{button}”, and was told: {shown.text}")
        action = f"types {typed} and presses [ {button} ]" if typed else f"presses [ {button} ]"
        self.play.screen.does("page", self.name, action)
        return shown

    async def _next_link(self, after: int) -> str:
        deadline = time.monotonic() + MAIL_SECONDS
        while len(links := await asyncio.to_thread(self._links)) <= after:
            if time.monotonic() > deadline:
                raise NoSuchMail(f"{self.name} got no link to sign in by.")
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        return links[-1]

    def _links(self) -> list[str]:
        mails = self.play.stage.person(self.person).inbox()
        return [found[0] for mail in mails if (found := LINK.search(text_of(mail)))]


async def open_portal(play: Play) -> None:
    """Start the portal."""
    with play.screen.waiting() as waiting:
        waiting.tell("starting the portal")
        pid = await play.stage.portal.start()
    play.screen.aside(f"The portal runs, as process {pid}.")


async def by_a_page(play: Play) -> SceneResult:
    """Approved with a comment on the page that the mail links to."""
    comment = "Only the dump, please."
    request = await play.ask("alice", "web-1", ConnectionProtocol.SFTP, "Fetch the crash dump")
    await request.record("opened alice", "level_started countersign", "noticed grace")
    link = f"{play.stage.portal_url}/requests/{request.approval_id}"
    must(link in text_of(await request.mail("grace", "asks to connect")), f"Grace's mail does not link to {link}")
    async with _reader(play, "grace") as grace:
        page = await grace.sign_in(link)
        must("Fetch the crash dump" in page.text, f"the page of {request.number} does not say why")
        page = await grace.press(page, "Approve", comment=comment)
        await request.record("answered grace", "approved grace", "granted alice", "noticed alice", "noticed grace")
    play.screen.excerpt(await request.mail("alice", comment))
    return await approved(play, request, "grace", showed="On the page, with a comment")


async def given_back(play: Play) -> SceneResult:
    """Somebody who no longer needs a grant gives it back."""
    request = play.requests[-1]
    async with _reader(play, "alice") as alice:
        page = await alice.sign_in(f"{play.stage.portal_url}/requests/{request.approval_id}")
        await alice.press(page, "Give it back", reason="Done")
        await request.record("grant_ended alice", "noticed alice")
    grant = request.view().grant
    must(grant is not None and grant.status is GrantStatus.ENDED, f"the grant of {request.number} is {grant}")
    play.screen.outcome("Ended", f"The grant of {request.number} is over: Alice would have to ask again")
    return SceneResult("", request.number, "Ended", "Given back before its time")


@asynccontextmanager
async def _reader(play: Play, person: str) -> AsyncIterator[Reader]:
    reader = Reader(play, person)
    try:
        yield reader
    finally:
        await reader.browser.close()


SCENES: list[tuple[str, str, Scene]] = [
    ("Approved on a page", "Grace opens the link in her mail, on a phone without JavaScript.", by_a_page),
    ("Given back", "Alice has the dump, and no longer needs to connect.", given_back),
]
