"""How fast mails are read: the whole corpus of the tests, and the slowest of them."""

import time
from collections.abc import Callable
from pathlib import Path

from notifiers.email.reply import read_reply

CORPUS = Path(__file__).parent.parent / "tests" / "mails"
ROUNDS = 3


def mails_per_second(say: Callable[[str], None]) -> dict[str, float]:
    """Read every mail of the corpus a few times."""
    mails = [path.read_bytes() for path in sorted(CORPUS.rglob("*.eml"))]
    say(f"reading {len(mails)} mails, {ROUNDS} times")
    best = [min(_seconds(raw) for _ in range(ROUNDS)) for raw in mails]
    return {"mails read/s": len(best) / sum(best), "slowest mail of the corpus, ms": max(best) * 1000}


def _seconds(raw: bytes) -> float:
    started = time.perf_counter()
    read_reply(raw)
    return time.perf_counter() - started
