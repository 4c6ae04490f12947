"""Servers of the standard library that answer in a thread of their own while a test runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseServer
from typing import TypeVar

POLL_SECONDS = 0.01

S = TypeVar("S", bound=BaseServer)


@contextmanager
def answering(server: S) -> Iterator[S]:
    """Have it answer until the block ends, also by an error: a thread that goes on keeps Python from ending."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": POLL_SECONDS})
    with server:
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
