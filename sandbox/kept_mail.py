"""Delivered mail as files, one for each mail, so that the sandbox starts where it ended."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

from store.file_permissions import FILE_OURS_ALONE, close_folder


class KeptMail:
    """A folder of mails, each named by its number and account."""

    def __init__(self, folder: Path) -> None:
        close_folder(folder)
        self._folder = folder
        self._before = sorted(folder.glob("*.eml"))
        self._count = int(self._before[-1].name.partition("-")[0]) if self._before else 0

    def take(self) -> Iterator[tuple[str, bytes, datetime]]:
        """Yield the mails that were there at the start, once: account, mail and when it came, in order."""
        before, self._before = self._before, []
        for path in before:
            yield (
                unquote(path.stem.partition("-")[2]),
                path.read_bytes(),
                datetime.fromtimestamp(path.stat().st_mtime, UTC),
            )

    def add(self, account: str, raw: bytes) -> None:
        """Keep one more mail."""
        self._count += 1
        file = self._folder / f"{self._count:08}-{quote(account, safe='')}.eml"
        file.touch(FILE_OURS_ALONE)
        file.write_bytes(raw)
