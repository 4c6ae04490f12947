"""Looks up the country of an address in a file of MaxMind's format (https://maxmind.github.io/MaxMind-DB/)."""

import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

from countersign.checks import Check
from countersign.directory import Policy
from countersign.enrolment.countries import country_or_unknown
from countersign.views import Finding

if TYPE_CHECKING:
    import maxminddb

# Its library's own error is a RuntimeError.
BROKEN = (OSError, ValueError, RuntimeError)

log = logging.getLogger(__name__)


class CountryFile:
    """A country file; without a `path`, every country is unknown. A file that is replaced is opened again."""

    def __init__(self, path: str = "") -> None:
        self.path = path
        self._lock = Lock()
        self._reader: maxminddb.Reader | None = None
        self._seen: tuple[int, ...] = ()

    def country_of(self, address: str) -> str:
        """The two letters of an address's country; empty if the file doesn't have it, or can't be read."""
        if not (self.path and address):
            return ""
        try:
            return self._country_of(address)
        except BROKEN as error:
            log.warning("the country of an address is not known: %s can't be read: %s", self.path, error)
            return ""

    def _country_of(self, address: str) -> str:
        # The zone of an IPv6 address means something on this machine alone.
        record = self._current().get(address.partition("%")[0])
        if not isinstance(record, dict):
            return ""
        # MaxMind and DB-IP have an object here, others just the letters.
        country = record.get("country", record.get("country_code"))
        return country_or_unknown(country.get("iso_code") if isinstance(country, dict) else country)

    def _current(self) -> "maxminddb.Reader":
        import maxminddb  # only needed with such a file

        stat = os.stat(self.path)
        seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        with self._lock:
            if self._reader is None or self._seen != seen:
                # In memory, so that a file that is written in place never changes under somebody who reads it.
                self._reader, self._seen = maxminddb.open_database(self.path, maxminddb.MODE_MEMORY), seen
            return self._reader

    def checks(self) -> list[Check]:
        """The checks of `doctor`."""
        return [Check("devices", "country file", self._check)] if self.path else []

    async def _check(self, _: Policy | None) -> Sequence[Finding]:
        try:
            built = datetime.fromtimestamp(self._current().metadata().build_epoch, UTC)
        except BROKEN as error:
            message = f"{self.path} can't be read, so no country is known: {error}; put a country file (.mmdb) there"
            return [Finding(part="devices", state="problem", about="country file", message=message)]
        message = f"{self.path}, made on {built:%Y-%m-%d}"
        return [Finding(part="devices", state="ok", about="country file", message=message)]
