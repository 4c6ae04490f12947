"""Tests whose Temporal server breaks at first; `test_temporal_restart.py` runs them."""

from __future__ import annotations

from tests.temporal_servers import SERVERS

USED: list[str] = []


def test_the_server_is_broken_at_first(temporal_address: str) -> None:
    USED.append(temporal_address)
    if len(USED) == 1:
        SERVERS[temporal_address].kill()
        raise AssertionError("the server is broken")


def test_the_next_one_uses_the_new_server(temporal_address: str) -> None:
    assert USED[1:] == [temporal_address]
    assert SERVERS[temporal_address].works()
