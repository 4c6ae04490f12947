"""Which logins of a host the gate asks about."""

from __future__ import annotations

import asyncio
import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from countersign.gates.access import Access
from countersign.gates.accounts import MOST_AT_ONCE, Accounts
from countersign.gates.logins import HostLogins, PamQuestion, PamSection
from countersign.http import Api


@pytest.mark.parametrize("caller", ["rescue", "root"])
async def test_a_directory_of_accounts_that_hangs_keeps_nobody_out_who_is_not_asked_about(
    tmp_path: Path, caller: str
) -> None:
    accounts, answers = Accounts(), threading.Event()
    looks = [asyncio.create_task(accounts(answers.wait)) for _ in range(MOST_AT_ONCE)]
    await asyncio.sleep(0)  # so that all of them have begun
    try:
        with Api("http://127.0.0.1:1", "cs_secret") as api:
            section = PamSection(device="web-1", exempt=["rescue"])
            logins = HostLogins(Access(api, 1.0, 1.0), section, timedelta(seconds=1), tmp_path, accounts)
            asked = PamQuestion(gate="pam", type="account", service="sudo", user="root", ruser=caller, pid=os.getpid())
            assert await logins.identify(asked) is None
    finally:
        answers.set()
        await asyncio.gather(*looks)
