"""The sign of life goes on while the watched thread waits, and ends when it hangs."""

import queue

from notifiers.email.mailbox.heartbeat import Heartbeat


def test_beats_without_help_until_no_progress_is_told_for_too_long() -> None:
    beats: queue.Queue[None] = queue.Queue()
    with Heartbeat(lambda: beats.put(None), tick=0.01, patience=1.0) as heartbeat:
        for _ in range(3):
            beats.get(timeout=120)
        assert falls_silent(beats)
        heartbeat.progress()
        beats.get(timeout=120)


def falls_silent(beats: queue.Queue[None]) -> bool:
    for _ in range(1000):
        try:
            beats.get(timeout=0.5)
        except queue.Empty:
            return True
    return False
