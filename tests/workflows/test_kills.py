"""Worker, portal, Temporal, mail server and PostgreSQL are killed at chosen moments while people ask and answer.

Nothing is lost and nothing is doubled: `kills/invariants.py` is the table of what must hold, `kills/moments.py` that of
the moments. The seed is printed. New rounds are begun for `COUNTERSIGN_TEST_KILLS` minutes on each database;
`COUNTERSIGN_TEST_SEED` is the seed to repeat.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from engine.policy import apply_policy
from sandbox.postgres import NoPostgres
from store import Store
from tests.postgres import KillablePostgres, killable_postgres
from tests.workflows.kills.patience import SETTLED_SECONDS
from tests.workflows.kills.people import People
from tests.workflows.kills.round import Round, report, the_policy
from tests.workflows.processes import Processes

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECONDS = 60 * float(os.environ.get("COUNTERSIGN_TEST_KILLS", "0"))
# Whoever sets how long it may go on wants it to run.
WHEN = [] if SECONDS else [pytest.mark.whole]
SEED = int(os.environ.get("COUNTERSIGN_TEST_SEED") or random.randrange(2**32))
ROUND_SECONDS = 75.0
HTTP_SECONDS = 120.0


@contextmanager
def database(kind: str, folder: Path) -> Iterator[tuple[str, KillablePostgres | None]]:
    """The address of an empty database, and its server, if it has one."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'countersign.db'}", None
        return
    try:
        with killable_postgres() as server:
            yield server.cluster.url(), server
    except NoPostgres as error:
        pytest.skip(str(error))


@pytest.mark.skipif("TEMPORAL_ADDRESS" in os.environ, reason="somebody else's Temporal is not killed")
@pytest.mark.no_cover
@pytest.mark.timeout(SECONDS + ROUND_SECONDS + 4 * SETTLED_SECONDS)
@pytest.mark.parametrize("kind", [pytest.param(kind, marks=WHEN) for kind in ("sqlite", "postgresql")])
async def test_kills_at_chosen_moments_lose_nothing_and_double_nothing(kind: str, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    with database(kind, tmp_path) as (url, postgres):
        store = Store(url)
        try:
            apply_policy(store, the_policy(rounds=1 + int(SECONDS / ROUND_SECONDS)), "ada")
            async with (
                Processes(tmp_path, url, postgres) as processes,
                httpx.AsyncClient(base_url=processes.portal_url, timeout=HTTP_SECONDS) as http,
            ):
                people = People(processes, store, http)
                over, number = time.monotonic() + SECONDS, 0
                while number == 0 or time.monotonic() < over:
                    played = Round(number, SEED, processes, store, people)
                    broken = await played.play()
                    assert not broken, report(broken, played, SEED, kind)
                    number += 1
                assert "Nondeterminism" not in processes.log("worker").read_text()
        finally:
            store.close()
