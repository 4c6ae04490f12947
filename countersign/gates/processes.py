"""The processes of a session on this host: which they are, and how all of them are ended (Linux, proc(5)).

A pid is used again, so a process is known by its pid and its start time, and signalled through a descriptor of its own
(pidfd_open(2)): no signal ever reaches a process that came later.
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from countersign.errors import Unavailable
from countersign.gates.calls import Calls

# How long a session has to end by itself after SIGHUP, and how often what is left of it is killed then.
HANG_UP_TICKS, KILLS, TICK_SECONDS = 20, 10, 0.05
LOGINCTL_SECONDS = 1.0
MOST_LOGINCTL = 16
# sd_booted(3)
SYSTEMD = Path("/run/systemd/system")
LOGIND_SCOPE = re.compile(r"/session-(\w+)\.scope")
# The login number of a process that belongs to no login (audit_get_session(3)).
NO_LOGIN = 2**32 - 1
# The major numbers of pseudoterminals (devices.txt of Linux), each with 256 of them.
FIRST_PTS, LAST_PTS = 136, 143
# The errors of proc(5) for a process that has ended, or is not shown.
NOT_SEEN = (FileNotFoundError, ProcessLookupError, PermissionError)
# Numbers from here on are given to accounts for namespaces of their own (SUB_UID_MIN of login.defs(5)).
FIRST_SUBORDINATE = 100_000


class Process(NamedTuple):
    """A process; `started` is in clock ticks since the machine was started."""

    pid: int
    started: int


class ProcessInfo(NamedTuple):
    """What proc(5) says of a process: `tty` is the number of its terminal, `login` that of its login by audit."""

    process: Process
    parent: int
    tty: int
    login: int


def info_of(pid: int) -> ProcessInfo | None:
    """What is known of a process; None if it does not exist, or no longer. OSError: it can't be known."""
    folder = Path(f"/proc/{pid}")
    with suppress(*NOT_SEEN, ValueError, IndexError):
        # The fields behind the process's name, which may hold anything, even parentheses.
        fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
        # One whose first thread has ended is shown as a zombie, though other threads of it go on.
        if fields[0] == "X" or (fields[0] == "Z" and int(fields[17]) < 2):
            return None
        login = (folder / "sessionid").read_text() if (folder / "sessionid").exists() else NO_LOGIN
        return ProcessInfo(Process(pid, int(fields[19])), int(fields[1]), int(fields[4]), int(login))
    return None


def user_of(pid: int) -> int | None:
    """The number of the account that a process really belongs to, whatever rights it has at the moment."""
    with suppress(*NOT_SEEN, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("Uid:")))
    return None


def is_alive(process: Process) -> bool:
    """Whether it still runs, and not another one with its pid."""
    seen = info_of(process.pid)
    return seen is not None and seen.process == process


def ancestors(pid: int) -> Iterator[Process]:
    """A process, its parent, and so on."""
    seen = info_of(pid)
    while seen is not None:
        yield seen.process
        seen = info_of(seen.parent) if seen.parent > 0 else None


def of_session(every: Sequence[ProcessInfo], known: Iterable[Process], login: int, user: int) -> list[ProcessInfo]:
    """The processes of a session: the known ones, all that these started, and others of its login that run as `user`.

    So what was left in the background is found. If `user` is root, others of its login count only if they have a
    terminal: a daemon that was restarted in a session goes on.
    """
    wanted = set(known)
    found = {one.process.pid for one in every if one.process in wanted}
    if login != NO_LOGIN:
        same = [one for one in every if one.login == login and (user != 0 or one.tty)]
        found |= {one.process.pid for one in same if _may_be_of(user_of(one.process.pid), user)}
    children: dict[int, list[int]] = {}
    for one in every:
        children.setdefault(one.parent, []).append(one.process.pid)
    # One pass for all, as an account may have thousands of processes, each started by the one before.
    below = list(found)
    while below:
        more = [pid for pid in children.get(below.pop(), []) if pid not in found]
        found.update(more)
        below += more
    found -= {os.getpid(), 1}
    return [one for one in every if one.process.pid in found]


