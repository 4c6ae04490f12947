"""A gate that can't listen says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from countersign.errors import BadQuestion
from countersign.gates.unix_sockets import listening


async def _serve(*_: object) -> None:
    raise AssertionError("nobody connects")


async def test_a_path_that_is_too_long_for_a_socket_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(BadQuestion, match=r"can't listen at .*: .*too long\. Name another place"):
        await listening(tmp_path / f"{'x' * 120}.sock", _serve, 1024)
