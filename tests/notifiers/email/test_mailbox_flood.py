"""A flood of mails is read in batches, in order, each once."""

from __future__ import annotations

import pytest

from tests.notifiers.email.memory_ledger import MemoryLedger
from tests.notifiers.email.servers import Server, mails_in
from tests.notifiers.email.watching import Watching, mailbox_on

SECONDS = 900


@pytest.mark.no_cover
@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("mails", [1000, pytest.param(10_000, marks=pytest.mark.whole)])
def test_a_flood_is_read_in_order_while_more_comes_in(mails: int, server: Server, ledger: MemoryLedger) -> None:
    bodies = [f"mail {number}".encode() for number in range(mails)]
    half = mails // 2
    for body in bodies[:half]:
        server.deliver(b"Subject: flood\r\n\r\n" + body)
    with Watching(mailbox_on(server, network_seconds=20), ledger, seconds=SECONDS) as watching:
        for body in bodies[half:]:
            server.deliver(b"Subject: flood\r\n\r\n" + body)
        watching.until_handled(*bodies)
        watching.until_read_through()
    assert watching.bodies[:half] == bodies[:half]
    assert mails_in(server, "INBOX") == []
    assert sorted(mails_in(server, "Countersign/Done")) == sorted(bodies)
