"""The files that set a gate up on a host: shown, or written where nobody has changed what is there."""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from countersign.errors import BadQuestion, NotAllowed
from countersign.gates.accounts import account_named

# The first line of each file; if its digest is that of the rest, nobody has changed the file.
MARK = "# Written by `countersign gate install` ({digest}). Once you change this file, it is left as it is.\n"
MARKED = re.compile(r"# Written by `countersign gate install` \((?P<digest>[0-9a-f]{16})\)\.[^\n]*\n")


class File(NamedTuple):
    """A file to install; the text begins with the line that says who wrote it."""

    path: Path
    text: str
    mode: int = 0o644
    # Whether the text is the existing file with our lines added, so that nothing is lost.
    adds: bool = False
    # Whether people have to fill something in, which is never overwritten.
    to_fill: bool = False
    # The account that owns it, if not the one that writes it.
    owner: str | None = None

    @property
    def state(self) -> "State":
        """What is there now. Raises NotAllowed or BadQuestion if that can't be read."""
        try:
            there = self.path.read_text(errors="replace")
        except FileNotFoundError:
            return State.ABSENT
        except OSError as error:
            raise _failed(self.path, "read", error) from None
        if there == self.text:
            return State.CURRENT
        if self.adds:
            return State.LACKING
        return State.OLDER if is_unchanged(there) else State.EDITED


class State(StrEnum):
    """How what is there compares to what would be written."""

    ABSENT = "is not there"
    CURRENT = "is there as it should be"
    OLDER = "is there as it was written before, and would be replaced"
    LACKING = "is there without these lines, and would get them"
    EDITED = "was changed by somebody, and is left as it is"


def file(path: str, text: str, mode: int = 0o644, to_fill: bool = False, owner: str | None = None) -> File:
    """A file to install, with the line that says who wrote it."""
    return File(Path(path), MARK.format(digest=_digest(text)) + text, mode, to_fill=to_fill, owner=owner)


def is_unchanged(text: str) -> bool:
    """Whether a file is as `countersign gate install` wrote it, now or in an earlier version."""
    mark = MARKED.match(text)
    return mark is not None and mark["digest"] == _digest(text[mark.end() :])


def write(files: Iterable[File], force: bool = False) -> list[tuple[File, bool]]:
    """Write the files that differ, but none that somebody changed unless `force`; returns whether each was written.

    A file that somebody filled in stays even with `force`.
    Raises NotAllowed if permission to write a file is missing, BadQuestion if it can't be written for other reasons or
    its owner isn't an account; the files before it are written then.
    """
    return [(one, _write(one, force)) for one in files]


def _write(one: File, force: bool) -> bool:
    state = one.state
    if state is State.CURRENT or (state is State.EDITED and (one.to_fill or not force)):
        return False
    owner = account_named(one.owner) if one.owner else None
    if one.owner and owner is None:
        raise BadQuestion(f"{one.path} is for the account {one.owner!r}, which is not on this host; name another.")
    try:
        one.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        # Put in place whole: sshd and systemd may read it at any time.
        handle, name = tempfile.mkstemp(dir=one.path.parent, prefix=".")
        try:
            with os.fdopen(handle, "w") as opened:
                opened.write(one.text)
                os.fchmod(opened.fileno(), one.mode)
                if owner:
                    os.fchown(opened.fileno(), owner.pw_uid, owner.pw_gid)
            os.replace(name, one.path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise _failed(one.path, "written", error) from None
    return True


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _failed(path: Path, what: str, error: OSError) -> NotAllowed | BadQuestion:
    if isinstance(error, PermissionError):
        return NotAllowed(f"{path} can't be {what}: {error.strerror}. Run this as root.")
    return BadQuestion(f"{path} can't be {what}: {error.strerror}.")
