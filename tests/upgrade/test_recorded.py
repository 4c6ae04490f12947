"""The database and the open workflows of each earlier release, under the code of this one."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import JSON, Boolean, Connection, DateTime, MetaData, create_engine, make_url, text
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

import worker
from countersign.client.library import DATA_CONVERTER
from sandbox.mail_server import MailServer
from sandbox.temporal_server import HOST, TemporalServer, free_port
from tests.upgrade.installation import ROOT, Installation, until
from tests.upgrade.record import RELEASES, unfolded

DAY = re.compile(r"\b20\d\d-\d\d-\d\d(?=\b|T)")
NAMES = sorted(folder.name for folder in RELEASES.iterdir())
MACHINE = re.compile(r"/(bin|etc|home|opt|root|tmp|usr|var|work|Users)/|[A-Z]:\\|\d+@(?!example)")


@dataclass(frozen=True)
class Recorded:
    """What tests/upgrade/record.py recorded of a release, with its days moved as if that had been yesterday."""

    folder: Path

    @property
    def about(self) -> dict[str, Any]:
        """The commit, the day, the tokens and the workflows."""
        found: dict[str, Any] = json.loads((self.folder / "release.json").read_text())
        return found

    @property
    def sql(self) -> str:
        """The database."""
        return self._moved("database.sql")

    @property
    def answers(self) -> dict[str, Any]:
        """What its API answered, by the caller and the path."""
        return unfolded(json.loads(self._moved("answers.json")))

    def _moved(self, name: str) -> str:
        days = datetime.now(UTC).date() - date.fromisoformat(self.about["day"]) - timedelta(days=1)
        return DAY.sub(lambda found: str(date.fromisoformat(found[0]) + days), (self.folder / name).read_text())


@pytest.fixture(params=NAMES)
def recorded(request: pytest.FixtureRequest) -> Recorded:
    """Each release that was recorded."""
    return Recorded(RELEASES / request.param)


@pytest.fixture
def old_database(recorded: Recorded, empty_database_url: str, tmp_path: Path) -> str:
    """The recorded database as that release left it, in SQLite and in PostgreSQL."""
    url = empty_database_url
    file = Path(make_url(url).database or "") if url.startswith("sqlite") else tmp_path / "old.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(recorded.sql)
    if not url.startswith("sqlite"):
        copy(file, url)
    return url


def copy(file: Path, url: str) -> None:
    """Copy an SQLite database, of whatever release, into an empty PostgreSQL database."""
    with closing(sqlite3.connect(file)) as old:
        old.row_factory = sqlite3.Row
        [[revision]] = old.execute("SELECT version_num FROM alembic_version")
        engine = create_engine(url)
        with engine.begin() as new:
            make_tables(new, revision)
            copy_rows(old, new)
        engine.dispose()


def make_tables(new: Connection, revision: str) -> None:
    """Make the tables of a revision, by the migrations that led to it."""
    [migrations] = [file.parent for file in ROOT.glob("*/**/env.py") if (file.parent / "versions").is_dir()]
    settings = Config()
    settings.set_main_option("script_location", str(migrations))
    settings.set_main_option("path_separator", "os")
    settings.attributes["connection"] = new
    command.upgrade(settings, revision)


def copy_rows(old: sqlite3.Connection, new: Connection) -> None:
    """Copy all rows, and have PostgreSQL continue from the highest number that SQLite gave out."""
    tables = MetaData()
    tables.reflect(new)
    for table in tables.sorted_tables:
        new.execute(table.delete())
        for row in old.execute(f"SELECT * FROM {table.name}"):
            values = {column.name: of_type(column.type, row[column.name]) for column in table.columns}
            new.execute(table.insert().values(values))
    for name, number in old.execute("SELECT name, seq FROM sqlite_sequence"):
        [key] = tables.tables[name].primary_key
        new.execute(text(f"SELECT setval(pg_get_serial_sequence('{name}', '{key.name}'), {number})"))


def of_type(kind: object, value: Any) -> Any:
    """A value from SQLite, converted for a column of PostgreSQL."""
    if value is None:
        return None
    if isinstance(kind, JSON):
        return json.loads(value)
    if isinstance(kind, Boolean):
        return bool(value)
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(kind, DateTime) else value


@asynccontextmanager
async def upgraded(recorded: Recorded, url: str, temporal: str, folder: Path) -> AsyncIterator[Installation]:
    """An installation on this database, with its people's tokens; nothing runs yet."""
    async with MailServer() as mail, Installation(folder, url, temporal, mail) as here:
        here.tokens.update(recorded.about["tokens"])
        yield here


