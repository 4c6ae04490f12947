"""Requests that changed, read and rendered once for all readers."""

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from countersign.errors import Unavailable
from countersign.views import AuditEventView, RequestView
from portal.changes import Changes, FoundBy


def event(version: int) -> AuditEventView:
    return AuditEventView(
        version=version,
        approval_id=1001,
        kind="answered",
        at=datetime.now(UTC),
        who="grace",
        channel="email",
        detail="",
    )


async def test_a_change_is_read_and_rendered_once_for_all_readers() -> None:
    read: list[int] = []
    rendered: list[int] = []

    async def read_request(approval_id: int) -> tuple[RequestView, FoundBy]:
        read.append(approval_id)
        await asyncio.sleep(0)
        return cast(RequestView, object()), {}

    def render() -> str:
        rendered.append(len(read))
        return f"line {len(read)}"

    changes = Changes(read_request)
    shown: list[Any] = await asyncio.gather(*(changes.after(event(7)) for _ in range(500)))
    assert {one.line("", render) for one in shown} == {"line 1"}
    assert (await changes.after(event(8))).line("", render) == "line 2"
    assert shown[0].line("reject", render) == "line 2"  # a reader who is shown something else
    assert read == [1001, 1001]
    assert rendered == [1, 2, 2]


async def test_a_read_that_failed_is_made_again() -> None:
    fails, view = [Unavailable("the database is away")], cast(RequestView, object())

    async def read_request(approval_id: int) -> tuple[RequestView, FoundBy]:
        if fails:
            raise fails.pop()
        return view, {}

    changes = Changes(read_request)
    with pytest.raises(Unavailable):
        await changes.after(event(7))
    assert (await changes.after(event(7))).request is view
