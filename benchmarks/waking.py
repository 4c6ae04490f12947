"""From a reply's delivery to Approved, compared with a bare IDLE wake-up in the same run."""

import asyncio
import threading
import time
from collections.abc import Callable
from statistics import median

from imapclient import IMAPClient

from benchmarks.place import Deployment, Place, deployment
from countersign.models import Status
from sandbox.clients import Client as MailClient
from sandbox.clients import reply
from sandbox.mail_server import MailServer
from sandbox.mail_settings import mail_settings, new_mail_keys
from sandbox.people import Person

TURNS = 20
PATIENCE_SECONDS = 30
WATCHER_SECONDS = 1.0
POLL_SECONDS = 0.005


async def reply_to_approved(place: Place, say: Callable[[str], None]) -> dict[str, float]:
    """Medians in milliseconds."""
    async with MailServer() as mail:
        say(f"{TURNS} bare wake-ups from IDLE")
        bare = [await _bare_wake(mail) for _ in range(TURNS)]
        settings = mail_settings(mail.smtp_port, mail.imap_port, new_mail_keys())
        async with deployment(place, "waking", **settings) as running:
            await asyncio.sleep(WATCHER_SECONDS)  # the watcher connects
            say(f"{TURNS} replies by mail")
            replies = [await _reply(running, mail, n) for n in range(TURNS)]
    return {"bare IDLE wake-up, ms": median(bare), "reply delivered to Approved, ms": median(replies)}


async def _bare_wake(mail: MailServer) -> float:
    ready, woke = threading.Event(), [0.0]

    def idle() -> None:
        with IMAPClient(mail.host, mail.imap_port, ssl=False) as client:
            client.login("idler", mail.password)
            client.select_folder("INBOX")
            client.idle()
            ready.set()
            client.idle_check(timeout=PATIENCE_SECONDS)
            woke[0] = time.perf_counter()
            client.idle_done()

    idling = asyncio.create_task(asyncio.to_thread(idle))
    await asyncio.to_thread(ready.wait, PATIENCE_SECONDS)
    await asyncio.sleep(0.05)
    started = time.perf_counter()
    await mail.deliver(f"idler@{mail.domain}", b"From: grace@example.test\r\nSubject: hello\r\n\r\nhello\r\n")
    await idling
    return (woke[0] - started) * 1000


async def _reply(running: Deployment, mail: MailServer, number: int) -> float:
    approval_id = await running.ask(number)
    grace = Person("grace", mail.smtp_port, mail.imap_port)
    original = await asyncio.to_thread(grace.wait_for_mail, approval_id)
    answer = reply(original, grace.address, "Approved", MailClient.GMAIL)
    started = time.perf_counter()
    await mail.deliver(str(answer["To"]), answer.as_bytes(), sender="grace@example.test", login="grace")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await _status(running, approval_id)) is not Status.APPROVED:
            await asyncio.sleep(POLL_SECONDS)
    return (time.perf_counter() - started) * 1000


async def _status(running: Deployment, approval_id: int) -> Status:
    # In a thread: this process is the mail server, too, and must not be held up by our polling.
    view = await asyncio.to_thread(running.store.reading.request, approval_id)
    return view.status
