"""Every mail in tests/mails/judged, with all its headers, is judged as expected.toml beside them says."""

import tomllib
from pathlib import Path
from typing import Any, cast

import pytest

from countersign.models import Status
from notifiers import engine as base
from notifiers.email.inbound import Inbound
from tests.notifiers.email.test_inbound import OURS, RING, RULE, Engine

MAILS = Path(__file__).parents[2] / "mails" / "judged"
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((MAILS / "expected.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", EXPECTED)
async def test_a_mail_comes_to_what_the_table_says(name: str) -> None:
    expected = EXPECTED[name]
    status = Status.APPROVED if name.startswith("revoke") else Status.WAITING
    inbound = Inbound(cast(base.Engine, Engine(status)), RING, RULE, OURS)
    checked = (await inbound.explain((MAILS / name).read_bytes())).checked
    came_to = ("undo" if checked.undoes else checked.verdict) if checked.decides else "none"
    assert came_to == expected["decides"], (expected["shows"], checked.message)
    assert checked.decides or checked.code == expected["code"], checked.message


def test_every_mail_is_in_the_table() -> None:
    assert {path.name for path in MAILS.glob("*.eml")} == set(EXPECTED)
