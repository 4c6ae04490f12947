"""Isolated networks for the tests of WireGuard, and how programs in one reach a server outside."""

from __future__ import annotations

import ctypes
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SECONDS = 90
CLONE_NEWNET = 0x40000000
# All its processes, including daemons, end with the first one; it has a folder of its own for wireguard-go's sockets.
HOLD = "mkdir -p /run/wireguard; mount -t tmpfs none /run/wireguard; ip link set lo up; echo up; exec sleep infinity"
ISOLATION = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", HOLD)


class Network:
    """A network that holds nothing but what the test puts there."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(ISOLATION, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout
        assert self._holder.stdout.readline() == "up\n"
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        self.pid = int(children.read_text())

    def end(self) -> None:
        self._holder.send_signal(signal.SIGKILL)
        self._holder.wait(SECONDS)
        assert self._holder.stdout
        self._holder.stdout.close()

    def inside(self, *command: str, daemons: bool = False) -> list[str]:
        """The command, to be run inside. With `daemons`, what it leaves running ends with the network too."""
        return ["nsenter", "--target", str(self.pid), "--net", "--mount", *(["--pid"] if daemons else []), *command]

    def start(self, *command: str) -> None:
        """Start a daemon, which ends with the network."""
        subprocess.run(self.inside(*command, daemons=True), check=True, capture_output=True, timeout=SECONDS)

    def run(self, *command: str, check: bool = True) -> str:
        done = subprocess.run(self.inside(*command), capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0 or not check, (command, done.stderr)
        return done.stdout

    def processes(self, pattern: str) -> list[str]:
        """The ids of this network's processes whose command matches; other tests run the same in theirs."""
        return self.run("pgrep", "--ns", str(self.pid), "--nslist", "net", "--full", pattern, check=False).split()

    def reaches(self, address: str) -> bool:
        """Whether one ping is answered within a second."""
        ping = self.inside("ping", "-c", "1", "-W", "1", address)
        return subprocess.run(ping, capture_output=True, timeout=SECONDS, check=False).returncode == 0

    def listen(self) -> socket.socket:
        """A socket that listens on some port of 127.0.0.1 inside; it stays in the network it was made in."""
        made: list[socket.socket] = []

        def make() -> None:
            libc = ctypes.CDLL(None, use_errno=True)
            with open(f"/proc/{self.pid}/ns/net") as network:
                if libc.setns(network.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.create_server(("127.0.0.1", 0)))

        # Only this thread changes its network, and then it ends.
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made[0]


class Relay:
    """A port inside a network that leads to one outside, or nowhere while it is cut."""

    def __init__(self, network: Network | None, port: int) -> None:
        """Without a network, it listens in this process's own."""
        self._target, self._is_cut = port, False
        self._answers = threading.Event()
        self._answers.set()
        self._server = network.listen() if network else socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.answered: set[bytes] = set()
        """What was asked by HTTP and answered, such as `GET /api/v1/me`."""
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self) -> None:
        """End all connections, and end new ones at once."""
        with self._lock:
            self._is_cut = True
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._is_cut = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold back what the outside port sends until the end of the block."""
        self._answers.clear()
        try:
            yield
        finally:
            self._answers.set()

    def end(self) -> None:
        self.cut()
        self._server.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                inner, _ = self._server.accept()
                self._threads.append(threading.Thread(target=self._lead, args=(inner,)))
                self._threads[-1].start()

    def _lead(self, inner: socket.socket) -> None:
        with inner, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as outer:
            other, asked = {inner: outer, outer: inner}, b""
            with self._lock:
                if self._is_cut:
                    return
                self._open |= {*other}
            try:
                while True:
                    for source in select.select([*other], [], [])[0]:
                        if not (data := source.recv(65536)):
                            return
                        if source is outer:
                            self._answers.wait()
                        other[source].sendall(data)
                        if source is inner:
                            asked = data.partition(b" HTTP/1.1\r\n")[0]
                        else:
                            self.answered.add(asked)
            finally:
                with self._lock:
                    self._open -= {*other}


@contextmanager
def gate_network(wireguard_go: Path, interface: str, address: str) -> Iterator[Network]:
    """A network with a WireGuard interface that has a key, a port and an address of its own, and no peer."""
    network = Network()
    foreground = network.inside(str(wireguard_go), "-f", interface)
    program = subprocess.Popen(foreground, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: f"{interface}:" in network.run("ip", "link"))
        network.run("sh", "-c", f"wg genkey | wg set {interface} private-key /dev/stdin listen-port 51820")
        network.run("ip", "address", "add", address, "dev", interface)
        network.run("ip", "link", "set", "up", "dev", interface)
        yield network
    finally:
        program.kill()
        program.wait(SECONDS)
        network.end()


def wait_until(holds: Callable[[], object], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.05)
