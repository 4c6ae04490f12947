"""Keeps other accounts from reading a database's files, and the folder where all state is kept by default."""

import os
import stat
from contextlib import suppress
from pathlib import Path

OURS_ALONE = 0o700
FILE_OURS_ALONE = 0o600
OTHERS = stat.S_IRWXG | stat.S_IRWXO
# The folder of all state, unless a setting names another.
STATE_FOLDER = "var"
# The files beside a SQLite database; SQLite gives them that file's permissions when it makes them.
BESIDE = ("", "-wal", "-shm", "-journal")


def close_database(file: Path) -> None:
    """Make a database file that nobody else may read, or take others' rights to the one that is there."""
    if file.parent.name == STATE_FOLDER:
        close(file.parent)
    with suppress(OSError):  # opening it reports what is wrong
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, FILE_OURS_ALONE))
    for ending in BESIDE:
        close(file.with_name(file.name + ending))


def write_for_us_alone(file: Path, text: str) -> None:
    """Write a new file that nobody else may read, in place of one that is there; make its folder, too."""
    file.parent.mkdir(mode=OURS_ALONE, parents=True, exist_ok=True)
    # A file that is there may have any mode.
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode=FILE_OURS_ALONE), "w") as opened:
        opened.write(text)


def close_folder(folder: Path) -> None:
    """Let nobody else read a folder and what is in it; make it if it is not there."""
    folder.mkdir(mode=OURS_ALONE, parents=True, exist_ok=True)
    for path in (folder, *folder.rglob("*")):
        close(path)


def close(path: Path) -> None:
    """Take all rights to a file or folder from others, if it is there and ours."""
    with suppress(OSError):
        mode = path.lstat().st_mode
        if mode & OTHERS and not stat.S_ISLNK(mode):
            path.chmod(stat.S_IMODE(mode) & ~OTHERS)
