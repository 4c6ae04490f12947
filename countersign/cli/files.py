"""Reading a file that the user named, up to a limit; every error names the file."""

import sys
from pathlib import Path

from countersign.errors import BadQuestion

# More than any policy or mail may hold; what reads it has its own, lower limit.
LARGEST_FILE_BYTES = 64 * 1024 * 1024
STANDARD_INPUT = Path("-")


def content(file: Path) -> bytes:
    """The bytes of a file, or of standard input for `-`; BadQuestion says why it can't be read."""
    try:
        if file == STANDARD_INPUT:
            raw = sys.stdin.buffer.read(LARGEST_FILE_BYTES + 1)
        else:
            with file.open("rb") as opened:
                raw = opened.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise BadQuestion(f"{file} can't be read: {error.strerror}; name a file that is there.") from None
    except ValueError:
        raise BadQuestion("That is not a file name; name a file that exists.") from None
    if len(raw) > LARGEST_FILE_BYTES:
        raise BadQuestion(f"{file} is larger than {LARGEST_FILE_BYTES} bytes; name a smaller file.")
    return raw
