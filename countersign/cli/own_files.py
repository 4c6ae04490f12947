"""Small files that commands keep for their user, and that only the user can read."""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from countersign.errors import Unavailable


class Folder(NamedTuple):
    """Where files are kept: in the folder that the variable names, else in this one in the home folder."""

    variable: str
    otherwise: str


# The XDG Base Directory Specification.
CONFIG, CACHE = Folder("XDG_CONFIG_HOME", ".config"), Folder("XDG_CACHE_HOME", ".cache")


def path(name: str, folder: Folder = CONFIG) -> Path:
    """Where the file is kept. Raises RuntimeError if there is no home folder."""
    return Path(os.environ.get(folder.variable) or Path.home() / folder.otherwise) / "countersign" / name


def read(name: str, folder: Folder = CONFIG) -> str:
    """The text of the file; empty if it can't be read."""
    with suppress(OSError, UnicodeDecodeError, RuntimeError):
        return path(name, folder).read_text()
    return ""


def write(name: str, text: str, folder: Folder = CONFIG) -> Path:
    """Replace the text of the file. Raises Unavailable, with the remedy."""
    try:
        file = path(name, folder)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = file.with_suffix(f".{os.getpid()}")
        made.unlink(missing_ok=True)
        # Nobody else can read it at any moment, whatever the umask.
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text)
        made.replace(file)
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or "there is no home folder"
        raise Unavailable(f"{name} can't be kept: {why}. Set {folder.variable} to a folder of yours.") from None
    return file


def delete(name: str) -> None:
    """Delete the file, if it is there."""
    with suppress(OSError, RuntimeError):
        path(name).unlink()
