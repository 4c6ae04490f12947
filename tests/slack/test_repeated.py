"""What is sent again and again and decides nothing doesn't fill the record, but every time is counted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from engine.record import WINDOW, WRITTEN_EACH, sum_up
from sandbox.slack.workspace import Json
from store.tables import repeats
from tests.local_slack.people import until_seen
from tests.slack.context import Context
from tests.slack.forge.aim import Aim, Genuine
from tests.slack.forge.families import waiting
from tests.slack.forge.sending import SECONDS, send

pytestmark = pytest.mark.asyncio(loop_scope="session")
EACH = 50


def malformed(aim: Aim) -> Json:
    """A click whose button names nothing."""
    click = aim.click()
    click["actions"] = [7]
    return click


def of_a_stranger(aim: Aim) -> Json:
    """A click of somebody in Slack whom the directory doesn't know."""
    click = aim.click()
    click["user"]["id"] = "USTRANGER"
    return click


@pytest.mark.parametrize("made", [malformed, of_a_stranger], ids=lambda made: made.__name__)
async def test_strangers_and_what_cant_be_read_have_few_rows_and_one_that_counts_the_rest(
    context: Context, genuine: Genuine, made: Callable[[Aim], Json]
) -> None:
    aim = await waiting(context, genuine)
    store = context.deployment.store
    context.count_anew()
    begun = store.events.last_version()

    def refusals() -> list[Json]:
        return [row.proof for row in store.events.since(begun) if row.kind == "answer_refused"]

    async def counted(times: int) -> bool:
        async def look() -> bool:
            with store.database.reading() as connection:
                return times in connection.execute(select(repeats.c.times)).scalars().all()

        return await until_seen(look, SECONDS)

    await send(context, made(aim))
    assert await counted(1)
    assert len(refusals()) == 1
    for _ in range(EACH - 1):
        await send(context, made(aim))
    assert await counted(EACH)
    assert len(refusals()) == WRITTEN_EACH
    sum_up(store.database, datetime.now(UTC) + WINDOW)
    assert refusals()[WRITTEN_EACH:] == [{"times": str(EACH - WRITTEN_EACH)}]
