"""Sessions and tokens over HTTP: listed in pages, and ended by those who may."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from engine.credentials.tokens import TokenActions
from store import sessions
from store.tokens import Owner, Token
from tests.portal.context import Portal, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


def made(portal: Portal, person: str, lasts: timedelta | None = None) -> Token:
    text = TokenActions(portal.store).create(Owner(kind="person", name=person), "tests", lasts, "a script")
    token = portal.store.tokens.find(text)
    assert token
    return token


def begun(portal: Portal, person: str) -> str:
    now = datetime.now(UTC)
    row = {"person": person, "signed_in_by": "link", "browser": "A test", "source_address": "127.0.0.1"}
    times = {"started_at": now, "confirmed_at": now, "ends_at": now + timedelta(hours=1)}
    with portal.store.database.transaction() as connection:
        return sessions.start(connection, row | times).partition("_")[0]


async def all_of(portal: Portal, who: str, path: str, **more: object) -> list[str]:
    """The ids of a whole list, read two at a time by the links to the next page."""
    found: list[str] = []
    reply = await portal.get(who, path, limit=2, **more)
    while True:
        assert reply.status_code == 200, reply.text
        found += [one["id"] for one in reply.json()]
        if "next" not in reply.links:
            return found
        reply = await portal.get(who, path, **dict(httpx.URL(reply.links["next"]["url"]).params))


@pytest.mark.parametrize("path", ["/tokens", "/sessions"])
async def test_a_list_holds_what_lasts_of_ones_own_newest_first_and_an_admins_everybodys(
    portal: Portal, path: str
) -> None:
    def new(person: str) -> str:
        return made(portal, person).id if path == "/tokens" else begun(portal, person)

    first, of_another, second, third, ended = [new(one) for one in ("carol", "bob", "carol", "carol", "carol")]
    assert (await portal.post("carol", f"{path}/{ended}/end")).json()["ended_at"]
    mine = await all_of(portal, "carol", path)
    assert mine[:3] == [third, second, first]
    assert not {of_another, ended} & set(mine)
    everybodys = await all_of(portal, "ada", path, everybody="true")
    assert everybodys[:4] == [third, second, of_another, first]
    assert len(set(everybodys)) == len(everybodys)


@pytest.mark.parametrize("path", ["/tokens", "/sessions"])
async def test_who_may_not_list_or_end_is_told_so(portal: Portal, path: str) -> None:
    of_grace = made(portal, "grace").id if path == "/tokens" else begun(portal, "grace")
    assert (await portal.get("alice", path, everybody="true")).json()["type"].endswith("admin-only")
    assert (await portal.get("bastion", path)).json()["type"].endswith("person-only")
    assert (await portal.post("bastion", f"{path}/{of_grace}/end")).status_code == 403
    # Nobody else may end it, neither a person nor a gateway with a person's name; nor one that doesn't exist.
    for who, which in (("alice", of_grace), ("twin", of_grace), ("alice", "x"), ("alice", "0" * 12)):
        assert (await portal.post(who, f"{path}/{which}/end")).status_code in (403, 404)
    assert of_grace in await all_of(portal, "grace", path)
    again = [await portal.post("ada", f"{path}/{of_grace}/end") for _ in range(2)]
    assert [one.status_code for one in again] == [200, 200]
    assert of_grace not in await all_of(portal, "grace", path)


async def test_a_list_goes_on_behind_no_row_that_there_is_not(portal: Portal) -> None:
    assert (await portal.get("ada", "/tokens", before="nothing")).json() == []
    assert (await portal.get("ada", "/sessions", before="nothing", everybody="true")).json() == []


async def test_no_secret_is_listed(portal: Portal) -> None:
    text = (await portal.get("ada", "/tokens", everybody="true", limit=200)).text
    assert not [one for one in portal.tokens.values() if one.rpartition("_")[2] in text]


async def test_the_use_of_a_token_is_written_once_a_minute(portal: Portal) -> None:
    token = TokenActions(portal.store).create(Owner(kind="person", name="carol"), "tests")
    client = portal.client("nobody")

    async def used() -> datetime | None:
        found = portal.store.tokens.find(token)
        assert found
        return found.used_at

    assert await used() is None
    before = datetime.now(UTC)
    for _ in range(3):
        reply = await client.get("/me", headers={"Authorization": f"Bearer {token}"})
        assert reply.status_code == 200
    found = portal.store.tokens.find(token)
    assert found
    await until(lambda: any(one.used_at for one in portal.store.tokens.newest() if one.id == found.id))
    first = await used()
    assert first
    assert first >= before
    # Another portal may not know of that use.
    TokenActions(portal.store).note_use(found.id, now=first + timedelta(seconds=59))
    assert await used() == first
    TokenActions(portal.store).note_use(found.id, now=first + timedelta(seconds=60))
    assert await used() == first + timedelta(seconds=60)


async def test_a_token_is_refused_after_its_end(portal: Portal) -> None:
    token = TokenActions(portal.store).create(Owner(kind="person", name="carol"), "tests", timedelta(microseconds=1))
    reply = await portal.client("nobody").get("/me", headers={"Authorization": f"Bearer {token}"})
    assert (reply.status_code, reply.json()["type"].rpartition("/")[2]) == (401, "invalid-token")
