"""The processes of a session when it ends: those that could be overlooked."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from countersign.errors import Unavailable
from countersign.gates import processes
from countersign.gates.calls import Calls
from countersign.gates.processes import Process, ProcessInfo
from tests.countersign.gates.networks import SECONDS, wait_until

# Its first thread ends (exit(2) ends only one thread), and another one goes on.
WITHOUT_FIRST_THREAD = """
import ctypes, os, sys, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
print("up", flush=True)
sys.stdin.readline()
ctypes.CDLL(None).syscall({"x86_64": 60}.get(os.uname().machine, 93), 0)
"""
# A login of its own, which leaves a process with a subordinate user id in the background.
SUBORDINATE = """
import os, sys, time
with open("/proc/self/loginuid", "w") as login:
    login.write("40001")
if not os.fork():
    os.setsid()
    os.setresuid(100001, 100001, 100001)
    if os.fork():
        os._exit(0)
    print(os.getpid(), flush=True)
    time.sleep(1000)
os.wait()
os.setresuid(40001, 40001, 40001)
time.sleep(1000)
"""


@contextmanager
def started(code: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_a_process_whose_first_thread_has_ended_ends_with_its_session() -> None:
    with started(WITHOUT_FIRST_THREAD) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        seen = processes.info_of(process.pid)
        assert seen
        process.stdin.write("\n")
        process.stdin.close()
        wait_until(lambda: ") Z " in Path(f"/proc/{process.pid}/stat").read_text())
        assert await processes.Processes().end_session(seen.process, processes.NO_LOGIN, os.getuid())
        assert process.wait(SECONDS) < 0


@pytest.mark.skipif(
    os.geteuid() != 0 or not os.path.exists("/proc/self/sessionid"), reason="logins need root, and audit in the kernel"
)
async def test_what_took_a_subordinate_number_ends_with_its_login() -> None:
    with started(SUBORDINATE) as process:
        assert process.stdout
        left = int(process.stdout.readline())
        try:
            wait_until(lambda: processes.user_of(process.pid) == 40001)
            seen, hidden = processes.info_of(process.pid), processes.info_of(left)
            assert seen
            assert hidden
            assert seen.login == hidden.login != processes.NO_LOGIN
            assert await processes.Processes().end_session(seen.process, seen.login, 40001)
            assert not processes.is_alive(hidden.process)
        finally:
            with suppress(ProcessLookupError):
                os.kill(left, signal.SIGKILL)


async def test_who_reads_at_the_same_time_shares_a_reading_that_began_after_they_asked() -> None:
    every = processes.Processes()
    reads = [every.all() for _ in range(50)]
    assert len({id(one) for one in await asyncio.gather(*reads)}) <= 2
    with started("input()") as process:
        assert process.pid in {one.process.pid for one in await every.all()}


async def test_without_a_file_left_to_open_no_process_is_taken_for_gone() -> None:
    with started("import sys; print('up', flush=True); sys.stdin.read()") as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        seen = processes.info_of(process.pid)
        assert seen
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        try:
            for read in (partial(processes.info_of, process.pid), processes.all_processes):
                with pytest.raises(OSError, match="Too many open files"):
                    read()
            with pytest.raises(OSError, match="Too many open files"):
                await processes.end_of(seen.process)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_where_no_thread_can_be_started_a_session_ends_all_the_same() -> None:
    with started("input()") as process:
        seen = processes.info_of(process.pid)
        assert seen
        size = threading.stack_size(1 << 46)
        try:
            with pytest.raises(Unavailable):
                await Calls(1)(os.getpid)
            assert await processes.Processes().end_session(seen.process, processes.NO_LOGIN, os.getuid())
        finally:
            threading.stack_size(size)
        assert process.wait(SECONDS) < 0


@pytest.mark.timeout(60)
def test_what_is_below_a_session_is_found_in_one_pass_however_deep_it_is() -> None:
    every = [ProcessInfo(Process(pid, pid), pid - 1, 0, processes.NO_LOGIN) for pid in range(10_000_000, 10_100_000)]
    # A tenth of a second; with a pass for each level, or for each process, it would be minutes.
    assert processes.of_session(every, [every[1].process], processes.NO_LOGIN, 1000) == every[1:]