def must_show(now: Any, before: Any, where: str) -> None:
    """What is shown now is what was shown before; it may have more fields."""
    if isinstance(before, dict):
        for key, value in before.items():
            assert key in now, f"{where} has no {key} any more"
            must_show(now[key], value, f"{where} {key}")
    elif isinstance(before, list):
        assert len(now) == len(before), where
        for number, (one, other) in enumerate(zip(now, before, strict=True)):
            must_show(one, other, f"{where} [{number}]")
    else:
        assert now == before, where


async def test_the_api_shows_what_it_showed_before(recorded: Recorded, old_database: str, tmp_path: Path) -> None:
    nowhere = f"{HOST}:{free_port()}"
    async with upgraded(recorded, old_database, nowhere, tmp_path) as here:
        await here.start(ROOT, "portal")
        for asked, before in recorded.answers.items():
            who, path = asked.split(" ", 1)
            must_show(await here.get(who, path), before, asked)
        await here.stop("portal")
        assert "Traceback" not in here.log("portal").read_text()


@pytest.mark.whole
@pytest.mark.skipif("TEMPORAL_ADDRESS" in os.environ, reason="the server has to be a new one")
async def test_what_is_left_is_finished_although_temporal_lost_it(
    recorded: Recorded, old_database: str, tmp_path: Path
) -> None:
    """As after a loss of Temporal's own database (docs/running.md): what waits is settled, grants can be revoked."""
    before = {one["approval_id"]: one for one in recorded.answers["ada /requests?limit=200"]}
    async with (
        TemporalServer() as temporal,
        upgraded(recorded, old_database, temporal.address, tmp_path) as here,
    ):
        await here.start(ROOT, "worker", "portal")
        for number, view in before.items():
            if view["status"] == "Waiting":
                now = await here.reaches(number, status="Cancelled")
                assert [one["person"] for one in now["decisions"]] == [one["person"] for one in view["decisions"]]
                await until(lambda: has_mail(here, view["question"]["requester"], number), f"a mail about #{number}")  # noqa: B023
            elif (view["grant"] or {}).get("status") == "Active":
                lasts = datetime.fromisoformat(view["grant"]["ends_at"]) > datetime.now(UTC)
                if lasts:
                    await here.do("ada", "revoke", number, words="after the upgrade")
                await here.reaches(number, grant__status="Revoked" if lasts else "Ended")
            else:  # nothing changes, though somebody who could not be told before may be told now
                settled = {key: view[key] for key in ("status", "words", "decisions", "grant")}
                must_show(await here.view(number), settled, f"#{number}")
        assert await here.ask("alice", "web-1") == max(before) + 1
        await here.stop("worker", "portal")
        assert "Traceback" not in here.log("worker").read_text()


async def has_mail(here: Installation, person: str, number: int) -> bool:
    """Whether there is a mail to somebody about a request."""
    return any(str(one["Subject"]).endswith(f"#{number}") for one in await here.inbox(person))


def histories() -> list[tuple[str, str]]:
    """Each release, and each file with a history of it."""
    return [(name, file) for name in NAMES for file in Recorded(RELEASES / name).about["workflows"]]


@pytest.mark.parametrize(("release", "file"), histories())
async def test_an_open_workflow_goes_on(release: str, file: str) -> None:
    recorded = Recorded(RELEASES / release)
    replayer = Replayer(
        workflows=worker.WORKFLOWS,
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=DATA_CONVERTER,
    )
    text = (recorded.folder / "histories" / file).read_text()
    await replayer.replay_workflow(WorkflowHistory.from_json(recorded.about["workflows"][file], text))


def test_what_is_recorded_names_no_machine(recorded: Recorded) -> None:
    files = [file for file in recorded.folder.rglob("*") if file.is_file()]
    assert files
    assert [str(file) for file in files if MACHINE.search(file.read_text())] == []
