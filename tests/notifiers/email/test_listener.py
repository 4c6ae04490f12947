"""A listener's beat goes on while its server is away, and stops when its thread hangs."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime
from typing import cast

import pytest
from pydantic import SecretStr

from notifiers.email import listener
from notifiers.email.config import AuthenticityRule
from notifiers.email.inbound import Inbound
from notifiers.email.listener import MailboxListener
from notifiers.email.mailbox.login import Mailbox
from notifiers.email.token import KeyRing
from notifiers.engine import Engine
from sandbox.temporal_server import free_port
from tests.notifiers.email.memory_ledger import MemoryLedger

WAIT_SECONDS = 120


class Hanging(MemoryLedger):
    """A ledger in which the thread hangs until `go_on` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def looking(self, inbox: str, at: datetime) -> None:
        self.go_on.wait(WAIT_SECONDS)


async def test_it_beats_while_the_server_is_away_and_not_while_its_thread_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listener, "BEAT_SECONDS", 0.01)
    mailbox = Mailbox(
        host="127.0.0.1", port=free_port(), security="none", username="u", password=SecretStr("p"), network_seconds=0.5
    )
    ledger, beats = Hanging(), asyncio.Queue[None]()
    # As the mailbox can't be reached, the engine is never called.
    inbound = Inbound(cast(Engine, None), KeyRing([("k1", b"a secret of these tests only")]), AuthenticityRule(), [])
    listening = MailboxListener(mailbox, ledger, inbound)
    running = asyncio.create_task(listening.run(lambda: beats.put_nowait(None)))
    await asyncio.wait_for(beats.get(), WAIT_SECONDS)
    assert await falls_silent(beats)
    ledger.go_on.set()
    await asyncio.wait_for(beats.get(), WAIT_SECONDS)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, WAIT_SECONDS)


async def falls_silent(beats: asyncio.Queue[None]) -> bool:
    for _ in range(1000):
        try:
            await asyncio.wait_for(beats.get(), 2)
        except TimeoutError:
            return True
    return False