def _may_be_of(found: int | None, user: int) -> bool:
    """Whether a process of account `found` may be of a session of `user`: it is `user`, or a subordinate number."""
    return found == user or (user != 0 and found is not None and found >= FIRST_SUBORDINATE)


async def end_of(process: Process) -> None:
    """Wait until a process has ended. OSError: it can't be watched."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        loop.add_reader(descriptor, ended.set)
        if is_alive(process):
            await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def send(process: Process, number: signal.Signals) -> None:
    """Send a signal to this process, and to no other one with its pid."""
    with suppress(OSError):
        descriptor = os.pidfd_open(process.pid)
        try:
            if is_alive(process):
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)


class Processes:
    """All processes of this host, read beside the event loop, once for all who ask at the same time."""

    def __init__(self) -> None:
        self._calls, self._logind = Calls(1), Calls(MOST_LOGINCTL)
        self._next: asyncio.Task[list[ProcessInfo]] | None = None

    async def all(self) -> Sequence[ProcessInfo]:
        """All of them, as they are now or a little later. Raises OSError."""
        reading = self._next
        if reading is None or reading.done():
            reading = self._next = asyncio.create_task(self._read_all())
        return await asyncio.shield(reading)

    async def _read_all(self) -> list[ProcessInfo]:
        try:
            return await self._calls(self._begun)
        except Unavailable:  # no thread is left, and sessions have to end all the same
            return self._begun()

    def _begun(self) -> list[ProcessInfo]:
        """Read all processes; whoever asks from now on has them read again."""
        self._next = None
        return all_processes()

    async def end_session(self, leader: Process, login: int, user: int) -> bool:
        """End a leader's session; returns whether nothing of it is left. Takes some seconds at most. Raises OSError."""
        known = {one.process for one in of_session(await self.all(), [leader], login, user)}
        # If logind can't be asked, all that is known ends all the same.
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(LOGINCTL_SECONDS):
                await self._logind(partial(_tell_logind, leader))
        for each in known:
            send(each, signal.SIGHUP)
            send(each, signal.SIGCONT)
        for _ in range(HANG_UP_TICKS):
            if known.isdisjoint(one.process for one in await self.all()):
                break
            await asyncio.sleep(TICK_SECONDS)
        for _ in range(KILLS):
            left = {one.process for one in of_session(await self.all(), known, login, user)}
            if not left:
                return True
            known |= left
            for each in left:
                send(each, signal.SIGKILL)
            await asyncio.sleep(TICK_SECONDS)
        return False


def all_processes() -> list[ProcessInfo]:
    """All processes; takes milliseconds for each hundred of them. Raises OSError."""
    return [seen for name in os.listdir("/proc") if name.isdigit() and (seen := info_of(int(name)))]


def write_to_terminals(processes: Iterable[ProcessInfo], message: str) -> None:
    """Write a line to the pseudoterminals of these processes, unless that would block."""
    plain = "".join(character if character.isprintable() else " " for character in message)
    for tty in {one.tty for one in processes}:
        major, minor = (tty >> 8) & 0xFFF, (tty & 0xFF) | ((tty >> 12) & 0xFFF00)
        if FIRST_PTS <= major <= LAST_PTS:
            with suppress(OSError):
                terminal = f"/dev/pts/{(major - FIRST_PTS) * 256 + minor}"
                descriptor = os.open(terminal, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
                try:
                    os.write(descriptor, f"\r\n{plain}\r\n".encode())
                finally:
                    os.close(descriptor)


def _tell_logind(leader: Process) -> None:
    """Have logind end the session that this process leads, but not one that another process leads."""
    with suppress(OSError, subprocess.SubprocessError):
        found = LOGIND_SCOPE.search(Path(f"/proc/{leader.pid}/cgroup").read_text())
        program = shutil.which("loginctl")
        if found and program and SYSTEMD.is_dir():
            of_leader = _loginctl(program, "show-session", "--property=Leader", "--value", found[1])
            if of_leader.strip() == str(leader.pid):
                _loginctl(program, "terminate-session", found[1])


def _loginctl(*command: str) -> str:
    done = subprocess.run(  # noqa: S603 - without a shell, with the number of a session
        command, capture_output=True, text=True, timeout=LOGINCTL_SECONDS, check=False
    )
    return done.stdout
