"""`request --wait` and `watch` as processes of their own: a moving status, lines, Ctrl-C, a portal that goes away."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.countersign.installation import COMMAND, Installation, Run
from tests.proxy import Proxy

SECONDS = 120


class Process:
    """A command that runs in the background; `text` is what it has printed so far."""

    def __init__(self, arguments: list[str], environment: dict[str, str], terminal: bool) -> None:
        ours, theirs = pty.openpty() if terminal else os.pipe()
        self._reading = ours
        self.process = subprocess.Popen(
            [COMMAND, *arguments], env=environment, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL
        )
        os.close(theirs)
        self.text = ""

    def until(self, message: str) -> str:
        """Read on until the output matches the pattern `message`; returns the first match."""
        deadline = time.monotonic() + SECONDS
        while not (found := re.search(message, self.text)):
            assert time.monotonic() < deadline, self.text
            assert self._read(), self.text
        return found[0]

    def end(self) -> int:
        """Read to the end; returns the exit code."""
        while self._read():
            pass
        return self.process.wait(SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._reading)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._reading], [], [], SECONDS)
        assert ready, f"nothing more was printed: {self.text}"
        try:
            chunk = os.read(self._reading, 65536)
        except OSError:  # nobody holds the terminal open any more
            return False
        self.text += chunk.decode(errors="replace")
        return bool(chunk)


@contextmanager
def started(
    installation: Installation, who: str, *arguments: str, terminal: bool = False, columns: int = 80, url: str = ""
) -> Iterator[Process]:
    environment = installation.environment(who, columns) | ({"COUNTERSIGN_URL": url} if url else {})
    process = Process(list(arguments), environment, terminal)
    try:
        yield process
    finally:
        process.close()


def waiting_for(by: Run, device: str) -> int:
    """The request for this device, as soon as there is one."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for view in by("ada", "list", "--status", "Waiting", "--json").json:
            if view["question"]["device"] == device:
                number: int = view["approval_id"]
                return number
    raise AssertionError("nobody asked")


def test_a_terminal_shows_who_is_asked_until_it_is_decided(installation: Installation, by: Run) -> None:
    wait = ["request", next(installation.devices), "ssh", "--wait"]
    with started(installation, "alice", *wait, terminal=True, columns=40) as process:
        number = process.until(r"#\d+").removeprefix("#")
        process.until(r"in\s+59\s+minutes")
        process.until(r"0 of 1 approved")
        process.until("Grace Hopper")
        assert by("grace", "approve", number, "fine").code == 0
        process.until("Approved by")
        assert process.end() == 0
    assert re.search(r"Active\S* until", process.text)


def test_without_a_terminal_each_change_is_a_line(installation: Installation, by: Run) -> None:
    with started(installation, "alice", "request", next(installation.devices), "ssh", "--wait") as process:
        number = process.until(r"#\d+ Waiting.*waits for Grace Hopper\n").split()[0].removeprefix("#")
        by("grace", "reject", number, "not today")
        assert process.end() == 1
    assert f"#{number} Rejected  Rejected by Grace Hopper: not today" in process.text
    assert "\x1b" not in process.text


def test_with_json_the_end_is_one_value(installation: Installation, by: Run) -> None:
    device = next(installation.devices)
    with started(installation, "alice", "request", device, "ssh", "--wait", "--json") as process:
        number = waiting_for(by, device)
        by("alice", "cancel", number)
        assert process.end() == 1
    view = json.loads(process.text)
    assert (view["approval_id"], view["status"]) == (number, "Cancelled")


def test_who_joined_from_another_address_is_not_let_in(installation: Installation, by: Run) -> None:
    """The approval is for the address in the first question; asking again from another one would be refused."""
    device = next(installation.devices)
    by("alice", "request", device, "ssh", "--source-address", "192.0.2.7")
    joining = ["request", device, "ssh", "--wait", "--source-address"]
    with (
        started(installation, "alice", *joining, "192.0.2.8") as there,
        started(installation, "alice", *joining, "192.0.2.7") as here,
    ):
        number = there.until(r"#\d+ Waiting").split()[0].removeprefix("#")
        here.until(r"#\d+ Waiting")
        assert by("grace", "approve", number).code == 0
        assert (there.end(), here.end()) == (1, 0)
    assert f"The grant of #{number} is for another source address" in there.text
    assert "another source address" not in here.text
    for address, code in (("192.0.2.8", 1), ("::ffff:192.0.2.7", 0)):
        assert by("alice", "request", device, "ssh", "--json", "--source-address", address).code == code


def test_ctrl_c_ends_the_watching_and_not_the_request(installation: Installation, by: Run) -> None:
    wait = ["request", next(installation.devices), "ssh", "--wait"]
    with started(installation, "alice", *wait, terminal=True) as process:
        number = process.until(r"#\d+").removeprefix("#")
        process.until("approved")
        process.process.send_signal(signal.SIGINT)
        assert process.end() == 130
    assert f"#{number} stays open; `countersign cancel {number}` withdraws it." in " ".join(process.text.split())
    assert "Traceback" not in process.text
    assert by("alice", "show", number, "--json").json["status"] == "Waiting"


def test_a_portal_that_goes_away_for_a_while_is_waited_for(installation: Installation, by: Run) -> None:
    port = int(installation.url.rpartition(":")[2])
    with Proxy(("127.0.0.1", port)) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        wait = ["request", next(installation.devices), "ssh", "--wait"]
        with started(installation, "alice", *wait, url=url) as process:
            number = process.until(r"#\d+").removeprefix("#")
            proxy.refuse()
            proxy.cut()
            by("grace", "approve", number)
            with proxy.changed:
                assert proxy.changed.wait_for(lambda: proxy.refused > 1, SECONDS)
            proxy.refuse(False)
            assert process.end() == 0
    assert f"#{number} Approved" in process.text


def test_watch_prints_what_happens_from_now_on(installation: Installation, by: Run) -> None:
    with started(installation, "ada", "watch", "--json") as all_events, started(installation, "ada", "watch") as page:
        for process in (all_events, page):
            process.until("Watching; Ctrl-C ends it.")
        number = by("alice", "request", next(installation.devices), "ssh", "--json").json["approval_id"]
        page.until(rf"#{number}  opened +Alice Ainsworth: ")
        by("grace", "reject", number, "no")
        for process in (all_events, page):
            process.until(r"Rejected by Grace Hopper: no")
            process.process.send_signal(signal.SIGINT)
            assert process.end() == 130
    rows = [json.loads(line) for line in all_events.text.splitlines() if line.startswith("{")]
    assert {"opened", "answered"} <= {row["kind"] for row in rows if row["approval_id"] == number}
    assert [row["version"] for row in rows] == sorted({row["version"] for row in rows})


def test_the_command_line_loads_neither_temporal_nor_the_server_parts(installation: Installation) -> None:
    code = (
        "import sys; from countersign.cli import main; main(['health']);"
        "print([name for name in ('temporalio', 'sqlalchemy', 'fastapi', 'store') if name in sys.modules])"
    )
    python = os.path.join(os.path.dirname(COMMAND), "python")
    done = subprocess.run([python, "-c", code], env=installation.environment("alice"), capture_output=True, text=True)
    assert done.stdout.splitlines() == ["✓ portal", "✓ database", "✓ Temporal", "✓ worker", "[]"]
