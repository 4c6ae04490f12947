"""The IMAP servers for the watcher's tests; without Dovecot, its half is skipped with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.dovecot import WHY_NOT, Account, Dovecot, dovecot_binary
from tests.notifiers.email.memory_ledger import MemoryLedger
from tests.notifiers.email.servers import Sandbox, Server

_numbers = count(1)


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """One Dovecot for all; each test has an account of its own on it."""
    if dovecot_binary() is None:
        pytest.skip(WHY_NOT)
    with Dovecot() as server:
        yield server


@pytest.fixture
def account(dovecot: Dovecot) -> Account:
    """A new, empty account on Dovecot."""
    return Account(dovecot, f"countersign{next(_numbers)}")


@pytest.fixture(params=["sandbox", "dovecot"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A new, empty account, once on the sandbox's server and once on Dovecot."""
    if request.param == "dovecot":
        yield request.getfixturevalue("account")
        return
    with Sandbox() as running:
        yield running


@pytest.fixture
def ledger() -> MemoryLedger:
    """A ledger that knows nothing yet."""
    return MemoryLedger()
