"""Only the account that runs it may read what is kept here, even what an earlier version left open."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.kept_mail import KeptMail
from sandbox.mail_settings import kept_mail_keys
from sandbox.temporal_server import TemporalServer
from settings import Settings
from store import Store
from store.file_permissions import close_folder


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder where the defaults keep everything, with an account's usual rights for new files."""
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o022)
    yield tmp_path / "var"
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """The files and folders to which others have any rights."""
    return [str(path) for path in (folder, *folder.rglob("*")) if stat.S_IMODE(path.stat().st_mode) & 0o077]


def test_the_default_database_is_private_while_it_is_used(var: Path) -> None:
    store = Store(Settings(_env_file=None).database_url)
    store.try_to_write()
    assert {path.name for path in var.iterdir()} == {"countersign.db", "countersign.db-wal", "countersign.db-shm"}
    assert open_to_others(var) == []
    store.close()


def test_one_that_was_open_to_all_is_closed_when_it_is_opened(var: Path) -> None:
    url = Settings(_env_file=None).database_url
    first = Store(url)
    first.try_to_write()
    for path in (var, *var.iterdir()):
        path.chmod(0o755)
    second = Store(url)
    assert open_to_others(var) == []
    first.close()
    second.close()


def test_a_folder_of_somebody_s_choice_stays_as_it_is(var: Path) -> None:
    elsewhere = var.parent / "shared"
    elsewhere.mkdir(mode=0o755)
    Store(f"sqlite:///{elsewhere / 'x.db'}").close()
    assert open_to_others(elsewhere) == [str(elsewhere)]


@pytest.fixture
def old_state(var: Path) -> Path:
    """What an earlier version of the sandbox kept, open to everybody."""
    var.mkdir(mode=0o755)
    (var / "token").write_text("cs_an_old_one")
    (var / "mail").mkdir()
    (var / "mail" / "00000001-grace.eml").write_text("an old mail")
    return var


async def test_so_is_all_that_the_sandbox_keeps(old_state: Path) -> None:
    close_folder(old_state)
    KeptMail(old_state / "mail").add("grace", b"a mail")
    kept_mail_keys(old_state / "mail_keys")
    async with TemporalServer(old_state / "temporal.db"):
        assert {"temporal.db", "token", "mail", "mail_keys"} <= names_in(old_state)
        assert open_to_others(old_state) == []


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_a_link_points_to_keeps_its_rights(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for folder in (theirs, ours):
        folder.mkdir(mode=0o755)
    (ours / "link").symlink_to(theirs)
    close_folder(ours)
    assert open_to_others(theirs) == [str(theirs)]
