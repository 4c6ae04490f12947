"""The Temporal servers that the tests have started, by their addresses."""

from __future__ import annotations

from pathlib import Path

from sandbox.temporal_server import TemporalServer

SERVERS: dict[str, TemporalServer] = {}
# A server with a file can be started anew; in memory, as a disk would make it slow.
MEMORY = Path("/dev/shm")
FOLDER = MEMORY if MEMORY.is_dir() else None
