"""What a portal remembers of whom it let pass: nothing invented, nothing of another database; and fair turns."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
from engine.credentials.application_sessions import ApplicationSessions, AtApplication
from engine.credentials.tokens import TokenActions
from engine.policy import apply_policy
from portal.app import create_app
from portal.forward_auth import check
from portal.forward_auth.check import PATH, ForwardAuth
from portal.forward_auth.proxied import COOKIE
from portal.server import Server
from store import Store, sessions
from store.tokens import Owner, hashed
from tests.databases import new_sqlite
from tests.http_clients import plain_client
from tests.portal.context import serving, until, without_temporal
from tests.portal.forward_auth.applications import APP, APPLICATIONS, HOST
from tests.store.requests import approved

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLIENTS = 200
ADDRESS, STRANGER = "192.0.2.7", "192.0.2.66"


@dataclass
class Asked:
    """A portal without a worker, as a proxy asks it; `cookie` lets alice in."""

    client: httpx.AsyncClient
    forward_auth: ForwardAuth
    store: Store
    database: Path
    token: str
    cookie: str

    async def __call__(self, host: str = HOST, cookie: str = "", address: str = ADDRESS) -> httpx.Response:
        headers = {
            "Countersign-Gateway": self.token,
            "Countersign-Device": APP,
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": host,
            "X-Forwarded-For": address,
        }
        return await self.client.get(PATH, headers=headers | ({"Cookie": f"{COOKIE}={cookie}"} if cookie else {}))


@pytest_asyncio.fixture(loop_scope="session")
async def asked(tmp_path: Path) -> AsyncIterator[Asked]:
    database = tmp_path / "countersign.db"
    url = new_sqlite(database)
    app, store = create_app(without_temporal(url)), Store(url)
    apply_policy(store, APPLICATIONS, "ada")
    token = TokenActions(store).create(Owner(kind="gateway", name="proxy", targets=[APP], variants=["http"]), "tests")
    cookie = _let_in(store)
    limits = httpx.Limits(max_connections=CLIENTS * 2)
    async with (
        serving(Server(app, "127.0.0.1", 0)) as base,
        plain_client(base_url=base, timeout=60, limits=limits) as client,
    ):
        yield Asked(client, app.state.context.forward_auth, store, database, token, cookie)
    store.close()


def _let_in(store: Store) -> str:
    question = ConnectionQuestion(
        requester="alice", device=APP, protocol=ConnectionProtocol.HTTP, source_address=ADDRESS
    )
    approved(store, **question.model_dump(exclude_defaults=True))
    now = datetime.now(UTC)
    row = {"person": "alice", "signed_in_by": "link", "browser": "test", "source_address": ADDRESS}
    times = {"started_at": now, "confirmed_at": now, "ends_at": now + timedelta(hours=1)}
    with store.database.transaction() as connection:
        session = sessions.start(connection, row | times)
    opening = ApplicationSessions(store)
    code = opening.offer(question, HOST, hashed("x"), session.partition("_")[0], timedelta(hours=1))
    return opening.begin(code, AtApplication(HOST, "x", ADDRESS))[0]


async def test_a_client_that_invents_ports_adds_nothing_to_what_is_kept(asked: Asked) -> None:
    for port in range(1, 101):
        assert (await asked(f"{HOST}:{port}")).status_code == 401
    for invented in ("123456", "1" * 8000, "+1", "-1", ""):
        assert (await asked(f"{HOST}:{invented}")).status_code == 403, invented
    assert len(asked.forward_auth._kept) == 1


@pytest.mark.parametrize("is_idle", [True, False])
async def test_an_older_database_that_was_put_in_place_lets_nobody_in_who_was_let_in_by_the_newer(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, is_idle: bool
) -> None:
    if is_idle:
        monkeypatch.setattr(check, "IDLE_SECONDS", 0.1)
    assert (await asked(cookie=asked.cookie)).status_code == 200
    await until(lambda: asked.forward_auth.feed.read_through > 1)
    assert (await asked(cookie=asked.cookie)).status_code == 200
    await until(lambda: asked.forward_auth.feed._reading.is_set() is not is_idle)
    # Make the database what it was before the request was opened.
    with closing(sqlite3.connect(asked.database)) as database:
        database.execute("DELETE FROM grants")
        database.execute("DELETE FROM events WHERE version > 1")
        database.execute("UPDATE feed SET version = 1")
        database.commit()
    async with asyncio.timeout(30):
        while (await asked(cookie=asked.cookie)).status_code == 200:  # noqa: ASYNC110 - as a browser does
            await asyncio.sleep(0.01)
        while asked.forward_auth.feed.read_through != 1:
            assert (await asked(cookie=asked.cookie)).status_code == 401
    assert (await asked(cookie=asked.cookie)).status_code == 401


async def test_a_stranger_with_many_cookies_takes_no_turn_of_others(asked: Asked) -> None:
    order: list[str] = []

    async def one(by: Asked, cookie: str, address: str, status: int) -> None:
        assert (await by(cookie=cookie, address=address)).status_code == status
        order.append(address)

    async with plain_client(base_url=asked.client.base_url, timeout=60) as client:
        alice = replace(asked, client=client)
        assert (await alice()).status_code == 401  # from here on she is connected, and only waits for her turn
        strangers = [asyncio.create_task(one(asked, f"a{n:012x}_{'0' * 64}", STRANGER, 401)) for n in range(CLIENTS)]
        await until(lambda: bool(order))
        before = len(order)
        await asyncio.gather(one(alice, asked.cookie, ADDRESS, 200), *strangers)
    waited_for = order.index(ADDRESS) - before
    print(f"let in after {waited_for} of {CLIENTS - before} strangers who waited were told no")
    assert waited_for < CLIENTS / 2
