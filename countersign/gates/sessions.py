"""The sessions that are open on this host, in a file for the next gate service, in case this one is killed.

The file is in a folder that a restart of the machine empties, and root alone may write it.
"""

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError

from countersign.gates import processes
from countersign.gates.processes import Process, ProcessInfo


class HostSession(BaseModel):
    """A session: its leader, which is the program that PAM let in, and whose it is.

    `login` is the number of the leader's login (`ProcessInfo`), `user` that of the account it runs as. `ends_at` is
    the end of the grant, which older services did not write.
    """

    leader: Process
    login: int
    user: int
    service: str
    person: str
    device: str
    protocol: str
    source_address: str
    ends_at: AwareDatetime | None = None

    def among(self, every: Sequence[ProcessInfo]) -> list[ProcessInfo]:
        """The processes of this session, also in the background after its leader ended. Raises OSError."""
        return processes.of_session(every, [self.leader], self.login, self.user)


SESSIONS = TypeAdapter(list[HostSession])

log = logging.getLogger(__name__)


class Sessions:
    """The open sessions, the newest last."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._open: list[HostSession] = []

    def read(self) -> list[HostSession]:
        """The sessions of the service before this one that still run. Raises OSError, ValueError for a wrong file."""
        if self._file.exists():
            try:
                found = SESSIONS.validate_json(self._file.read_bytes())
            except ValidationError:
                raise ValueError(f"{self._file} is not what a gate service wrote") from None
            every = processes.all_processes()
            self._open = [one for one in found if one.among(every)]
        return list(self._open)

    def add(self, session: HostSession) -> None:
        """Keep a session, before anything is let in. Raises OSError."""
        kept = [*self._open, session]
        self._write(kept)
        self._open = kept

    def remove(self, session: HostSession) -> None:
        """Forget one that is over."""
        self._open = [one for one in self._open if one is not session]
        self.keep()

    def keep(self) -> None:
        """Write the list; what can't be written now is written with the next change."""
        try:
            self._write(self._open)
        except OSError as error:
            log.error("%s could not be written: %s", self._file, error.strerror)

    def around(self, pid: int) -> HostSession | None:
        """The innermost session that a process runs in, even if the process was put into the background."""
        by_leader = {one.leader: one for one in self._open}
        within = next((by_leader[each] for each in processes.ancestors(pid) if each in by_leader), None)
        seen = processes.info_of(pid)
        if within or seen is None or seen.login == processes.NO_LOGIN:
            return within
        return next((one for one in reversed(self._open) if one.login == seen.login), None)

    def _write(self, sessions: list[HostSession]) -> None:
        """Write the file in one step: a service that is killed meanwhile leaves the old list or the new one."""
        made = self._file.with_suffix(".new")
        made.unlink(missing_ok=True)
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            json.dump(SESSIONS.dump_python(sessions, mode="json"), out)
        made.replace(self._file)
