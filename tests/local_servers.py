"""Servers from the standard library that answer in a thread of their own while a test runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseServer
from typing import TypeVar

POLL_SECONDS = 0.01

S = TypeVar("S", bound=BaseServer)


@contextmanager
def answering(server: S) -> Iterator[S]:
    """Have it answer until the block ends, even with an error: a thread left running keeps Python from exiting."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": POLL_SECONDS})
    with server:
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
