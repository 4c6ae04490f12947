"""A TCP proxy that breaks connections the way networks do: cut, refuse, freeze, delay, garble."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65_536
CONNECT_SECONDS = 60.0


class Proxy:
    """Listens on an ephemeral port of 127.0.0.1 and relays bytes to and from `target`, until told otherwise."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.changed = threading.Condition()
        self.connections = 0  # how many were made through it so far
        self.refused = 0  # how many were refused
        self.delay = 0.0  # seconds before each chunk is passed on
        self._refusing = False
        self._garble_left = 0
        self._flowing = threading.Event()
        self._flowing.set()
        self._closed = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listener.getsockname()
        self._threads = [threading.Thread(target=self._accept, name="proxy")]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._closed.set()
        self._flowing.set()
        # Closing alone does not wake a thread that waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def cut(self) -> None:
        """End every connection now."""
        with self._lock:
            for each in self._open:
                _shut(each)

    def refuse(self, refusing: bool = True) -> None:
        """Hang up on new connections at once, or stop doing so."""
        self._refusing = refusing

    def freeze(self) -> None:
        """Pass nothing on and say nothing, as a machine that lost its network does."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Pass on the bytes that were held, and all later ones."""
        self._flowing.set()

    def garble(self, chunks: int = 1) -> None:
        """Replace the next `chunks` chunks from the server with noise."""
        self._garble_left = chunks

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                client.close()
                self._count(refused=1)
                continue
            self._connect(client)

    def _count(self, connections: int = 0, refused: int = 0) -> None:
        with self.changed:
            self.connections += connections
            self.refused += refused
            self.changed.notify_all()

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self.target, timeout=CONNECT_SECONDS)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        self._count(connections=1)
        with self._lock:
            self._open |= {client, server}
        ends = threading.Barrier(2)
        for source, sink, from_server in ((client, server, False), (server, client, True)):
            thread = threading.Thread(target=self._pump, args=(source, sink, from_server, ends), name="proxy")
            self._threads.append(thread)
            thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket, from_server: bool, ends: threading.Barrier) -> None:
        try:
            while data := source.recv(CHUNK_BYTES):
                self._closed.wait(self.delay)
                self._flowing.wait()
                if from_server and self._garble_left > 0:
                    self._garble_left -= 1
                    data = bytes(byte ^ 0xA5 for byte in data)
                sink.sendall(data)
        except OSError:
            pass
        _shut(source)
        _shut(sink)
        if ends.wait() == 0:
            with self._lock:
                self._open -= {source, sink}
            source.close()
            sink.close()


def _shut(each: socket.socket) -> None:
    with suppress(OSError):  # the other side closed first
        each.shutdown(socket.SHUT_RDWR)
