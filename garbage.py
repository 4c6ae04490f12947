"""How often Python collects garbage in a server process; used only by the composition roots."""

import gc

# Most objects live as long as one workflow task, or one page; by Python's default, 700, each has many collections.
GARBAGE_AFTER = 20_000


def collect_seldom() -> None:
    """Exclude from collections what the imports have made, as it stays for good, and collect less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)
