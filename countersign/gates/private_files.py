"""Reads files that hold a secret, only if nobody but their owner can."""

import os
import stat
from pathlib import Path

from countersign.errors import BadQuestion

LARGEST_BYTES = 64 * 1024
AS_ROOT = "run this as root, or as who may read it"


def read_private(file: Path, what: str) -> bytes:
    """What is in a file that only its owner can read; BadQuestion if others can, or there is none.

    `what` is what it holds, for people, such as `the gateway's token`.
    """
    try:
        with file.open("rb") as opened:
            about, raw = os.fstat(opened.fileno()), opened.read(LARGEST_BYTES)
    except OSError as error:
        remedy = AS_ROOT if isinstance(error, PermissionError) else f"put {what} there"
        raise BadQuestion(f"{file} can't be read: {error.strerror}; {remedy}.") from None
    # systemd lets a service's user read root's credential by an access list, which shows as rights of root's group.
    others = 0o037 if about.st_gid == 0 else 0o077
    if stat.S_IMODE(about.st_mode) & others or about.st_uid not in {0, os.geteuid()}:
        raise BadQuestion(
            f"{file} holds {what}, and others can read or write it: have it belong to the gate's user, and run "
            f"`chmod 600 {file}`."
        )
    return raw
